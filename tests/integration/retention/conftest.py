"""A deployment with an activated dataset, and ways to make what it keeps look old."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from app.bootstrap import Services
from app.db.models import JobRow, now
from app.files.store import LocalFileStore
from app.search.client import Endpoint
from app.search.names import IndexNames
from app.services.lifetimes import Lifetimes
from app.services.orphans import Orphans

SCHEMA = {"id": "string", "name": "string", "seats": "int"}
DAY = timedelta(days=1)


@dataclass
class Kept:
    """What a deployment keeps."""

    services: Services
    organisation_id: str

    def __post_init__(self) -> None:
        self.store = LocalFileStore(self.services.settings.store_dir)

    @property
    def files(self) -> Path:
        return self.services.settings.store_dir

    def orphans(self, grace: timedelta = DAY) -> Orphans:
        services = self.services
        endpoint, names = Endpoint.from_settings(services.settings), IndexNames(services.settings.index_prefix)
        return Orphans(services.db, self.store, endpoint, names, grace)

    def lifetimes(self) -> Lifetimes:
        return Lifetimes(self.services.db, self.store, self.services.idempotency, DAY, 30 * DAY)

    async def activated(self) -> tuple[str, str]:
        """A dataset with one reject, activated: its id and its snapshot's."""
        datasets, jobs = self.services.datasets, self.services.jobs
        made = await datasets.create(self.organisation_id, "Accounts", SCHEMA, "id", {})
        dataset_id = str(made["dataset_id"])
        records = [{"id": "1", "name": "Acme Widgets", "seats": 3}, {"id": "2", "name": "Globex", "seats": "many"}]
        snapshot_id = str((await datasets.append(self.organisation_id, dataset_id, records))["snapshot_id"])
        payload = {"dataset_id": dataset_id, "snapshot_id": snapshot_id}
        job = await jobs.create(self.organisation_id, "activate", payload)
        await self.services.runner.run(job["job_id"])
        assert (await jobs.get(self.organisation_id, job["job_id"]))["status"] == "completed"
        return dataset_id, snapshot_id

    async def ended(self, ago: timedelta, state: str = "completed", **payload: Any) -> str:
        """A batch job that ended then, or is in that state."""
        content = {"records": [{"name": "Secret"}], **payload}
        job_id = str((await self.services.jobs.create(self.organisation_id, "match_batch", content))["job_id"])
        result = {"results": [{"matches": []}]}
        async with self.services.db.begin() as session:
            values = {"state": state, "result": result, "finished_at": now() - ago}
            await session.execute(update(JobRow).where(JobRow.id == job_id).values(**values))
        return job_id

    async def row(self, job_id: str) -> JobRow:
        async with self.services.db.begin() as session:
            return await session.get_one(JobRow, job_id)

    def put(self, key: str) -> Path:
        path = self.files / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        return path

    def age(self, path: Path, by: timedelta) -> None:
        """Makes a file, or all files of a folder, as old as that."""
        then = (now() - by).timestamp()
        for one in [path, *path.rglob("*")]:
            os.utime(one, (then, then))


@pytest.fixture(scope="module")
async def kept(services: Services) -> Kept:
    return Kept(services, await services.keys.create_organisation("Tests"))
