"""Jobs: SQL is their record of account, the queue only wakes workers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.indices import pin
from app.db.models import Base, JobRow, identity_of, now
from app.db.paging import page
from app.db.session import Database
from app.errors import ArtifactExpired, Conflict, JobNotFound, JobNotReady, QueueUnavailable
from app.identity import Identity, current
from app.ids import Prefix, new_id
from app.observability.tracing import current_traceparent
from app.ports import FILE_KINDS, JobQueue
from app.services import audit
from app.services.job_charges import JobCharges
from app.services.limits import LimitService
from app.services.webhooks import WebhookService

log = structlog.get_logger(__name__)

_QUEUED_TOO_LONG = timedelta(seconds=3)
_HEARTBEAT_LOST = timedelta(seconds=20)
_MAX_ATTEMPTS = 20
"""A job whose worker dies this often kills its workers."""
_KINDS_WITH_RESULTS = FILE_KINDS | {"match_batch"}
_TARGETS = ("dataset_id", "snapshot_id")
Parts = Callable[[str], Sequence[Base]]
"""From a job's id, the rows that are accepted together with it."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job as its worker sees it."""

    id: str
    organisation_id: str
    kind: str
    payload: dict[str, Any]
    attempts: int
    identity: Identity | None
    traceparent: str | None
    """Both of the request that asked for it."""


