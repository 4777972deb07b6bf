"""Steps are leased to one worker at a time, counted once, and never lost; on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from pathlib import Path

from app.db.steps import Step, StepKind, Tally
from app.files.store import LocalFileStore
from app.services.file_jobs.cleaning import Cleaner
from app.services.file_jobs.lane import FileLane
from tests.integration.jobs.conftest import Engine


async def test_a_job_is_planned_matched_in_order_and_assembled(engine: Engine) -> None:
    job_id = await engine.planned(3, 3, 2)
    steps = []
    while step := await engine.steps.claim():
        steps.append((step.number, step.kind))
        if step.kind == StepKind.ASSEMBLE:
            break
        await engine.steps.finish(step, Tally(rows=3))
    assert steps == [(1, "chunk"), (2, "chunk"), (3, "chunk"), (4, "assemble")]
    assert (await engine.jobs.get(engine.organisation_id, job_id))["progress"]["total"] == 8


async def test_a_file_without_rows_is_assembled_at_once(engine: Engine) -> None:
    await engine.planned()
    assert (await engine.taken()).kind == StepKind.ASSEMBLE


async def test_many_workers_at_once_get_different_steps_and_miss_none(engine: Engine) -> None:
    job_id = await engine.planned(*[1] * 40)
    taken: list[int] = []

    async def work() -> None:
        while step := await engine.steps.claim():
            if step.kind == StepKind.ASSEMBLE:
                return
            taken.append(step.number)
            await engine.steps.finish(step, Tally(rows=1))

    await asyncio.gather(*(work() for _ in range(8)))
    assert sorted(taken) == list(range(1, 41))
    assert (await engine.jobs.get(engine.organisation_id, job_id))["progress"]["processed"] == 40


async def test_a_step_is_free_again_when_its_worker_is_silent(engine: Engine) -> None:
    await engine.planned(5)
    first = await engine.taken()
    assert await engine.steps.claim() is None
    await engine.lose(first)
    second = await engine.taken()
    assert (second.number, second.attempts) == (first.number, 2)


async def test_a_worker_that_was_taken_for_dead_counts_no_row_twice(engine: Engine) -> None:
    job_id = await engine.planned(5)
    zombie = await engine.taken()
    await engine.lose(zombie)
    heir = await engine.taken()
    assert not await engine.steps.renew(zombie)
    assert await engine.steps.finish(heir, Tally(rows=5))
    assert not await engine.steps.finish(zombie, Tally(rows=5))
    assert (await engine.jobs.get(engine.organisation_id, job_id))["progress"]["processed"] == 5


async def test_planning_again_adds_only_the_chunks_that_are_missing(engine: Engine) -> None:
    job_id = await engine.job()
    plan = await engine.taken()
    await engine.jobs.start(job_id)
    await engine.steps.add_chunks(plan, [10, 10], 1)
    await engine.lose(plan)
    chunk = await engine.taken()
    again = chunk if chunk.kind == StepKind.PLAN else await engine.taken()
    assert again.number == 0
    await engine.steps.add_chunks(again, [10, 10], 1)
    await engine.steps.add_chunks(again, [4], 3)
    assert (await engine.jobs.get(engine.organisation_id, job_id))["progress"]["total"] == 24


async def test_a_planner_that_lost_its_step_adds_nothing(engine: Engine) -> None:
    job_id = await engine.job()
    zombie = await engine.taken()
    await engine.jobs.start(job_id)
    await engine.lose(zombie)
    plan = await engine.taken()
    await engine.steps.add_chunks(plan, [10], 1)
    await engine.steps.add_chunks(zombie, [10, 10], 2)
    assert (await engine.jobs.get(engine.organisation_id, job_id))["progress"]["total"] == 10


async def test_a_worker_that_lost_its_step_cannot_fail_the_job(engine: Engine, tmp_path: Path) -> None:
    job_id = await engine.planned(5)

    async def stumble_late(step: Step) -> None:
        await engine.lose(step)
        assert (await engine.taken()).number == step.number
        raise RuntimeError("the worker was away for too long")

    cleaner = Cleaner(engine.steps, LocalFileStore(tmp_path))
    doers = {"match_files": {StepKind.CHUNK: stumble_late}}
    lane = FileLane(engine.steps, engine.jobs, cleaner, doers, 60.0)
    assert await lane.work_once()
    assert (await engine.jobs.get(engine.organisation_id, job_id))["status"] == "running"


async def test_a_step_that_is_given_back_is_free_at_once_and_no_lost_attempt(engine: Engine) -> None:
    await engine.planned(5)
    await engine.steps.release(await engine.taken())
    again = await engine.taken()
    assert (again.number, again.attempts) == (1, 1)


async def test_a_step_that_waits_for_a_part_remembers_since_when(engine: Engine) -> None:
    await engine.planned(5)
    await engine.steps.release(await engine.taken(), unavailable=True)
    first = await engine.taken()
    await engine.steps.release(first, unavailable=True)
    assert first.unavailable_since is not None
    assert (await engine.taken()).unavailable_since == first.unavailable_since


async def test_jobs_take_turns(engine: Engine) -> None:
    first, second = await engine.job(), await engine.job()
    for plan in [await engine.taken(), await engine.taken()]:
        await engine.jobs.start(plan.job_id)
        await engine.steps.add_chunks(plan, [1, 1, 1], 1)
    turns = [(await engine.taken()).job_id for _ in range(6)]
    assert turns in ([first, second] * 3, [second, first] * 3)


async def test_a_cancelled_job_has_no_free_steps_and_its_worker_is_told(engine: Engine) -> None:
    job_id = await engine.planned(5, 5)
    step = await engine.taken()
    await engine.jobs.cancel(engine.organisation_id, job_id)
    assert await engine.steps.claim() is None
    assert not await engine.steps.renew(step)
    assert job_id in await engine.steps.of_ended_jobs()
    await engine.steps.forget(job_id)
    assert job_id not in await engine.steps.of_ended_jobs()


async def test_tallies_of_chunks_add_up(engine: Engine) -> None:
    job_id = await engine.planned(5, 5)
    for _ in range(2):
        await engine.steps.finish(await engine.taken(), Tally(5, 6, 3, 1))
    assert await engine.steps.tally(job_id) == (2, Tally(10, 12, 6, 2))
