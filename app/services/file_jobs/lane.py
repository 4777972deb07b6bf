"""A worker's lane for file jobs: takes one free step after another, keeps its lease, and gives back what cannot be done now.

SQL is the queue: a worker that is killed loses its lease, and whoever looks next takes the step.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

import structlog
from opentelemetry.trace import SpanKind
from sqlalchemy.exc import DBAPIError

from app.db.models import now
from app.db.steps import LEASE, Step, StepKind, StepRepository
from app.errors import FoundryOpsError, InternalError, StorageFull, Unavailable
from app.identity import begin, resume
from app.observability import frames_of
from app.observability.metrics import JOB_SECONDS, JOBS
from app.observability.tracing import entry_span
from app.services.file_jobs.cleaning import Cleaner
from app.services.jobs import JobService
from app.services.memory import release_memory

log = structlog.get_logger(__name__)

Doer = Callable[[Step], Awaitable[None]]
_BEAT_S = LEASE.total_seconds() / 4
_IDLE_S = 1.0
"""A lane that was not woken looks so often."""
_RETRY_S = 1.0
_MAX_ATTEMPTS = 20
"""A step whose worker dies this often kills its workers."""


class FileLane:
    """One at a time; a process may run several."""

    def __init__(
        self,
        steps: StepRepository,
        jobs: JobService,
        cleaner: Cleaner,
        doers: Mapping[str, Mapping[StepKind, Doer]],
        patience_s: float,
    ) -> None:
        """`doers` says by kind of job who does which step."""
        self._steps = steps
        self._jobs = jobs
        self._cleaner = cleaner
        self._doers = dict(doers)
        self._patience_s = patience_s
        self._woken = asyncio.Event()

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Works until it is cancelled; whatever happens to the database meanwhile."""
        while True:
            try:
                if not await self.work_once():
                    await self._cleaner.clean()
                    await self._rest()
            except Exception as exc:
                log.error("lane_stumbled", error_type=type(exc).__name__, frames=frames_of(exc))
                await asyncio.sleep(_RETRY_S)

    async def drain(self) -> None:
        """Works until no step is free."""
        while await self.work_once():
            pass
        await self._cleaner.clean()

    async def work_once(self) -> bool:
        """Does one step, if one is free."""
        step = await self._steps.claim()
        if step is None:
            return False
        if step.kind == StepKind.PLAN:
            await self._jobs.start(step.job_id)
        if step.attempts > _MAX_ATTEMPTS:
            await self._jobs.fail(step.job_id, "INTERNAL", f"Given up after {_MAX_ATTEMPTS} lost workers.", {})
            return True
        identity = step.identity or begin()
        resume(identity)
        ids = {"job_id": step.job_id, "correlation_id": identity.correlation_id}
        with (
            structlog.contextvars.bound_contextvars(**ids),
            entry_span(f"job {step.kind}", step.traceparent, SpanKind.CONSUMER) as span,
        ):
            span.set_attributes({"foundryops.job_id": step.job_id, "foundryops.step": step.number})
            started = time.perf_counter()
            outcome = await self._do(step)
            JOB_SECONDS.labels(f"file {step.kind}").observe(time.perf_counter() - started)
            JOBS.labels(f"file {step.kind}", outcome).inc()
        await asyncio.to_thread(release_memory)
        return True

    async def _rest(self) -> None:
        self._woken.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), _IDLE_S)

    async def _do(self, step: Step) -> str:
        """How it ended: completed, stopped, waits, failed or crashed."""
        work = asyncio.ensure_future(self._doers[step.job_kind][StepKind(step.kind)](step))
        heart = asyncio.create_task(self._beat(step, work))
        try:
            await work
        except asyncio.CancelledError:
            if _is_ending():
                await asyncio.shield(self._steps.release(step))
                raise
            return "stopped"
        except Exception as exc:
            return await self._settle(step, exc)
        finally:
            heart.cancel()
        return "completed"

    async def _beat(self, step: Step, work: asyncio.Future[None]) -> None:
        """Renews the lease, and stops the work when it has become pointless."""
        while True:
            await asyncio.sleep(_BEAT_S)
            with suppress(DBAPIError):
                if not await self._steps.renew(step):
                    work.cancel()
                    return

    async def _settle(self, step: Step, exc: Exception) -> str:
        match exc:
            case DBAPIError():
                log.warning("step_abandoned", number=step.number)  # its lease runs out
                return "waits"
            case Unavailable() | StorageFull():
                await self._wait(step, exc)
                return "waits"
            case FoundryOpsError():
                log.warning("job_failed", code=exc.code)
                await self._fail(step, exc)
                return "failed"
            case _:
                log.error("job_crashed", error_type=type(exc).__name__, frames=frames_of(exc))
                await self._fail(step, InternalError("Something went wrong on our side."))
                return "crashed"

    async def _wait(self, step: Step, exc: FoundryOpsError) -> None:
        """Gives the step back for later; a job that has waited out the patience fails with the reason."""
        since = step.unavailable_since
        if since is not None and (now() - since).total_seconds() > self._patience_s:
            await self._fail(step, exc)
        else:
            log.warning("step_waits", code=exc.code, number=step.number)
            await self._steps.release(step, _RETRY_S, unavailable=True)

    async def _fail(self, step: Step, exc: FoundryOpsError) -> None:
        """Ends the job, unless another worker has taken the step over: then that one's word counts."""
        if await self._steps.renew(step):
            await self._jobs.fail(step.job_id, exc.code, exc.message, exc.details)


def _is_ending() -> bool:
    """Whether this task itself was cancelled, and not only the work that it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
