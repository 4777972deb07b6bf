"""Finds the records whose kept answers may not stand against a later snapshot, at a fraction of what matching them costs."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson

from app.errors import InvalidSchema
from app.matching.delta import KeptAnswer, least_weight, stands, sum_of_odds
from app.matching.rerank import Retrieval, rerank
from app.ports import Retrieved
from app.services.match import MatchService
from app.services.match_records import Asked, MatchCall, MatchOptions, read_record
from app.services.match_targets import MatchTarget

_RIVALS = 10
"""Touched records that are looked at for each record; where all of them have weight there may be more."""


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
    candidates: dict[str, int]
    """Record id and ordinal of those with weight that the later snapshot still has."""


class Rechecker:
    """Raises SearchUnavailable, and SnapshotNotActive when the index is gone."""

    def __init__(self, match: MatchService) -> None:
        self._match = match

    async def standing(
        self,
        target: MatchTarget,
        options: MatchOptions,
        records: Sequence[Mapping[str, Any]],
        kept: Sequence[KeptAnswer | None],
        touched: Touched,
    ) -> dict[int, KeptAnswer]:
        """By position, the answers that stand, as they are to be kept on; all other records must be matched again.

        `kept` is None for a record that had no answer.
        """
        call = MatchCall.of(target, options)
        parts = await self._match.in_groups(
            len(records), lambda group: self._standing(call, records, kept, touched, range(group.start, group.stop))
        )
        return {at: answer for part in parts for at, answer in part.items()}

    async def _standing(
        self,
        call: MatchCall,
        records: Sequence[Mapping[str, Any]],
        kept: Sequence[KeptAnswer | None],
        touched: Touched,
        group: range,
    ) -> dict[int, KeptAnswer]:
        """Of the group."""
        left = await self._match.worked(len(group), _doubtful, call, records, kept, touched, group)
        rivals: list[list[Retrieved]] = [[] for _ in left]
        if touched.runs and left:
            plans = [one.asked.query.plan for one in left]
            index = call.target.index
            rivals = await self._match.index.retrieve_many(index, plans, _RIVALS, within=touched.runs)
        return await self._match.worked(len(group), _all_confirmed, call, left, rivals)


def _doubtful(
    call: MatchCall,
    records: Sequence[Mapping[str, Any]],
    kept: Sequence[KeptAnswer | None],
    touched: Touched,
    group: range,
) -> list[_Doubtful]:
    """Those of the group that need not be matched again, as far as can be told without a search."""
    read = (_read(at, records[at], kept[at], call, touched) for at in group)
    return [one for one in read if one is not None]


def _all_confirmed(
    call: MatchCall, doubtful: Sequence[_Doubtful], rivals: Sequence[Sequence[Retrieved]]
) -> dict[int, KeptAnswer]:
    confirmed = [(one.at, _confirmed(one, found, call)) for one, found in zip(doubtful, rivals, strict=True)]
    return {at: answer for at, answer in confirmed if answer is not None}


def _read(
    at: int, record: Mapping[str, Any], kept: KeptAnswer | None, call: MatchCall, touched: Touched
) -> _Doubtful | None:
    """None when it is plain that the record must be matched again."""
    if kept is None or kept.decided or kept.profile != call.profile.label:
        return None
    found = {record_id: call.target.bundle.ordinal_of(record_id) for record_id in kept.weighty}
    candidates = {record_id: ordinal for record_id, ordinal in found.items() if ordinal is not None}
    if any(one not in candidates or candidates[one] in touched for one in kept.names):
        return None
    try:
        asked = read_record(record, call)
    except InvalidSchema:
        return None
    same = asked.query.plan.digest() == kept.asked and not asked.query.standing
    return _Doubtful(at, asked, kept, candidates) if same else None


def _confirmed(one: _Doubtful, rivals: Sequence[Retrieved], call: MatchCall) -> KeptAnswer | None:
    """The answer when it stands beside the touched rivals: all are compared against the later snapshot, as a match would."""
    bundle, profile = call.target.bundle, call.profile
    least = least_weight(profile, call.threshold)
    if least is None:
        return None
    known = len(one.candidates)
    ordinals = list(dict.fromkeys((*one.candidates.values(), *(rival.ordinal for rival in rivals))))
    retrieval = Retrieval(one.asked.query, ordinals)
    [reranked] = rerank(call.slots, [retrieval], bundle.forms.read_many, bundle.frequencies, profile)
    scores = reranked.scores
    own = scores.log_odds - scores.competition
    heavy = known + np.flatnonzero(own[known:] >= least)
    if len(heavy) >= _RIVALS:
        return None
    records = bundle.records.read_many([ordinals[at] for at in heavy])
    record_ids = (*one.candidates, *(orjson.loads(record)["record_id"] for record in records))
    light = np.delete(own, [*range(known), *heavy])
    kept = replace(one.kept, weighty=record_ids, rest=sum_of_odds(light, one.kept.rest))
    looked_at = [*range(known), *heavy]
    copies = None if scores.copies is None else scores.copies[looked_at]
    top_n, shift = call.options.top_n, scores.shift
    standing = stands(kept, record_ids, own[looked_at], copies, profile, call.threshold, top_n, shift)
    return kept if standing else None
