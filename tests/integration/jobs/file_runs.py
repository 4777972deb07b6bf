"""A deployment with a master and a file on it, and workers in this process and beside it: what tests of faults start from."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from app.bootstrap import Services
from app.db.step_models import StepRow
from app.services.file_jobs.service import FileRequest
from app.services.match import MatchOptions
from tests.deployment import Deployment

ROWS = 200


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

    async def end(self, job_id: str) -> dict[str, Any]:
        return await self.deployment.until(job_id, sys.maxsize)


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


async def until_waiting(files: Files, job_id: str) -> None:
    """Until a step has been given back because something does not answer."""
    while True:
        async with files.services.db.begin() as session:
            waiting = StepRow.job_id == job_id, StepRow.unavailable_since.is_not(None), StepRow.state == "waiting"
            if await session.scalar(select(StepRow.number).where(*waiting).limit(1)) is not None:
                return
        await asyncio.sleep(0.02)
