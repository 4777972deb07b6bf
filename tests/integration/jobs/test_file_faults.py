"""Whatever happens while a file is matched, the job ends, no row is lost or doubled, and the bytes are the undisturbed run's."""

from __future__ import annotations

import asyncio
import gzip
import signal
import sqlite3
from contextlib import closing

import orjson

from app.bootstrap import Services, build
from tests.deployment import companies
from tests.integration.jobs.file_runs import ROWS, Files, start_worker, until_waiting, working


async def test_every_row_is_in_the_result_or_the_rejects_exactly_once(files: Files) -> None:
    results, rejects = files.expected
    rejected = [orjson.loads(line)["row"] for line in gzip.decompress(rejects).splitlines()]
    assert rejected == [i + 1 for i in range(ROWS) if i % 100 == 7 or i % 50 == 3]
    text = results.decode().splitlines()
    assert len(text) - 1 >= ROWS - len(rejected)


async def test_any_number_of_lanes_gives_the_same_bytes(files: Files) -> None:
    job_id = await files.submit()
    async with working(*[files.services] * 4):
        await files.end(job_id)
    assert await files.artefacts(job_id) == files.expected


async def test_a_killed_worker_leaves_no_trace(files: Files) -> None:
    job_id = await files.submit()
    worker = await start_worker(files.services)
    await files.deployment.until(job_id, 1)
    worker.send_signal(signal.SIGKILL)
    await worker.wait()
    await files.deployment.forget_leases(job_id)
    await files.services.lane.drain()
    assert await files.artefacts(job_id) == files.expected


async def test_a_worker_that_was_taken_for_dead_and_was_not_changes_nothing(files: Files) -> None:
    job_id = await files.submit()
    worker = await start_worker(files.services)
    await files.deployment.until(job_id, 1)
    await _freeze(worker, files)
    try:
        await files.deployment.forget_leases(job_id)
        async with working(files.services):
            await files.deployment.until(job_id, ROWS // 2)
            worker.send_signal(signal.SIGCONT)
            await files.end(job_id)
    finally:
        worker.send_signal(signal.SIGCONT)
        worker.terminate()
        await worker.wait()
    assert await files.artefacts(job_id) == files.expected


async def _freeze(worker: asyncio.subprocess.Process, files: Files) -> None:
    """Stops the worker outside its writes: SQLite has one writer, and one that is frozen in the middle holds up all others."""
    path = str(files.services.db.engine.url.database)
    while True:
        worker.send_signal(signal.SIGSTOP)
        with closing(sqlite3.connect(path, timeout=0.1)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                worker.send_signal(signal.SIGCONT)
                await asyncio.sleep(0.01)
            else:
                return


async def test_artefacts_outlive_the_processes_that_made_and_served_them(files: Files) -> None:
    job_id = await files.submit()
    await files.services.lane.drain()
    restarted = await build(files.services.settings)
    result = await restarted.files.result(files.deployment.organisation_id, job_id)
    rejects = await restarted.files.rejects(files.deployment.organisation_id, job_id)
    await restarted.close()
    assert result is not None
    assert (result.path.read_bytes(), rejects.path.read_bytes()) == files.expected


async def test_a_stopped_worker_gives_its_step_back_at_once(files: Files) -> None:
    job_id = await files.submit()
    async with working(files.services):
        await files.deployment.until(job_id, 1)
    await files.services.lane.drain()
    assert await files.artefacts(job_id) == files.expected


async def test_a_job_outlives_the_processes_that_accepted_it_and_the_queue(files: Files) -> None:
    nowhere = files.services.settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    other = await build(nowhere)
    job_id = await files.submit(other)
    await other.close()
    async with working(files.services):
        await files.end(job_id)
    assert await files.artefacts(job_id) == files.expected


async def test_a_job_that_is_woken_twice_is_done_once(files: Files) -> None:
    job_id = await files.submit()
    for attempt in (1, 2):
        await files.services.queue.wake(job_id, "match_files", attempt)
    await files.services.runner.run(job_id)
    assert (await files.job(job_id))["status"] == "queued"
    await asyncio.gather(files.services.lane.drain(), files.services.lane.drain())
    await files.services.lane.drain()
    assert await files.artefacts(job_id) == files.expected


async def test_a_job_waits_for_an_engine_that_is_away(files: Files) -> None:
    job_id = await files.submit()
    async with files.deployment.behind_a_cable() as (cable, behind), working(behind):
        await files.deployment.until(job_id, 1)
        await cable.cut()
        halted = (await files.job(job_id))["progress"]["processed"]
        await until_waiting(files, job_id)
        assert (await files.job(job_id))["progress"]["processed"] <= halted + 20
        await cable.mend()
        await files.end(job_id)
    assert await files.artefacts(job_id) == files.expected


async def test_another_snapshot_may_be_activated_meanwhile(files: Files) -> None:
    """The index that the job needs stays although none is kept for rollback, and goes with the next activation."""
    deployment = files.deployment
    services = await build(files.services.settings.model_copy(update={"kept_indices": 1}))
    job_id = await files.submit()
    assert await services.lane.work_once()
    await _activate_more(services, files, 1)
    assert len(deployment.indices(files.dataset_id)) == 2
    await services.lane.drain()
    assert await files.artefacts(job_id) == files.expected
    await _activate_more(services, files, 2)
    assert len(deployment.indices(files.dataset_id)) == 1
    await services.close()


async def _activate_more(services: Services, files: Files, number: int) -> None:
    organisation_id = files.deployment.organisation_id
    more = companies(2, "Other", 1000 * number)
    appended = await services.datasets.append(organisation_id, files.dataset_id, more)
    await services.runner.run(await files.deployment.activation_job(files.dataset_id, appended["snapshot_id"]))