class JobService:
    """Creates, claims, ends and shows jobs."""

    def __init__(
        self, db: Database, queue: JobQueue, webhooks: WebhookService, limits: LimitService, charges: JobCharges
    ) -> None:
        self._db = db
        self._queue = queue
        self._webhooks = webhooks
        self._limits = limits
        self._charges = charges

    async def create(
        self,
        organisation_id: str,
        kind: str,
        payload: Mapping[str, Any],
        total: int = 0,
        *,
        snapshot_id: str | None = None,
        parts: Parts | None = None,
    ) -> dict[str, Any]:
        """Accepts a job and wakes a worker; without a queue it is kept and swept up later.

        The index of `snapshot_id` is kept until the job has ended. Raises SnapshotNotActive when it has none,
        InvalidSchema for a `callback_url` in the payload that may not be called, RateLimited when too many wait,
        InsufficientCredits when enforced credits do not cover `total` records.
        """
        if payload.get("callback_url") is not None:
            self._webhooks.check(payload["callback_url"])
        who = current()
        row = JobRow(
            id=new_id(Prefix.JOB),
            organisation_id=organisation_id,
            kind=kind,
            state="queued",
            payload=dict(payload),
            processed=0,
            total=total,
            attempts=0,
            correlation_id=who.correlation_id,
            request_id=who.request_id,
            actor=who.actor,
            traceparent=current_traceparent(),
            snapshot_id=snapshot_id,
            created_at=now(),
        )
        details = {"kind": kind} | {name: payload[name] for name in _TARGETS if name in payload}
        async with self._db.begin() as session:
            await self._limits.check_queue(session, organisation_id)
            if snapshot_id is not None:
                await pin(session, snapshot_id)
            session.add(row)
            await session.flush()
            session.add_all(parts(row.id) if parts else ())
            await self._charges.accept(session, row)
            await audit.record(session, organisation_id, "job.create", row.id, details)
        await self._db.after_commit(lambda: self._wake(row.id, kind))
        return _answer(row)

    async def _wake(self, job_id: str, kind: str) -> None:
        try:
            await self._queue.wake(job_id, kind)
        except QueueUnavailable:
            log.warning("queue_unavailable", job_id=job_id)

    async def get(self, organisation_id: str, job_id: str) -> dict[str, Any]:
        return _answer(await self._find(organisation_id, job_id))

    async def list_page(self, organisation_id: str, limit: int, cursor: str | None) -> dict[str, Any]:
        query = select(JobRow).where(JobRow.organisation_id == organisation_id)
        async with self._db.begin() as session:
            return await page(session, query, JobRow.id, limit, cursor, _answer)

    async def result(self, organisation_id: str, job_id: str) -> dict[str, Any]:
        """The result of a completed job; raises JobNotReady, ArtifactExpired, or Conflict with the error of a failed one."""
        row = await self._find(organisation_id, job_id)
        if row.state in ("queued", "running"):
            raise JobNotReady(f"Job {job_id} is {row.state}; poll it until it is completed.", status=row.state)
        if row.state != "completed":
            raise Conflict(f"Job {job_id} has no result: it is {row.state}.", status=row.state, error=row.error)
        if row.expired_at is not None:
            raise ArtifactExpired(f"The results of job {job_id} were kept for a while after it ended and are gone.")
        return row.result or {}

    async def cancel(self, organisation_id: str, job_id: str) -> dict[str, Any]:
        """Cancels a job; its worker stops at the next progress; raises Conflict when it has ended."""
        async with self._db.begin() as session:
            row = await session.get(JobRow, job_id, with_for_update=True)
            if row is None or row.organisation_id != organisation_id:
                raise JobNotFound(f"There is no job {job_id}.", job_id=job_id)
            if row.state not in ("queued", "running", "cancelled"):
                raise Conflict(f"Job {job_id} has already {row.state}.", status=row.state)
            if row.state != "cancelled":
                await self._end(session, row, "cancelled")
                await audit.record(session, organisation_id, "job.cancel", job_id, {"kind": row.kind})
            return _answer(row)

    async def claim(self, job_id: str) -> Job | None:
        """Takes a job that is queued or whose worker is gone; None when there is nothing to do."""
        lost = now() - _HEARTBEAT_LOST
        free = or_(JobRow.state == "queued", (JobRow.state == "running") & (JobRow.heartbeat_at < lost))
        free &= JobRow.kind.not_in(FILE_KINDS)
        async with self._db.begin() as session:
            taken = await session.execute(
                update(JobRow)
                .where(JobRow.id == job_id, free)
                .values(state="running", heartbeat_at=now(), attempts=JobRow.attempts + 1)
            )
            if taken.rowcount != 1:  # type: ignore[attr-defined]
                return None
            row = await session.get(JobRow, job_id, populate_existing=True)
            if row is None:
                return None
            row.started_at = row.started_at or now()
            if row.attempts > _MAX_ATTEMPTS:
                row.error = {"code": "INTERNAL", "message": f"Given up after {_MAX_ATTEMPTS} lost workers."}
                await self._end(session, row, "failed")
                return None
            return Job(
                row.id, row.organisation_id, row.kind, row.payload, row.attempts, identity_of(row), row.traceparent
            )

    async def start(self, job_id: str) -> None:
        """Notes that work on a job of steps has begun."""
        async with self._db.begin() as session:
            queued = (JobRow.id == job_id) & (JobRow.state == "queued")
            await session.execute(
                update(JobRow).where(queued).values(state="running", started_at=now(), heartbeat_at=now())
            )

    async def reserve(self, job_id: str, units: int) -> None:
        """Holds credits for `units` records in all of a job that learns their number late; raises InsufficientCredits."""
        async with self._db.begin() as session:
            row = await _running(session, job_id)
            if row is not None:
                await self._charges.reserve(session, row, units)

    async def progress(self, job_id: str, processed: int, total: int) -> None:
        """Notes progress; raises Conflict when the job was cancelled meanwhile.

        Records that nobody knew of when the job was accepted are held as they are read: raises InsufficientCredits.
        """
        async with self._db.begin() as session:
            row = await _running(session, job_id)
            if row is None:
                raise Conflict(f"Job {job_id} is no longer running.", job_id=job_id)
            grown = processed > row.processed
            row.processed, row.total, row.heartbeat_at = processed, total, now()
            if grown:
                await self._charges.reserve(session, row, processed)

    async def heartbeat(self, job_id: str) -> None:
        async with self._db.begin() as session:
            running = (JobRow.id == job_id) & (JobRow.state == "running")
            await session.execute(update(JobRow).where(running).values(heartbeat_at=now()))

    async def release(self, job_id: str) -> None:
        """Puts a running job back, for when what it needs is back."""
        await self._update(job_id, state="queued", heartbeat_at=now())

    async def complete(self, job_id: str, result: Mapping[str, Any]) -> None:
        """Ends a running job with its result; raises Conflict when it was cancelled meanwhile."""
        async with self._db.begin() as session:
            row = await _running(session, job_id)
            if row is None:
                raise Conflict(f"Job {job_id} is no longer running.", job_id=job_id)
            row.result = dict(result)
            await self._end(session, row, "completed")

    async def fail(self, job_id: str, code: str, message: str, details: Mapping[str, Any]) -> None:
        """Ends a job with its reason; a cancelled one stays cancelled."""
        error = {"code": code, "message": message, "details": dict(details)}
        async with self._db.begin() as session:
            row = await _running(session, job_id)
            if row is not None:
                row.error = error
                await self._end(session, row, "failed")

    async def stale(self) -> list[tuple[str, str, int]]:
        """Id, kind and attempts of jobs that nobody works on."""
        waiting = (JobRow.state == "queued") & (JobRow.created_at < now() - _QUEUED_TOO_LONG)
        released = or_(JobRow.heartbeat_at.is_(None), JobRow.heartbeat_at < now() - _QUEUED_TOO_LONG)
        lost = (JobRow.state == "running") & (JobRow.heartbeat_at < now() - _HEARTBEAT_LOST)
        lost &= JobRow.kind.not_in(FILE_KINDS)
        async with self._db.begin() as session:
            found = await session.execute(
                select(JobRow.id, JobRow.kind, JobRow.attempts).where(or_(waiting & released, lost)).order_by(JobRow.id)
            )
            return [(row.id, row.kind, row.attempts + 1) for row in found]

    async def _end(self, session: AsyncSession, row: JobRow, state: str) -> None:
        """The one place where a job ends: with its webhook and its credits, in the caller's transaction."""
        row.state, row.finished_at = state, now()
        await (self._charges.settle if state == "completed" else self._charges.release)(session, row)
        self._webhooks.job_ended(session, row, _answer(row))

    async def _find(self, organisation_id: str, job_id: str) -> JobRow:
        async with self._db.begin() as session:
            row = await session.get(JobRow, job_id)
        if row is None or row.organisation_id != organisation_id:
            raise JobNotFound(f"There is no job {job_id}.", job_id=job_id)
        return row

    async def _update(self, job_id: str, **values: Any) -> None:
        async with self._db.begin() as session:
            running = (JobRow.id == job_id) & (JobRow.state == "running")
            changed = await session.execute(update(JobRow).where(running).values(**values))
            if changed.rowcount != 1:  # type: ignore[attr-defined]
                raise Conflict(f"Job {job_id} is no longer running.", job_id=job_id)


