"""The ASGI application: `create_app(settings)`; `uvicorn app.main:create_app --factory` reads the environment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, Field

from app.api import datasets, health, jobs, match, webhooks
from app.api.edge import Edge
from app.api.errors import install
from app.bootstrap import build
from app.config import Settings
from app.observability import configure_logging


class ErrorBody(BaseModel):
    code: str = Field(examples=["INVALID_SCHEMA"])
    message: str = Field(examples=["Field 'customer_id' expected int, got string"])
    details: dict[str, Any] = Field(examples=[{"field": "customer_id", "expected": "int", "received": "string"}])


class ErrorEnvelope(BaseModel):
    """What every answer that is not 2xx holds."""

    error: ErrorBody
    correlation_id: str
    request_id: str


_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorEnvelope, "description": "The request cannot be read"},
    401: {"model": ErrorEnvelope, "description": "No valid API key"},
    403: {"model": ErrorEnvelope, "description": "The key lacks a scope"},
    404: {"model": ErrorEnvelope, "description": "No such thing in this organisation"},
    405: {"model": ErrorEnvelope, "description": "The path has no such method"},
    409: {"model": ErrorEnvelope, "description": "The state does not allow it"},
    413: {"model": ErrorEnvelope, "description": "The body is over its limit"},
    422: {"model": ErrorEnvelope, "description": "A value is not what the contract says"},
    500: {"model": ErrorEnvelope, "description": "A bug of ours"},
    503: {"model": ErrorEnvelope, "description": "A dependency does not answer; ask again after Retry-After"},
}


def create_app(settings: Settings | None = None) -> Edge:
    """The finished application; it connects when it starts and lets go when it stops."""
    chosen = settings or Settings()
    configure_logging(chosen.log_level)
    app = FastAPI(title="FoundryOps API", version="2.0.0", lifespan=_lifespan(chosen), redirect_slashes=False)
    v2 = APIRouter(prefix="/api/v2", responses=_ERRORS)
    for router in (datasets.router, match.router, jobs.router, webhooks.router):
        v2.include_router(router)
    app.include_router(v2)
    app.include_router(health.router)
    install(app)
    limits = {
        "/match/record": chosen.record_body_limit_bytes,
        "/match/explain": chosen.record_body_limit_bytes,
        "/match/batch": chosen.batch_body_limit_bytes,
        "/append": chosen.append_body_limit_bytes,
    }
    return Edge(app, limits, chosen.record_body_limit_bytes)


def _lifespan(settings: Settings) -> Any:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        services = await build(settings)
        app.state.services = services
        try:
            yield
        finally:
            await services.close()

    return lifespan
