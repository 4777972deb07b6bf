"""A deployment of its own for tests that break things, and a cable to its engine that can be cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import update

from app.bootstrap import Services, build
from app.config import Settings
from app.db.models import JobRow, now
from app.search.admin import IndexAdmin
from app.search.client import Endpoint

SCHEMA = dict.fromkeys(("id", "name", "city"), "string")


def companies(count: int, word: str, first: int = 0) -> list[dict[str, Any]]:
    return [{"id": str(first + i), "name": f"{word} Company {i}", "city": f"City {i % 40}"} for i in range(count)]


@dataclass
class Cable:
    """Passes bytes on to the engine until it is cut."""

    host: str
    port: int
    listening: asyncio.Server | None = None
    at: int = 0
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def mend(self) -> None:
        self.listening = await asyncio.start_server(self._serve, "127.0.0.1", self.at)
        self.at = self.listening.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        if self.listening is not None:
            self.listening.close()
        for writer in list(self.open):
            writer.transport.abort()
        self.open.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self.host, self.port)
        self.open |= {writer, far_writer}
        await asyncio.gather(self._pass_on(reader, far_writer), self._pass_on(far_reader, writer))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, RuntimeError):
            while block := await reader.read(65_536):
                writer.write(block)
                await writer.drain()
        writer.close()


@dataclass
class Deployment:
    services: Services
    organisation_id: str

    async def activated(self, records: list[dict[str, Any]]) -> tuple[str, str]:
        created = await self.services.datasets.create(self.organisation_id, "Companies", SCHEMA, "id", {})
        dataset_id: str = created["dataset_id"]
        snapshot_id: str = (await self.services.datasets.append(self.organisation_id, dataset_id, records))[
            "snapshot_id"
        ]
        job = await self.activation_job(dataset_id, snapshot_id)
        await self.services.runner.run(job)
        done = await self.services.jobs.get(self.organisation_id, job)
        assert done["status"] == "completed", done
        return dataset_id, snapshot_id

    async def activation_job(self, dataset_id: str, snapshot_id: str) -> str:
        payload = {"dataset_id": dataset_id, "snapshot_id": snapshot_id}
        job_id: str = (await self.services.jobs.create(self.organisation_id, "activate", payload))["job_id"]
        return job_id

    async def forget_heartbeat(self, job_id: str) -> None:
        """As if the worker that held the job had been silent for long."""
        async with self.services.db.begin() as session:
            long_ago = now() - timedelta(minutes=5)
            await session.execute(update(JobRow).where(JobRow.id == job_id).values(heartbeat_at=long_ago))

    def indices(self, dataset_id: str) -> set[str]:
        admin = IndexAdmin(Endpoint.from_settings(self.services.settings).client(30))
        try:
            return set(admin.existing(f"{self.services.settings.index_prefix}-*{dataset_id.lower()}-*"))
        finally:
            admin.close()

    def bundles(self, dataset_id: str) -> set[str]:
        folder = self.services.settings.store_dir / "indices"
        return {path.name for path in folder.glob(f"*{dataset_id.lower()}*")}

    @asynccontextmanager
    async def behind_a_cable(self) -> AsyncIterator[tuple[Cable, Services]]:
        """The same deployment, its engine at the far end of a cable."""
        url = urlsplit(self.services.settings.opensearch_url)
        cable = Cable(str(url.hostname), int(url.port or 9200))
        await cable.mend()
        near = self.services.settings.model_copy(update={"opensearch_url": f"http://127.0.0.1:{cable.at}"})
        behind = await build(near)
        try:
            yield cable, behind
        finally:
            await behind.close()
            await cable.cut()


@pytest.fixture(scope="module")
async def deployment(
    make_settings: Callable[[Path], Settings], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Deployment]:
    services = await build(make_settings(tmp_path_factory.mktemp("faults")))
    yield Deployment(services, await services.keys.create_organisation("Faults"))
    await services.close()
