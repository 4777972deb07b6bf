"""Liveness, readiness by dependency, and metrics."""

from __future__ import annotations

import asyncio

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
    """For a load balancer: 503 names the dependencies that do not answer."""
    found: dict[str, str] = {}
    for name, check in services.checks().items():
        try:
            await asyncio.wait_for(check(), _CHECK_TIMEOUT_S)
            found[name] = "ok"
        except Exception as exc:
            found[name] = f"unavailable: {type(exc).__name__}"
    ok = all(state == "ok" for state in found.values())
    return json_response({"status": "ok" if ok else "unavailable", "dependencies": found}, 200 if ok else 503)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"description": "Prometheus text", "content": {"text/plain": {"schema": {"type": "string"}}}}},
    summary="Metrics for Prometheus",
)
async def metrics() -> Response:
    """Named and explained in docs/operations.md."""
    return Response(exposition(), 200, None, CONTENT_TYPE_LATEST)
