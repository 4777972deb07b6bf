"""How arq runs our workers: JSON, ids only, no kept results, and a sweep for what a crash left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import orjson
from arq import cron, func
from arq.typing import WorkerCoroutine

from app.bootstrap import build
from app.config import Settings
from app.observability.metrics import serve
from app.observability.tracing import start_tracing, stop_tracing
from app.queue import QUEUE_NAME, redis_settings
from app.services.memory import settle_memory
from workers.tasks import retain, run_job, sweep, wake_lanes

_JOB_TIMEOUT_S = 6 * 3600
_POLL_DELAY_S = 0.1
_SWEEP_SECONDS = set(range(0, 60, 5))
_RETENTION_MINUTE = 17
_RETENTION_TIMEOUT_S = 3600
_MAX_JOBS = 4
_LANES = 2
"""While one writes a chunk's answers and fetches the next chunk, the other matches."""
_HEALTH_S = 10
"""How often a worker says to the queue that it lives; arq's own hour would hide a dead one."""


async def _start(context: dict[str, Any]) -> None:
    settings = Settings()
    start_tracing("worker", settings)
    if settings.worker_metrics_port is not None:
        serve(settings.worker_metrics_port, settings.api_host)
    # A group of records takes longer than one that somebody waits for, most of all while the engine is busy.
    patient = settings.model_copy(update={"opensearch_timeout_ms": settings.opensearch_worker_timeout_ms})
    services = await build(patient)
    await services.repair()
    context["services"] = services
    settle_memory()
    loops = (*(services.lane.run() for _ in range(_LANES)), services.courier.run())
    context["loops"] = [asyncio.create_task(loop) for loop in loops]


async def _stop(context: dict[str, Any]) -> None:
    """The lane gives its step back, so that another worker has it at once."""
    for loop in context["loops"]:
        loop.cancel()
    await asyncio.wait(context["loops"])
    await context["services"].close()
    stop_tracing()


def _task(function: Callable[..., Awaitable[None]]) -> WorkerCoroutine:
    """arq's own type of a task asks for more than it calls."""
    return cast(WorkerCoroutine, function)


def worker_settings() -> type[Any]:
    """The settings class that arq reads, made from the environment."""
    broker = redis_settings(Settings().redis_url)

    class WorkerSettings:
        functions = (
            func(_task(run_job), timeout=_JOB_TIMEOUT_S, keep_result=0, max_tries=1),
            func(_task(wake_lanes), keep_result=0, max_tries=1),
        )
        cron_jobs = (
            cron(_task(sweep), second=_SWEEP_SECONDS, run_at_startup=True, keep_result=0),
            cron(_task(retain), minute=_RETENTION_MINUTE, timeout=_RETENTION_TIMEOUT_S, keep_result=0),
        )
        queue_name = QUEUE_NAME
        on_startup = _start
        on_shutdown = _stop
        health_check_interval = _HEALTH_S
        poll_delay = _POLL_DELAY_S
        max_jobs = _MAX_JOBS
        job_serializer = orjson.dumps
        job_deserializer = orjson.loads
        handle_signals = True
        redis_settings = broker

    return WorkerSettings
