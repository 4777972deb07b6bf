"""Rules of retention for what the records of account know: artefacts, uploads, rejects, deliveries, idempotency keys."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import JobRow, now
from app.db.session import Database
from app.db.upload_models import Upload
from app.db.webhook_models import WebhookDelivery
from app.ports import FileStore
from app.services.idempotency import KEPT, IdempotencyService
from app.services.retention import Removed
from app.services.uploads import upload_key

_ENDED = ("completed", "failed", "cancelled")
_ALIVE = ("queued", "running")
_AT_ONCE = 200


class Lifetimes:
    """What is removed stays in the records of account as expired, so that asking for it is answered with 410."""

    def __init__(
        self,
        db: Database,
        store: FileStore,
        idempotency: IdempotencyService,
        artefacts: timedelta,
        deliveries: timedelta,
    ) -> None:
        self._db = db
        self._store = store
        self._idempotency = idempotency
        self._artefacts = artefacts
        self._deliveries = deliveries

    async def jobs(self) -> Removed:
        """Records, results and rejects of jobs that ended long enough ago, but for those that a job at work reads."""
        removed: Removed = Counter()
        ended_before = now() - self._artefacts
        while due := await self._due_jobs(ended_before):
            for job_id, organisation_id in due:
                await self._store.delete_prefix(f"jobs/{job_id}")
                removed[organisation_id] += await self._mark_expired(job_id)
        return +removed

    async def rejects(self) -> Removed:
        """Rejects of appends: `snapshots/<organisation>/<dataset>/<snapshot>/rejects.ndjson.gz`."""
        removed: Removed = Counter()
        made_before = now() - self._artefacts
        for file in await self._store.list_files("snapshots"):
            if file.key.endswith("/rejects.ndjson.gz") and file.modified_at < made_before:
                await self._store.delete(file.key)
                removed[file.key.split("/")[1]] += 1
        return removed

    async def deliveries(self) -> Removed:
        """Webhook deliveries that are over; a pending one is never removed."""
        over = WebhookDelivery.state != "pending", WebhookDelivery.ended_at < now() - self._deliveries
        owner = WebhookDelivery.organisation_id
        removed: Removed = Counter()
        async with self._db.begin() as session:
            for organisation_id, count in await session.execute(
                select(owner, func.count()).where(*over).group_by(owner)
            ):
                removed[organisation_id] = count
            await session.execute(delete(WebhookDelivery).where(*over))
        return removed

    async def uploads(self) -> Removed:
        """Uploads past their end, but for those of jobs whose artefacts are still kept; of URLs never used, a while later."""
        removed: Removed = Counter()
        for storage_key, organisation_id in await self._due_uploads():
            await self._store.delete(upload_key(organisation_id, storage_key))
            async with self._db.begin() as session:
                row = await session.get_one(Upload, storage_key, with_for_update=True)
                removed[organisation_id] += row.state != "expired"
                row.state = "expired"
        return +removed

    async def idempotency_keys(self) -> Removed:
        """Idempotency keys with the answers that they would replay."""
        return Counter({"": await self._idempotency.purge(now() - KEPT)})

    async def _due_uploads(self) -> list[tuple[str, str]]:
        late = now() - self._artefacts
        unused = (Upload.state == "pending") & (Upload.expires_at < late)
        stored = (Upload.state == "stored") & (Upload.expires_at < now())
        async with self._db.begin() as session:
            read = await self._named_by_jobs(session, "source_key", JobRow.expired_at.is_(None))
            found = await session.execute(select(Upload.id, Upload.organisation_id).where(unused | stored))
            return [(row.id, row.organisation_id) for row in found if row.id not in read]

    async def _named_by_jobs(self, session: AsyncSession, name: str, jobs: ColumnElement[bool]) -> set[str]:
        """What the payloads of jobs hold under a name."""
        named = JobRow.payload[name].as_string()
        return set(await session.scalars(select(named).where(jobs, named.is_not(None))))

    async def _due_jobs(self, ended_before: datetime) -> list[tuple[str, str]]:
        ended = JobRow.state.in_(_ENDED), JobRow.finished_at < ended_before, JobRow.expired_at.is_(None)
        async with self._db.begin() as session:
            read = await self._named_by_jobs(session, "job_id", JobRow.state.in_(_ALIVE))
            due = select(JobRow.id, JobRow.organisation_id).where(*ended, JobRow.id.not_in(read)).limit(_AT_ONCE)
            return [(row.id, row.organisation_id) for row in await session.execute(due)]

    async def _mark_expired(self, job_id: str) -> int:
        """1, or 0 when another run was faster."""
        async with self._db.begin() as session:
            row = await session.get_one(JobRow, job_id, with_for_update=True)
            if row.expired_at is not None:
                return 0
            row.payload = {name: value for name, value in row.payload.items() if name != "records"}
            row.result = None if row.kind == "match_batch" else row.result
            row.expired_at = now()
            return 1
