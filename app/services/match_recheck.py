"""Finds the records whose kept answers may not stand against a later snapshot, at a fraction of what matching them costs."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import InvalidSchema
from app.matching.delta import KeptAnswer, least_weight, stands
from app.matching.rerank import rerank
from app.ports import Retrieved
from app.services.match import MatchService
from app.services.match_records import Asked, MatchCall, MatchOptions, read_record
from app.services.match_targets import MatchTarget

_GROUP_RECORDS = 50
_RIVALS = 10
"""Touched records that are looked at for each record: of more than so many that retrieval ranks high, one has weight."""


class Touched:
    """The ordinals of a snapshot whose records were added or changed since another one."""

    def __init__(self, runs: Sequence[range]) -> None:
        self.runs = list(runs)
        self._starts = [run.start for run in runs]

    def __contains__(self, ordinal: int) -> bool:
        at = bisect_right(self._starts, ordinal) - 1
        return at >= 0 and ordinal in self.runs[at]


@dataclass(frozen=True, slots=True)
class _Doubtful:
    """A record whose answer stands unless a touched record or a bound says otherwise."""

    at: int
    asked: Asked
    kept: KeptAnswer
    ordinals: list[int]
    """Of the candidates with weight."""


class Rechecker:
    """Raises SearchUnavailable, and SnapshotNotActive when the index is gone."""

    def __init__(self, match: MatchService) -> None:
        self._match = match

    async def doubtful(
        self,
        target: MatchTarget,
        options: MatchOptions,
        records: Sequence[Mapping[str, Any]],
        kept: Sequence[KeptAnswer | None],
        touched: Touched,
    ) -> set[int]:
        """Positions of the records that must be matched again; None is the answer of a record that had none."""
        call = MatchCall.of(target, options)
        groups = [range(at, min(at + _GROUP_RECORDS, len(records))) for at in range(0, len(records), _GROUP_RECORDS)]
        try:
            async with asyncio.TaskGroup() as tasks:
                parts = [tasks.create_task(self._standing(call, records, kept, touched, group)) for group in groups]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        return set(range(len(records))).difference(*(part.result() for part in parts))

    async def _standing(
        self,
        call: MatchCall,
        records: Sequence[Mapping[str, Any]],
        kept: Sequence[KeptAnswer | None],
        touched: Touched,
        group: range,
    ) -> set[int]:
        """Positions of the group's records whose answers stand."""
        async with self._match.groups:
            read = [_read(at, records[at], kept[at], call, touched) for at in group]
            left = [one for one in read if one is not None]
            rivals: list[list[Retrieved]] = [[] for _ in left]
            if touched.runs and left:
                plans = [one.asked.query.plan for one in left]
                index = call.target.index
                rivals = await self._match.index.retrieve_many(index, plans, _RIVALS, within=touched.runs)
            return {one.at for one, found in zip(left, rivals, strict=True) if _stands(one, found, call)}


def _read(
    at: int, record: Mapping[str, Any], kept: KeptAnswer | None, call: MatchCall, touched: Touched
) -> _Doubtful | None:
    """None when it is plain that the record must be matched again."""
    if kept is None or kept.decided or kept.profile != call.profile.label:
        return None
    found = [call.target.bundle.ordinal_of(record_id) for record_id in kept.weighty]
    ordinals = [ordinal for ordinal in found if ordinal is not None and ordinal not in touched]
    if len(ordinals) < len(found):
        return None
    try:
        asked = read_record(record, call)
    except InvalidSchema:
        return None
    return None if asked.query.standing else _Doubtful(at, asked, kept, ordinals)


def _stands(one: _Doubtful, rivals: Sequence[Retrieved], call: MatchCall) -> bool:
    """Compares the candidates with weight and the touched rivals, all of them against the later snapshot."""
    bundle, profile = call.target.bundle, call.profile
    least = least_weight(profile, call.threshold)
    if least is None:
        return False
    ordinals = [*one.ordinals, *(rival.ordinal for rival in rivals)]
    forms = bundle.forms.read_many(ordinals)
    scores = rerank(call.slots, one.asked.query, forms, ordinals, bundle.frequencies, profile).scores
    own = scores.log_odds - scores.competition
    mine, theirs = own[: len(one.ordinals)], own[len(one.ordinals) :]
    if (theirs >= least).any():
        return False
    return stands(one.kept, mine, profile, call.threshold, call.options.top_n)
