"""Proves that a new index can serve before it does: it is whole, of our template, and its records find themselves."""

from __future__ import annotations

import orjson

from app.errors import InternalError
from app.files.bundle import Bundle
from app.matching.layout import slots_of
from app.matching.rerank import prepare_query
from app.ports import CandidateIndex
from app.profiles import find_profile
from app.search.admin import IndexAdmin

_CANARIES = 150
"""Also warms the engine up: its first hundreds of queries after a start or on a new index are slow."""
_LEAST_FOUND_SHARE = 0.8
"""Not all: a record may have more twins than candidates are retrieved."""


class Verifier:
    """Raises InternalError for an index that must not serve."""

    def __init__(self, index: CandidateIndex) -> None:
        self._index = index

    def check_index(self, admin: IndexAdmin, bundle: Bundle) -> None:
        found = admin.count(bundle.meta.index)
        if found != bundle.meta.rows:
            raise InternalError(f"The index holds {found} records instead of {bundle.meta.rows}.")
        if admin.template_digest(bundle.meta.index) != bundle.meta.template_digest:
            raise InternalError("The index was made from another template than its bundle.")

    async def check_canaries(self, bundle: Bundle) -> None:
        """Asks for records of the snapshot, spread over all of it."""
        profile, slots = find_profile("balanced"), slots_of(bundle.schema)
        rows = bundle.meta.rows
        ordinals = sorted({i * rows // _CANARIES for i in range(_CANARIES)})
        asked = found = 0
        for ordinal, content in zip(ordinals, bundle.records.read_many(ordinals), strict=True):
            query = prepare_query(orjson.loads(content)["record"], slots, profile, bundle.frequencies, {})
            if not query.plan.clauses:
                continue
            candidates = await self._index.retrieve(bundle.meta.index, query.plan, profile.candidates)
            asked += 1
            found += any(candidate.ordinal == ordinal for candidate in candidates)
        if found < _LEAST_FOUND_SHARE * asked:
            raise InternalError(f"Only {found} of {asked} canary records find themselves in the new index.")
