"""The match use case: one path for a record, a batch and a file."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from contextvars import copy_context
from dataclasses import replace
from typing import Any, TypeVar

from app.errors import FoundryOpsError, InvalidSchema, NotFound
from app.limits.foreground import Foreground
from app.matching.first import first_plan, may_settle
from app.matching.plan import RetrievalPlan
from app.matching.rerank import Query, Reranked
from app.observability.metrics import MATCH_CANDIDATES, MATCHES
from app.observability.stages import stage
from app.ports import CandidateIndex, Retrieved
from app.services.match_answers import answer_of, flip_of, match_of
from app.services.match_ranking import Pool, Ranked, candidates_left, ranked_all, ranked_in_turn, settles
from app.services.match_records import Asked, MatchCall, MatchOptions, read_record, read_records
from app.services.match_targets import MatchTarget, MatchTargets

__all__ = ["MatchOptions", "MatchService"]

_GROUP_RECORDS = 50
"""Records asked in one `_msearch`; the engine carries its searches out side by side."""
_GROUPS_IN_FLIGHT = 4
"""Of a process: two are searched, one is reranked and one is ready to be searched, so that neither side waits.

One alone while people wait for single records, who would else find engine and cores taken.
"""
_SEARCHES_IN_FLIGHT = 2
"""Of a process's groups; more would only take the engine from those who ask now and then."""

T = TypeVar("T")
Answer = dict[str, Any]
Shape = Callable[[MatchCall, Ranked], Answer]


