"""Liveness, readiness by dependency, and metrics."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from app.api.deps import ServicesDep, json_response

router = APIRouter(tags=["operations"])
_CHECK_TIMEOUT_S = 2.0


@router.get("/health/live", summary="The process answers")
async def live() -> Response:
    return json_response({"status": "ok"})


@router.get("/health/ready", summary="Every dependency answers; 503 names those that do not")
async def ready(services: ServicesDep) -> Response:
    found: dict[str, str] = {}
    for name, check in services.checks().items():
        try:
            await asyncio.wait_for(check(), _CHECK_TIMEOUT_S)
            found[name] = "ok"
        except Exception as exc:
            found[name] = f"unavailable: {type(exc).__name__}"
    ok = all(state == "ok" for state in found.values())
    return json_response({"status": "ok" if ok else "unavailable", "dependencies": found}, 200 if ok else 503)


@router.get("/metrics", summary="Prometheus metrics")
async def metrics() -> Response:
    return Response(generate_latest(), 200, None, CONTENT_TYPE_LATEST)
