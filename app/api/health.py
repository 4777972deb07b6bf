"""Liveness, readiness by dependency, and metrics."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from app.api.answers.operations import Alive, Ready
from app.api.deps import ServicesDep, json_response
from app.observability.metrics import exposition

router = APIRouter(tags=["operations"])
_CHECK_TIMEOUT_S = 2.0


@router.get("/health/live", response_model=Alive, summary="The process answers")
async def live() -> Response:
    """For a supervisor that restarts what hangs; asks no dependency."""
    return json_response({"status": "ok"})


@router.get(
    "/health/ready",
    response_model=Ready,
    responses={503: {"model": Ready, "description": "The dependencies that do not answer are named"}},
    summary="Every dependency answers",
)
async def ready(services: ServicesDep) -> Response:
    """For a load balancer: 503 names the dependencies that do not answer.

    Without a worker the service stays ready: records are matched at once, jobs wait.
    """
    checks = services.checks()
    states = await asyncio.gather(*(_state(check) for check in checks.values()))
    ok = all(state == "ok" for state in states)
    pulse = await services.pulse.feel()
    answer = {
        "status": "ok" if ok else "unavailable",
        "dependencies": dict(zip(checks, states, strict=True)),
        "workers": {0.0: "none seen", 1.0: "ok"}.get(pulse.worker_seen, "unknown"),
        "queue_depth": None if math.isnan(pulse.queue_depth) else int(pulse.queue_depth),
    }
    return json_response(answer, 200 if ok else 503)


async def _state(check: Callable[[], Awaitable[object]]) -> str:
    try:
        await asyncio.wait_for(check(), _CHECK_TIMEOUT_S)
    except Exception as exc:
        return f"unavailable: {type(exc).__name__}"
    return "ok"


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"description": "Prometheus text", "content": {"text/plain": {"schema": {"type": "string"}}}}},
    summary="Metrics for Prometheus",
)
async def metrics(services: ServicesDep) -> Response:
    """Named and explained in docs/operations.md."""
    await services.pulse.feel()
    return Response(exposition(), 200, None, CONTENT_TYPE_LATEST)
