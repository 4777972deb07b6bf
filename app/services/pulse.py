"""The pulse of asynchronous work: how much waits, for how long, and whether a worker is there to do it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog
from sqlalchemy import func, select

from app.db.models import JobRow, now
from app.db.session import Database
from app.observability.metrics import JOBS_OPEN, OLDEST_QUEUED_SECONDS, QUEUE_DEPTH, WORKER_SEEN
from app.queue import ArqQueue

log = structlog.get_logger(__name__)

_TIMEOUT_S = 2.0
_UNKNOWN = float("nan")
_OPEN_STATES = ("queued", "running")


@dataclass(frozen=True, slots=True)
class Pulse:
    """NaN where the part that knows did not answer."""

    queued: float = _UNKNOWN
    running: float = _UNKNOWN
    oldest_queued_s: float = _UNKNOWN
    queue_depth: float = _UNKNOWN
    worker_seen: float = _UNKNOWN


class PulseService:
    """Feels the pulse when it is asked: at a scrape and for /health/ready, never on the path of a match."""

    def __init__(self, db: Database, queue: ArqQueue) -> None:
        self._db = db
        self._queue = queue

    async def feel(self) -> Pulse:
        """What is known within two seconds; never raises, and sets the gauges to what it found."""
        jobs, queue = await asyncio.gather(
            asyncio.wait_for(self._jobs(), _TIMEOUT_S),
            asyncio.wait_for(self._queue.pulse(), _TIMEOUT_S),
            return_exceptions=True,
        )
        for part, failed in (("database", jobs), ("queue", queue)):
            if isinstance(failed, BaseException):
                log.warning("pulse_unknown", part=part, error_type=type(failed).__name__)
        queued, running, oldest_s = jobs if isinstance(jobs, tuple) else (_UNKNOWN, _UNKNOWN, _UNKNOWN)
        depth, seen = queue if isinstance(queue, tuple) else (_UNKNOWN, _UNKNOWN)
        JOBS_OPEN.labels("queued").set(queued)
        JOBS_OPEN.labels("running").set(running)
        OLDEST_QUEUED_SECONDS.set(oldest_s)
        QUEUE_DEPTH.set(depth)
        WORKER_SEEN.set(seen)
        return Pulse(queued, running, oldest_s, depth, seen)

    async def _jobs(self) -> tuple[float, float, float]:
        counted = select(JobRow.state, func.count(), func.min(JobRow.created_at)).group_by(JobRow.state)
        async with self._db.begin() as session:
            found = await session.execute(counted.where(JobRow.state.in_(_OPEN_STATES)))
            by_state = {state: (count, oldest) for state, count, oldest in found}
        queued, oldest = by_state.get("queued", (0, None))
        running, _ = by_state.get("running", (0, None))
        return queued, running, (now() - oldest).total_seconds() if oldest else 0.0
