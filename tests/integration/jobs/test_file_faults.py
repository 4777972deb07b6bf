"""Whatever happens while a file is matched, the job ends, no row is lost or doubled, and the bytes are the undisturbed run's."""

from __future__ import annotations

import asyncio
import errno
import gzip
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import select, update

from app.bootstrap import Services, build
from app.db.models import now
from app.db.step_models import StepRow
from app.services.file_jobs.service import FileRequest
from app.services.match import MatchOptions
from tests.deployment import Deployment, companies

ROWS = 200
_ENDED = ("completed", "failed", "cancelled")


def leads() -> bytes:
    """Every hundredth has a cell too many, every fiftieth says nothing."""
    lines = ["company,city"]
    for i in range(ROWS):
        extra = ",surplus" if i % 100 == 7 else ""
        lines.append(f"Some Company {i % 90} {'x' * (i % 7)},City {i % 40}{extra}" if i % 50 != 3 else ",")
    return "\n".join(lines).encode()


@dataclass
class Files:
    """A deployment with a master, a file and what the file's result is when nothing happens."""

    deployment: Deployment
    dataset_id: str
    snapshot_id: str
    source_key: str
    expected: tuple[bytes, bytes] = (b"", b"")

    @property
    def services(self) -> Services:
        return self.deployment.services

    async def submit(self, services: Services | None = None) -> str:
        asked = FileRequest(self.snapshot_id, None, self.source_key, MatchOptions(), "csv", None)
        job = await (services or self.services).files.submit(self.deployment.organisation_id, asked)
        return str(job["job_id"])

    async def job(self, job_id: str) -> dict[str, Any]:
        return await self.services.jobs.get(self.deployment.organisation_id, job_id)

    async def artefacts(self, job_id: str) -> tuple[bytes, bytes]:
        """Result and rejects of a job, which must have completed."""
        job = await self.job(job_id)
        assert job["status"] == "completed", job
        result = await self.services.files.result(self.deployment.organisation_id, job_id)
        rejects = await self.services.files.rejects(self.deployment.organisation_id, job_id)
        assert result is not None
        return result.path.read_bytes(), rejects.path.read_bytes()

    async def until(self, job_id: str, processed: int) -> dict[str, Any]:
        """Waits until so many rows are done, or the job has ended."""
        while True:
            job = await self.job(job_id)
            if job["status"] in _ENDED or job["progress"]["processed"] >= processed:
                return job
            await asyncio.sleep(0.02)

    async def end(self, job_id: str) -> dict[str, Any]:
        return await self.until(job_id, sys.maxsize)

    async def forget_leases(self, job_id: str) -> None:
        """As if the workers that hold the job's steps had been silent for long."""
        async with self.services.db.begin() as session:
            long_ago = now() - timedelta(minutes=5)
            leased = StepRow.job_id == job_id, StepRow.leased_until.is_not(None)
            await session.execute(update(StepRow).where(*leased).values(leased_until=long_ago))


@pytest.fixture(scope="module")
async def files(deployment: Deployment) -> Files:
    dataset_id, snapshot_id = await deployment.activated(companies(300, "Some"))
    source_key = await deployment.uploaded(leads())
    made = Files(deployment, dataset_id, snapshot_id, source_key)
    job_id = await made.submit()
    await deployment.services.lane.drain()
    made.expected = await made.artefacts(job_id)
    return made


@asynccontextmanager
async def working(*services: Services) -> AsyncIterator[None]:
    """Lanes that run as in workers, one for each."""
    lanes = [asyncio.create_task(one.lane.run()) for one in services]
    try:
        yield
    finally:
        for lane in lanes:
            lane.cancel()
        await asyncio.wait(lanes)


def worker_environment(services: Services) -> dict[str, str]:
    names = ("database_url", "redis_url", "opensearch_url", "index_prefix", "store_dir", "cache_dir", "file_chunk_rows")
    ours = {f"FOUNDRYOPS_{name.upper()}": str(getattr(services.settings, name)) for name in names}
    return {**os.environ, **ours, "PYTHONPATH": str(Path.cwd())}


async def start_worker(services: Services) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "workers", env=worker_environment(services), stderr=asyncio.subprocess.DEVNULL
    )


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
    await files.until(job_id, 1)
    worker.send_signal(signal.SIGKILL)
    await worker.wait()
    await files.forget_leases(job_id)
    await files.services.lane.drain()
    assert await files.artefacts(job_id) == files.expected


async def test_a_worker_that_was_taken_for_dead_and_was_not_changes_nothing(files: Files) -> None:
    job_id = await files.submit()
    worker = await start_worker(files.services)
    await files.until(job_id, 1)
    worker.send_signal(signal.SIGSTOP)
    await files.forget_leases(job_id)
    async with working(files.services):
        await files.until(job_id, ROWS // 2)
        worker.send_signal(signal.SIGCONT)
        await files.end(job_id)
    worker.terminate()
    await worker.wait()
    assert await files.artefacts(job_id) == files.expected


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
        await files.until(job_id, 1)
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
        await files.until(job_id, 1)
        await cable.cut()
        halted = (await files.job(job_id))["progress"]["processed"]
        await until_waiting(files, job_id)
        assert (await files.job(job_id))["progress"]["processed"] <= halted + 20
        await cable.mend()
        await files.end(job_id)
    assert await files.artefacts(job_id) == files.expected


async def until_waiting(files: Files, job_id: str) -> None:
    """Until a step has been given back because something does not answer."""
    while True:
        async with files.services.db.begin() as session:
            waiting = StepRow.job_id == job_id, StepRow.unavailable_since.is_not(None), StepRow.state == "waiting"
            if await session.scalar(select(StepRow.number).where(*waiting).limit(1)) is not None:
                return
        await asyncio.sleep(0.02)


async def test_a_job_waits_for_space_on_the_disk(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = await files.submit()
    async with working(files.services):
        await files.until(job_id, 1)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", _no_space)
            await until_waiting(files, job_id)
        await files.end(job_id)
    assert await files.artefacts(job_id) == files.expected


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A real file system of 1 MB at a folder, filled to the last byte; yields what fills it. Needs root and Linux."""
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder.mkdir(parents=True, exist_ok=True)
    asked = [mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(asked, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let us mount a small file system")
    try:
        ballast = folder / "ballast"
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(b"\0" * 4096):
                pass
        yield ballast
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_a_job_waits_for_space_on_a_disk_that_is_really_full(files: Files) -> None:
    with small_disk(files.services.settings.store_dir / "jobs") as ballast:
        job_id = await files.submit()
        async with working(files.services):
            await until_waiting(files, job_id)
            ballast.unlink()
            await files.end(job_id)
        assert await files.artefacts(job_id) == files.expected


def _no_space(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_a_job_whose_patience_ends_fails_with_the_reason(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    impatient = await build(files.services.settings.model_copy(update={"file_patience_s": 0.0}))
    job_id = await files.submit()
    monkeypatch.setattr(os, "fsync", _no_space)
    async with working(impatient):
        job = await files.end(job_id)
    await impatient.close()
    assert (job["status"], job["error"]["code"]) == ("failed", "STORAGE_FULL")


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
