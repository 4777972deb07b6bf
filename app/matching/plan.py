"""What to ask of the index for one record: clauses of terms, chosen by document frequency; no query language in here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import xxhash


class PlannedTerm(NamedTuple):
    """One term of one index field.

    `analyzed` terms (phonetic) are put through the field's own analyzer; all others are asked as they stand.
    """

    channel: str
    field: str
    value: str
    boost: float = 1.0
    analyzed: bool = False
    edits: int = 0
    """Most edits between the term and what it finds; the first letter must be right."""


@dataclass(frozen=True, slots=True)
class RetrievalPlan:
    """Clauses add up; the alternatives within one clause do not, the best of them counts."""

    clauses: tuple[tuple[PlannedTerm, ...], ...]
    postings: int = 0
    """Upper bound of the postings that the plan reads."""

    def digest(self) -> str:
        """Of plans for the same record, equal for those that ask for the same words, in any order."""
        values = sorted(term.value for clause in self.clauses for term in clause)
        return xxhash.xxh3_64_hexdigest("\n".join(values).encode("utf-8", "surrogatepass"))
