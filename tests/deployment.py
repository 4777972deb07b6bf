"""A deployment of its own for tests that break things, and a cable to its engine that can be cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
from sqlalchemy import update

from app.bootstrap import Services, build
from app.db.models import JobRow, now
from app.db.step_models import StepRow
from app.search.admin import IndexAdmin
from app.search.client import Endpoint
from tests.cable import Cable

_ENDED = ("completed", "failed", "cancelled")
SCHEMA = dict.fromkeys(("id", "name", "city"), "string")


def companies(count: int, word: str, first: int = 0) -> list[dict[str, Any]]:
    return [{"id": str(first + i), "name": f"{word} Company {i}", "city": f"City {i % 40}"} for i in range(count)]


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

    async def uploaded(self, content: bytes) -> str:
        """The key of a file for matching that was sent: to the store's own URL where it has one."""

        async def body() -> AsyncIterator[bytes]:
            yield content

        granted = await self.services.uploads.presign(self.organisation_id, "match", "http://test")
        if not granted["upload_url"].startswith("http://test"):
            async with httpx2.AsyncClient() as client:
                (await client.put(granted["upload_url"], content=content)).raise_for_status()
            return str(granted["storage_key"])
        query = dict(parse_qsl(urlsplit(granted["upload_url"]).query))
        await self.services.uploads.receive(granted["storage_key"], query, len(content), body())
        return str(granted["storage_key"])

    async def activation_job(self, dataset_id: str, snapshot_id: str) -> str:
        payload = {"dataset_id": dataset_id, "snapshot_id": snapshot_id}
        job_id: str = (await self.services.jobs.create(self.organisation_id, "activate", payload))["job_id"]
        return job_id

    async def forget_heartbeat(self, job_id: str) -> None:
        """As if the worker that held the job had been silent for long."""
        async with self.services.db.begin() as session:
            long_ago = now() - timedelta(minutes=5)
            await session.execute(update(JobRow).where(JobRow.id == job_id).values(heartbeat_at=long_ago))

    async def until(self, job_id: str, processed: int) -> dict[str, Any]:
        """Waits until so many rows are done, or the job has ended."""
        while True:
            job = await self.services.jobs.get(self.organisation_id, job_id)
            if job["status"] in _ENDED or job["progress"]["processed"] >= processed:
                return job
            await asyncio.sleep(0.02)

    async def forget_leases(self, job_id: str) -> None:
        """As if the workers that hold the job's steps had been silent for long."""
        async with self.services.db.begin() as session:
            long_ago = now() - timedelta(minutes=5)
            leased = StepRow.job_id == job_id, StepRow.leased_until.is_not(None)
            await session.execute(update(StepRow).where(*leased).values(leased_until=long_ago))

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
