"""Runs a claimed job with the service of its kind and writes down how it ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

import structlog
from opentelemetry.trace import SpanKind

from app.errors import FoundryOpsError, QueueUnavailable, Unavailable
from app.identity import begin, resume
from app.observability import frames_of
from app.observability.metrics import JOB_SECONDS, JOBS
from app.observability.tracing import entry_span, trace_context
from app.ports import JobQueue
from app.services.jobs import Job, JobService

log = structlog.get_logger(__name__)

Handler = Callable[[Job], Awaitable[None]]
_HEARTBEAT_S = 5.0


class JobRunner:
    """One per worker; a handler ends its job itself, or raises."""

    def __init__(self, jobs: JobService, queue: JobQueue, handlers: Mapping[str, Handler]) -> None:
        self._jobs = jobs
        self._queue = queue
        self._handlers = dict(handlers)

    async def run(self, job_id: str) -> None:
        """Claims and does the job; a job that is done, cancelled or another worker's is left alone."""
        job = await self._jobs.claim(job_id)
        if job is None:
            return
        identity = job.identity or begin()
        resume(identity)
        structlog.contextvars.bind_contextvars(job_id=job.id, correlation_id=identity.correlation_id)
        with entry_span(f"job {job.kind}", job.traceparent, SpanKind.CONSUMER) as span:
            structlog.contextvars.bind_contextvars(**trace_context())
            started = time.perf_counter()
            outcome = await self._run(job)
            seconds = time.perf_counter() - started
            span.set_attributes({"foundryops.job_id": job.id, "foundryops.outcome": outcome})
            JOBS.labels(job.kind, outcome).inc()
            JOB_SECONDS.labels(job.kind).observe(seconds)
            log.info("job_run", kind=job.kind, outcome=outcome, took_ms=round(seconds * 1000))
        structlog.contextvars.clear_contextvars()

    async def _run(self, job: Job) -> str:
        """Does a claimed job; how this run of it ended: completed, waits, failed or crashed."""
        heart = asyncio.create_task(self._beat(job.id))
        try:
            await self._handlers[job.kind](job)
        except Unavailable as exc:
            log.warning("job_waits", code=exc.code)
            await self._jobs.release(job.id)
            return "waits"
        except FoundryOpsError as exc:
            log.warning("job_failed", code=exc.code)
            await self._jobs.fail(job.id, exc.code, exc.message, exc.details)
            return "failed"
        except Exception as exc:
            log.error("job_crashed", error_type=type(exc).__name__, frames=frames_of(exc))
            await self._jobs.fail(job.id, "INTERNAL", "Something went wrong on our side.", {})
            return "crashed"
        finally:
            heart.cancel()
        return "completed"

    async def sweep(self) -> None:
        """Wakes every job that should be running and is not."""
        for job_id, kind, attempt in await self._jobs.stale():
            try:
                await self._queue.wake(job_id, kind, attempt)
            except QueueUnavailable:
                return

    async def _beat(self, job_id: str) -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT_S)
            await self._jobs.heartbeat(job_id)
