"""Turns a record into what the index stores and what comparison reads; the same code for master records and queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.matching.schema import MatchSchema


@dataclass(frozen=True, slots=True)
class Prepared:
    """A master record, ready for the index.

    `document` holds the engine's fields (name, joined, acronym, text, place, ids: strings or lists of strings);
    `form` is the comparable form, opaque bytes for the record store; `terms` are the keys to count for `TermFrequencies`.
    """

    document: dict[str, Any]
    form: bytes
    terms: list[str]


class RecordPreparer:
    """Prepares records of one schema; cheap to make, picklable, safe to share."""

    def __init__(self, schema: MatchSchema) -> None:
        self.schema = schema

    def prepare(self, record: Mapping[str, Any]) -> Prepared:
        raise NotImplementedError