class MatchService:
    """Retrieves, reranks and shapes; raises SnapshotNotFound, SnapshotNotActive, InvalidSchema, SearchUnavailable."""

    def __init__(self, index: CandidateIndex, targets: MatchTargets, foreground: Foreground) -> None:
        self.index = index
        self._targets = targets
        self._foreground = foreground
        self._groups = asyncio.Semaphore(_GROUPS_IN_FLIGHT)
        self._searches = asyncio.Semaphore(_SEARCHES_IN_FLIGHT)
        self._alone = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "match")

    async def resolve(self, organisation_id: str, snapshot_id: str | None, dataset_id: str | None) -> MatchTarget:
        return await self._targets.resolve(organisation_id, snapshot_id, dataset_id)

    async def match_record(
        self,
        organisation_id: str,
        snapshot_id: str | None,
        dataset_id: str | None,
        record: Mapping[str, Any],
        options: MatchOptions,
    ) -> Answer:
        """The contract's answer but for `request_id` and `took_ms`."""
        async with self._foreground.waiting():
            call = MatchCall.of(await self._targets.resolve(organisation_id, snapshot_id, dataset_id), options)
            with stage("prepare"):
                asked = read_record(record, call)
            [answer] = _answers(call, await self.rank(call, [asked]))
            return answer

    async def match_all(
        self,
        target: MatchTarget,
        records: Sequence[Mapping[str, Any]],
        options: MatchOptions,
        shape: Shape = answer_of,
    ) -> list[Answer | FoundryOpsError]:
        """What `match_record` would answer, or the InvalidSchema that it would raise, in the records' order.

        Equal records are asked once and share one answer; `shape` may add to it.
        Raises SearchUnavailable or SnapshotNotActive for all of them.
        """
        call = MatchCall.of(target, options)
        keys = [repr(record) for record in records]
        distinct = list(dict(zip(keys, records, strict=True)).items())
        parts = await self.in_groups(
            len(distinct), lambda group: self._match_group(call, [record for _, record in distinct[group]], shape)
        )
        answers = dict(zip((key for key, _ in distinct), (a for part in parts for a in part), strict=True))
        return [answers[key] for key in keys]

    async def in_groups(self, records: int, do: Callable[[slice], Awaitable[T]]) -> list[T]:
        """What `do` makes of each group of so many records, a few of them at once; raises what the first to fail raises."""

        async def bounded(group: slice) -> T:
            async with self._groups, self._alone if await self._foreground.is_busy() else nullcontext():
                return await do(group)

        groups = [slice(at, min(at + _GROUP_RECORDS, records)) for at in range(0, records, _GROUP_RECORDS)]
        try:
            async with asyncio.TaskGroup() as tasks:
                parts = [tasks.create_task(bounded(group)) for group in groups]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        return [part.result() for part in parts]

    async def worked(self, records: int, work: Callable[..., T], *args: Any) -> T:
        """What `work` makes of so many records: of a group on a thread of its own, so that the loop attends to searches, leases
        and transactions meanwhile; of one record here and now.
        """
        if records == 1:
            return work(*args)
        return await asyncio.get_running_loop().run_in_executor(self._thread, copy_context().run, work, *args)

    async def _match_group(
        self, call: MatchCall, records: Sequence[Mapping[str, Any]], shape: Shape
    ) -> list[Answer | FoundryOpsError]:
        read = await self.worked(len(records), _read, call, records)
        asked = [one for one in read if isinstance(one, Asked)]
        answers = iter(await self.worked(len(asked), _answers, call, await self.rank(call, asked), shape))
        return [next(answers) if isinstance(one, Asked) else one for one in read]

    async def rank(self, call: MatchCall, asked: Sequence[Asked]) -> list[Ranked]:
        """Every record with its candidates: the first retrieval's where that settles it, else those of the full plan."""
        ranked, tried = await self._settled(call, asked)
        left = [at for at in range(len(asked)) if at not in ranked]
        found = await self._retrieve(call, [asked[at].query for at in left])
        pools = [Pool(asked[at], candidates, tried.get(at)) for at, candidates in zip(left, found, strict=True)]
        ranked.update(zip(left, await self.worked(len(asked), _rerank, call, pools, ranked_in_turn), strict=True))
        return [ranked[at] for at in range(len(asked))]

    async def _settled(self, call: MatchCall, asked: Sequence[Asked]) -> tuple[dict[int, Ranked], dict[int, Reranked]]:
        """By position, the records whose answer the first retrieval settles; and what it compared for others."""
        policy = call.profile.first
        if policy is None or call.threshold <= 1.0 - policy.least_score:
            return {}, {}
        plans = {
            at: first_plan(one.query.plan, one.query.filled_slots, policy)
            for at, one in enumerate(asked)
            if not one.query.standing
        }
        tried = {at: plan for at, plan in plans.items() if plan is not None}
        found = await self._search(call, list(tried.values()), policy.candidates)
        settled: dict[int, Ranked] = {}
        unsettled: dict[int, Reranked] = {}
        pools = {at: Pool(asked[at], candidates) for at, candidates in zip(tried, found, strict=True)}
        worth = {at: pool for at, pool in pools.items() if may_settle(pool.retrieval_scores, policy)}
        ranked = await self.worked(len(asked), _rerank, call, list(worth.values()), ranked_all)
        for at, one in zip(worth, ranked, strict=True):
            if settles(call, policy, one):
                settled[at] = one
            else:
                unsettled[at] = one.reranked
        return settled, unsettled

    async def _retrieve(self, call: MatchCall, queries: Sequence[Query]) -> list[list[Retrieved]]:
        """The candidates of each query, as standing decisions leave them."""
        most = call.profile.candidates
        plain = [at for at, query in enumerate(queries) if not query.standing]
        found: list[list[Retrieved]] = [[] for _ in queries]
        for at, candidates in zip(
            plain, await self._search(call, [queries[at].plan for at in plain], most), strict=True
        ):
            found[at] = candidates
        for at, query in enumerate(queries):
            if query.standing:
                [candidates] = await self._search(call, [query.plan], most + len(query.standing))
                found[at] = candidates_left(query, candidates, most)
        return found

    async def _search(self, call: MatchCall, plans: Sequence[RetrievalPlan], most: int) -> list[list[Retrieved]]:
        if not plans:
            return []
        index, channels = call.target.index, call.options.return_explanations
        with stage("retrieve"):
            if len(plans) == 1:
                return [await self.index.retrieve(index, plans[0], most, with_channels=channels)]
            async with self._searches:
                return await self.index.retrieve_many(index, plans, most, with_channels=channels)

    async def check_pair(
        self,
        organisation_id: str,
        dataset_id: str,
        record: Mapping[str, Any],
        record_id: str,
        field_map: Mapping[str, str],
    ) -> None:
        """Raises what a match of the record would raise, and NotFound when the active snapshot has no such master record."""
        target = await self._targets.resolve(organisation_id, None, dataset_id)
        read_record(record, MatchCall.of(target, MatchOptions(field_map=field_map)))
        _ordinal(target, record_id)

    async def explain(
        self,
        organisation_id: str,
        snapshot_id: str | None,
        dataset_id: str | None,
        record: Mapping[str, Any],
        record_id: str,
        options: MatchOptions,
    ) -> Answer:
        """Why a record and one master record match or not, whether retrieval found it or not.

        Raises NotFound when the snapshot has no record of that id.
        """
        target = await self._targets.resolve(organisation_id, snapshot_id, dataset_id)
        call = MatchCall.of(target, replace(options, return_explanations=True))
        ordinal = _ordinal(target, record_id)
        asked = read_record(record, call)
        others = {at: decision for at, decision in asked.query.standing.items() if at != ordinal}
        [candidates] = await self._retrieve(call, [replace(asked.query, standing=others)])
        at = next((c for c, found in enumerate(candidates) if found.ordinal == ordinal), None)
        [ranked] = ranked_in_turn(call, [Pool(asked, candidates)])
        position = len(ranked.candidates) if at is None else min(at, len(ranked.candidates))
        if position == len(ranked.candidates):
            pool = [*ranked.candidates, Retrieved(ordinal, 0.0) if at is None else candidates[at]]
            [ranked] = ranked_all(call, [Pool(asked, pool, ranked.reranked)])
        match = match_of(call, ranked, position)
        unretrieved: Answer = {"channels": [], "rank": None, "score": None}
        match["explanation"]["retrieval"] |= unretrieved if at is None else {"rank": at + 1}
        return {
            "snapshot_id": target.snapshot_id,
            "profile": call.profile.label,
            "threshold": call.threshold,
            "retrieved": at is not None,
            "rank": ranked.reranked.order.index(position) + 1,
            **match,
            "flip": flip_of(call, ranked, position),
            "warnings": asked.warnings,
        }


def _read(call: MatchCall, records: Sequence[Mapping[str, Any]]) -> list[Asked | InvalidSchema]:
    with stage("prepare"):
        return read_records(records, call)


def _rerank(
    call: MatchCall, pools: Sequence[Pool], how: Callable[[MatchCall, Sequence[Pool]], list[Ranked]]
) -> list[Ranked]:
    with stage("rerank"):
        return how(call, pools)


def _answers(call: MatchCall, ranked: Sequence[Ranked], shape: Shape = answer_of) -> list[Answer]:
    with stage("answer"):
        answers = [shape(call, one) for one in ranked]
    for answer in answers:
        MATCHES.labels(answer["decision"]).inc()
        MATCH_CANDIDATES.observe(answer["candidates_considered"])
    return answers


def _ordinal(target: MatchTarget, record_id: str) -> int:
    found = target.bundle.ordinal_of(record_id)
    if found is None:
        raise NotFound(f"Snapshot {target.snapshot_id} has no record {record_id!r}.", record_id=record_id)
    return found