async def _running(session: AsyncSession, job_id: str) -> JobRow | None:
    """A running job, locked until the transaction ends."""
    row = await session.get(JobRow, job_id, with_for_update=True)
    return row if row is not None and row.state == "running" else None


def _answer(row: JobRow) -> dict[str, Any]:
    """The contract's view of a job."""
    share = 100.0 * row.processed / row.total if row.total else (100.0 if row.state == "completed" else 0.0)
    place = f"/api/v2/jobs/{row.id}/results" if row.kind in _KINDS_WITH_RESULTS else None
    return {
        "job_id": row.id,
        "kind": row.kind,
        "status": row.state,
        "progress": {"processed": row.processed, "total": row.total, "percentage": round(share, 1)},
        "eta_seconds": _eta_s(row),
        "created_at": _iso(row.created_at),
        "started_at": _iso(row.started_at),
        "finished_at": _iso(row.finished_at),
        "error": row.error,
        "result": row.result if row.kind != "match_batch" else None,
        "results_url": place,
        "rejects_url": f"/api/v2/jobs/{row.id}/rejects" if row.kind in FILE_KINDS else None,
    }


def _eta_s(row: JobRow) -> int | None:
    """From the rate since the start; None when nothing is known."""
    if row.state != "running" or row.started_at is None or not 0 < row.processed <= row.total:
        return None
    return round((now() - row.started_at).total_seconds() * (row.total - row.processed) / row.processed)


def _iso(time: Any) -> str | None:
    return None if time is None else time.isoformat().replace("+00:00", "Z")
