"""A file on a deployment of its own; and databases with file jobs without any file, for the engine of steps alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import update

from app.db.models import JobRow, Organisation, now
from app.db.session import Database
from app.db.step_models import FileJobRow, StepRow
from app.db.steps import Step, StepRepository
from app.errors import QueueUnavailable
from app.ids import Prefix, new_id
from app.outbound import Outbound
from app.services.file_jobs.service import first_step
from app.services.job_charges import JobCharges
from app.services.jobs import JobService
from app.services.webhooks import WebhookService
from app.tariff import load_tariff
from tests.deployment import Deployment, companies
from tests.integration.jobs.file_runs import Files, leads


class NoQueue:
    """A queue that is away: nothing may depend on it."""

    async def wake(self, job_id: str, kind: str, attempt: int = 0) -> None:
        raise QueueUnavailable("There is no queue.")


class NoLimits:
    async def check_queue(self, session: object, organisation_id: str) -> None:
        """Every job may wait."""


@dataclass
class Engine:
    """Steps and jobs on one database."""

    db: Database
    steps: StepRepository
    jobs: JobService
    organisation_id: str

    async def job(self) -> str:
        """A file job that waits for its plan."""

        def parts(job_id: str) -> list[FileJobRow | StepRow]:
            return [FileJobRow(job_id=job_id, profile_digest="x"), first_step(job_id)]

        made = await self.jobs.create(self.organisation_id, "match_files", {}, parts=parts)
        return str(made["job_id"])

    async def planned(self, *rows: int) -> str:
        """A running file job with chunks of so many rows."""
        job_id = await self.job()
        plan = await self.taken()
        await self.jobs.start(job_id)
        await self.steps.add_chunks(plan, rows, 1)
        await self.steps.finish(plan)
        return job_id

    async def taken(self) -> Step:
        step = await self.steps.claim()
        assert step is not None
        return step

    async def lose(self, step: Step) -> None:
        """As if the worker that holds the step had been silent for long."""
        long_ago = now() - timedelta(minutes=5)
        mine = StepRow.job_id == step.job_id, StepRow.number == step.number
        async with self.db.begin() as session:
            await session.execute(update(StepRow).where(*mine).values(leased_until=long_ago))

    async def end_all(self) -> None:
        async with self.db.begin() as session:
            await session.execute(update(JobRow).values(state="cancelled"))


@pytest.fixture
async def engine(db: Database) -> AsyncIterator[Engine]:
    organisation_id = new_id(Prefix.ORGANISATION)
    async with db.begin() as session:
        session.add(Organisation(id=organisation_id, name="Steps"))
    webhooks = WebhookService(db, Outbound((), (443,), 1.0), None)
    jobs = JobService(db, NoQueue(), webhooks, NoLimits(), JobCharges(load_tariff(), enabled=False))
    made = Engine(db, StepRepository(db), jobs, organisation_id)
    yield made
    await made.end_all()


@pytest.fixture(scope="module")
async def files(deployment: Deployment) -> Files:
    dataset_id, snapshot_id = await deployment.activated(companies(300, "Some"))
    source_key = await deployment.uploaded(leads())
    made = Files(deployment, dataset_id, snapshot_id, source_key)
    job_id = await made.submit()
    await deployment.services.lane.drain()
    made.expected = await made.artefacts(job_id)
    return made
