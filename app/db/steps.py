"""Steps of file jobs in SQL: which are to be done, who does them, and until when that is believed."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import CursorResult, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import JobRow, identity_of, now
from app.db.session import Database
from app.db.step_models import FileJobRow, StepRow
from app.identity import Identity

LEASE = timedelta(seconds=10)
"""A worker that has not renewed its lease for so long is gone."""
_ALIVE = ("queued", "running")


class StepKind(StrEnum):
    PLAN = "plan"
    CHUNK = "chunk"
    ASSEMBLE = "assemble"


@dataclass(frozen=True, slots=True)
class Step:
    """A step that this process holds the lease of."""

    job_id: str
    number: int
    kind: str
    holder: str
    attempts: int
    unavailable_since: datetime | None
    organisation_id: str
    payload: dict[str, Any]
    identity: Identity | None
    traceparent: str | None
    job_kind: str


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the rows of a chunk, or of a whole file."""

    rows: int = 0
    results: int = 0
    """Rows of the result: at least one for each row that was matched."""
    matched: int = 0
    """Input rows with at least one kept match."""
    rejected: int = 0


class StepRepository:
    """Leases steps; every call is one short transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def claim(self) -> Step | None:
        """Leases a free step of the job that was served longest ago; None when nothing is free."""
        async with self._db.begin() as session:
            job_id = await session.scalar(
                select(FileJobRow.job_id)
                .join(JobRow, JobRow.id == FileJobRow.job_id)
                .where(JobRow.state.in_(_ALIVE), exists().where(StepRow.job_id == FileJobRow.job_id, _is_free()))
                .order_by(FileJobRow.served_at, FileJobRow.job_id)
                .limit(1)
            )
            if job_id is None:
                return None
            await session.execute(update(FileJobRow).where(FileJobRow.job_id == job_id).values(served_at=now()))
            free = select(StepRow).where(StepRow.job_id == job_id, _is_free()).order_by(StepRow.number).limit(1)
            row = await session.scalar(free.with_for_update(skip_locked=True))
            job = await session.get(JobRow, job_id)
            if row is None or job is None:
                return None
            row.holder, row.leased_until, row.attempts = secrets.token_hex(8), now() + LEASE, row.attempts + 1
            place = row.job_id, row.number, row.kind, row.holder, row.attempts, row.unavailable_since
            return Step(*place, job.organisation_id, job.payload, identity_of(job), job.traceparent, job.kind)

    async def renew(self, step: Step) -> bool:
        """Keeps the lease; False when the job has ended or another worker has the step."""
        alive = exists().where(JobRow.id == step.job_id, JobRow.state.in_(_ALIVE))
        async with self._db.begin() as session:
            renewed = update(StepRow).where(*_held(step), alive).values(leased_until=now() + LEASE)
            await session.execute(update(JobRow).where(JobRow.id == step.job_id).values(heartbeat_at=now()))
            return await _changed(session, renewed)

    async def release(self, step: Step, wait_s: float = 0.0, *, unavailable: bool = False) -> None:
        """Gives a step back unharmed; it is free after `wait_s`."""
        since = (step.unavailable_since or now()) if unavailable else step.unavailable_since
        given_back = {
            "holder": None,
            "leased_until": now() + timedelta(seconds=wait_s),
            "attempts": StepRow.attempts - 1,
            "unavailable_since": since,
        }
        async with self._db.begin() as session:
            await session.execute(update(StepRow).where(*_held(step)).values(given_back))

    async def add_chunks(self, plan: Step, rows: Sequence[int], first: int) -> None:
        """Adds chunks of so many rows, numbered from `first`; those that an earlier attempt added stay as they are.

        Nothing is added when another worker has taken the plan over.
        """
        async with self._db.begin() as session:
            await _lock(session, plan.job_id)
            if not await session.scalar(select(exists().where(*_held(plan)))):
                return
            known = StepRow.number.between(first, first + len(rows))
            numbers = set(await session.scalars(select(StepRow.number).where(StepRow.job_id == plan.job_id, known)))
            added = [(number, count) for number, count in enumerate(rows, start=first) if number not in numbers]
            for number, count in added:
                session.add(StepRow(job_id=plan.job_id, number=number, kind=StepKind.CHUNK, rows=count))
            grown = JobRow.total + sum(count for _, count in added)
            await session.execute(update(JobRow).where(JobRow.id == plan.job_id).values(total=grown))

    async def describe(self, job_id: str, columns: Mapping[str, str]) -> None:
        """Keeps the columns of the job's file, in order, with their types."""
        async with self._db.begin() as session:
            described = update(FileJobRow).where(FileJobRow.job_id == job_id)
            await session.execute(described.values(columns=dict(columns)))

    async def finish(self, step: Step, tally: Tally | None = None) -> bool:
        """Marks a step as done, adds its rows to the job's progress and opens the assembly after the last one.

        False when another worker has taken the step over: then that one's word counts.
        """
        counted = {} if tally is None else {name: getattr(tally, name) for name in Tally.__slots__}
        async with self._db.begin() as session:
            await _lock(session, step.job_id)
            done = update(StepRow).where(*_held(step)).values(state="done", leased_until=None, **counted)
            if not await _changed(session, done):
                return False
            if tally is not None:
                progress = {"processed": JobRow.processed + tally.rows, "heartbeat_at": now()}
                await session.execute(update(JobRow).where(JobRow.id == step.job_id).values(progress))
            await _open_assembly(session, step.job_id)
            return True

    async def file_job(self, job_id: str) -> FileJobRow:
        async with self._db.begin() as session:
            return await session.get_one(FileJobRow, job_id)

    async def payload(self, job_id: str) -> dict[str, Any]:
        """What a file job was accepted for."""
        async with self._db.begin() as session:
            return (await session.get_one(JobRow, job_id)).payload

    async def tally(self, job_id: str) -> tuple[int, Tally]:
        """The number of chunks of a job and the sum of their tallies."""
        sums = [func.coalesce(func.sum(getattr(StepRow, name)), 0) for name in Tally.__slots__]
        chunks = StepRow.job_id == job_id, StepRow.kind == StepKind.CHUNK
        async with self._db.begin() as session:
            count, *rest = (await session.execute(select(func.count(), *sums).where(*chunks))).one()
            return int(count), Tally(*(int(value) for value in rest))

    async def of_ended_jobs(self) -> list[str]:
        """Jobs that have ended and still have steps."""
        ended = select(StepRow.job_id).join(JobRow, JobRow.id == StepRow.job_id).where(JobRow.state.not_in(_ALIVE))
        async with self._db.begin() as session:
            return list(await session.scalars(ended.distinct()))

    async def forget(self, job_id: str) -> None:
        async with self._db.begin() as session:
            await session.execute(delete(StepRow).where(StepRow.job_id == job_id))


def _is_free() -> Any:
    unleased = or_(StepRow.leased_until.is_(None), StepRow.leased_until < now())
    return (StepRow.state == "waiting") & unleased


def _held(step: Step) -> tuple[Any, ...]:
    mine = StepRow.job_id == step.job_id, StepRow.number == step.number
    return (*mine, StepRow.holder == step.holder, StepRow.state == "waiting")


async def _changed(session: AsyncSession, statement: Any) -> bool:
    result = await session.execute(statement)
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


async def _lock(session: AsyncSession, job_id: str) -> None:
    """One at a time decides whether a job's last step is done."""
    await session.execute(select(FileJobRow.job_id).where(FileJobRow.job_id == job_id).with_for_update())


async def _open_assembly(session: AsyncSession, job_id: str) -> None:
    left = select(func.count()).where(StepRow.job_id == job_id, StepRow.state == "waiting")
    if await session.scalar(left):
        return
    last = await session.scalar(select(func.max(StepRow.number)).where(StepRow.job_id == job_id))
    session.add(StepRow(job_id=job_id, number=int(last or 0) + 1, kind=StepKind.ASSEMBLE))
