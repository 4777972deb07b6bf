"""In how many records of a snapshot a term stands: a sorted table of 64-bit hashes, small enough to map into every process.

Terms are namespaced strings (`name:acme`, `trigram:acm`, `id:domain:acme.com`). Terms that stand in one record only are
not kept: a term that the table does not know has a document frequency of at most 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import xxhash

Hashes = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.uint32]

_REMEMBERED_TERMS = 25_000
"""About 4 MB a table; names repeat their common words, so most look-ups end here."""


def hashed(terms: Iterable[str]) -> Iterator[int]:
    """The key of each term in the table, 64 bits, in order."""
    return map(xxhash.xxh3_64_intdigest, map(str.encode, terms))


def hash_terms(terms: Iterable[str]) -> Hashes:
    """`hashed` as an array; shape (n,)."""
    return np.fromiter(hashed(terms), dtype=np.uint64)


def count_hashes(hashes: Hashes) -> tuple[Hashes, Counts]:
    """Distinct hashes, sorted, and how often each occurs."""
    distinct, counts = np.unique(hashes, return_counts=True)
    return distinct, counts.astype(np.uint32)


def merge_counts(parts: Sequence[tuple[Hashes, Counts]]) -> tuple[Hashes, Counts]:
    """Adds up tables made by `count_hashes`."""
    if not parts:
        return np.empty(0, np.uint64), np.empty(0, np.uint32)
    hashes = np.concatenate([part[0] for part in parts])
    counts = np.concatenate([part[1] for part in parts])
    order = np.argsort(hashes, kind="stable")
    hashes, counts = hashes[order], counts[order]
    starts = np.flatnonzero(np.r_[True, hashes[1:] != hashes[:-1]]) if len(hashes) else np.empty(0, np.intp)
    return hashes[starts], np.add.reduceat(counts, starts).astype(np.uint32) if len(starts) else counts


@dataclass(frozen=True, slots=True)
class TermFrequencies:
    """Document frequencies of a snapshot of `rows` records; the arrays may be memory-mapped."""

    rows: int
    hashes: Hashes
    counts: Counts
    _known: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Terms that were looked up before. Threads share it: what was found is never read from it again."""
    memo: dict[str, dict[str, float]] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Room for what callers derive from a table and look up often."""

    @classmethod
    def from_counts(cls, rows: int, hashes: Hashes, counts: Counts) -> TermFrequencies:
        """Keeps what stands in two records or more."""
        kept = counts > 1
        return cls(rows, hashes[kept], counts[kept])

    def counts_of(self, terms: Sequence[str]) -> list[int]:
        """Document frequency of each term, in order; 1 for a term that the table does not know."""
        known = self._known
        found = [known.get(term) for term in terms]
        missing = [term for term, count in zip(terms, found, strict=True) if count is None]
        new = dict(zip(missing, self.search(missing).tolist(), strict=True)) if missing else {}
        if len(known) > _REMEMBERED_TERMS:
            known.clear()
        known.update(new)
        return [new[term] if count is None else count for term, count in zip(terms, found, strict=True)]

    def search(self, terms: Sequence[str]) -> npt.NDArray[np.int64]:
        """`counts_of`, as an array of shape (len(terms),), for terms that are not worth remembering."""
        if not len(self.hashes) or not terms:
            return np.ones(len(terms), np.int64)
        wanted = hash_terms(terms)
        at = np.minimum(np.searchsorted(self.hashes, wanted), len(self.hashes) - 1)
        return np.where(self.hashes[at] == wanted, self.counts[at], 1).astype(np.int64)
