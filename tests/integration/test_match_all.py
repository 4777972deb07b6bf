"""One path: records asked together get the answers that they get alone."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from app.bootstrap import Services
from app.errors import FoundryOpsError, InvalidSchema, SearchUnavailable
from app.ids import Prefix, new_id
from app.limits.foreground import Foreground
from app.matching.plan import RetrievalPlan
from app.ports import Retrieved
from app.profiles import find_profile
from app.sample import ACCOUNT_SCHEMA, LEAD_FIELDS, leads, organisations
from app.services.match import MatchOptions, MatchService
from app.services.match_answers import answer_of
from app.services.match_ranking import Ranked
from app.services.match_records import MatchCall
from app.services.match_targets import MatchTarget

Loaded = tuple[str, MatchTarget]
LEADS = [{name: lead[name] for name in LEAD_FIELDS if lead[name]} for lead in leads()]
OPTIONS = MatchOptions(profile="leads_to_accounts", threshold=0.2, top_n=3, return_explanations=True)


@pytest.fixture(scope="module")
async def loaded(services: Services) -> Loaded:
    owner = await services.keys.create_organisation("One path")
    dataset_id = (await services.datasets.create(owner, "Sample", ACCOUNT_SCHEMA, "account_id", {}))["dataset_id"]
    snapshot_id = (await services.datasets.append(owner, dataset_id, organisations()))["snapshot_id"]
    job = await services.jobs.create(owner, "activate", {"dataset_id": dataset_id, "snapshot_id": snapshot_id})
    await services.runner.run(job["job_id"])
    return owner, await services.match.resolve(owner, snapshot_id, None)


async def test_two_thousand_records_get_the_same_answer_alone_and_together(services: Services, loaded: Loaded) -> None:
    owner, target = loaded
    together = await services.match.match_all(target, LEADS, OPTIONS)
    for record, answer in zip(LEADS, together, strict=True):
        assert answer == await services.match.match_record(owner, target.snapshot_id, None, record, OPTIONS)


async def test_the_first_retrieval_settles_many_records_and_changes_no_decision(
    services: Services, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, options = LEADS[:600], replace(OPTIONS, threshold=None, return_explanations=False)
    index = Counting(services)
    first = await matching_over(services, index).match_all(loaded[1], records, options)
    full = replace(find_profile(options.profile), first=None)
    monkeypatch.setattr("app.services.match_records.find_profile", lambda name: full)
    wide = await services.match.match_all(loaded[1], records, options)
    assert len(index.asked) < 1.6 * len(records)
    assert [decision_and_best(answer) for answer in first] == [decision_and_best(answer) for answer in wide]


def decision_and_best(answer: dict[str, Any] | FoundryOpsError) -> tuple[str, str | None]:
    assert isinstance(answer, dict)
    return answer["decision"], answer["matches"][0]["record_id"] if answer["matches"] else None


async def test_a_record_that_cannot_be_matched_gets_its_error_in_its_place(services: Services, loaded: Loaded) -> None:
    first, second, third = await services.match.match_all(loaded[1], [LEADS[0], {}, LEADS[1]], OPTIONS)
    assert isinstance(second, InvalidSchema)
    assert isinstance(first, dict)
    assert isinstance(third, dict)


class Counting:
    """Passes on to the real index and counts what is asked of it; fails when told to."""

    def __init__(self, services: Services, failure: FoundryOpsError | None = None) -> None:
        self._index = services.match.index
        self._failure = failure
        self.asked: list[RetrievalPlan] = []
        self.running = self.most_running = 0

    async def retrieve(
        self, index: str, plan: RetrievalPlan, size: int, *, with_channels: bool = False
    ) -> list[Retrieved]:
        [found] = await self.retrieve_many(index, [plan], size, with_channels=with_channels)
        return found

    async def retrieve_many(
        self, index: str, plans: Sequence[RetrievalPlan], size: int, *, with_channels: bool = False
    ) -> list[list[Retrieved]]:
        self.asked += plans
        if self._failure is not None:
            raise self._failure
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            return await self._index.retrieve_many(index, plans, size, with_channels=with_channels)
        finally:
            self.running -= 1


def matching_over(services: Services, index: Counting) -> MatchService:
    """With callers of its own, whose requests are not counted with those of other tests."""
    foreground = Foreground(services.limits._valkey, new_id(Prefix.REQUEST))
    return MatchService(index, services.match._targets, foreground)


async def test_equal_records_are_asked_once(services: Services, loaded: Loaded) -> None:
    index = Counting(services)
    same: list[dict[str, Any]] = [dict(LEADS[0]) for _ in range(100)]
    answers = await matching_over(services, index).match_all(loaded[1], same, OPTIONS)
    assert len({plan.clauses for plan in index.asked}) == 1
    assert len(index.asked) <= 2
    assert all(answer == answers[0] for answer in answers)


async def test_at_most_two_searches_are_in_flight(services: Services, loaded: Loaded) -> None:
    index = Counting(services)
    await matching_over(services, index).match_all(loaded[1], LEADS[:400], OPTIONS)
    assert index.most_running == 2


async def test_while_people_wait_for_single_records_one_group_is_in_hand(services: Services, loaded: Loaded) -> None:
    index = Counting(services)
    matching = matching_over(services, index)
    foreground = matching._foreground
    deadline = time.monotonic() + 20
    while not await foreground.is_busy():
        assert time.monotonic() < deadline
        async with foreground.waiting():
            await asyncio.sleep(0.02)
    index.most_running = 0
    await matching.match_all(loaded[1], LEADS[:100], OPTIONS)
    assert index.most_running == 1


async def test_a_group_is_worked_on_beside_the_event_loop_and_one_record_on_it(
    services: Services, loaded: Loaded
) -> None:
    threads: list[str] = []

    def shape(call: MatchCall, ranked: Ranked) -> dict[str, Any]:
        threads.append(threading.current_thread().name)
        return answer_of(call, ranked)

    for records in (LEADS[:20], LEADS[:1]):
        await services.match.match_all(loaded[1], records, OPTIONS, shape)
    group, alone = threads[:-1], threads[-1]
    assert threading.current_thread().name not in group
    assert alone == threading.current_thread().name


async def test_an_engine_that_is_away_fails_the_whole_call(services: Services, loaded: Loaded) -> None:
    index = Counting(services, SearchUnavailable("away", retry_after_s=1))
    with pytest.raises(SearchUnavailable):
        await matching_over(services, index).match_all(loaded[1], LEADS[:120], OPTIONS)
