"""The ASGI application: `create_app(settings)`; `uvicorn app.main:create_app --factory` reads the environment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI

from app.api import (
    audit,
    billing,
    datasets,
    decisions,
    docs_ui,
    health,
    jobs,
    keys,
    labels,
    match,
    standing_decisions,
    uploads,
    webhooks,
)
from app.api.edge import Edge, EdgeRules
from app.api.errors import install
from app.api.openapi import complete, operation_id
from app.bootstrap import build
from app.config import Settings
from app.observability import configure_logging
from app.observability.tracing import start_tracing, stop_tracing
from app.services.memory import settle_memory


def create_app(settings: Settings | None = None) -> Edge:
    """The finished application; it connects when it starts and lets go when it stops."""
    chosen = settings or Settings()
    configure_logging(chosen.log_level)
    app = FastAPI(
        title="FoundryOps API",
        version="2.0.0",
        lifespan=_lifespan(chosen),
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=operation_id,
        # Its own telemetry records queries and error messages; app.api.edge makes the request's span.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    v2 = APIRouter(prefix="/api/v2")
    for router in (
        datasets.router,
        labels.router,
        match.router,
        jobs.router,
        uploads.router,
        webhooks.router,
        decisions.router,
        keys.router,
        audit.router,
        standing_decisions.router,
        billing.router,
    ):
        v2.include_router(router)
    app.include_router(v2)
    app.include_router(health.router)
    app.include_router(docs_ui.router)
    app.webhooks.include_router(webhooks.messages)
    install(app, chosen.top_up_url)
    complete(app)
    limits = {
        "/match/record": chosen.record_body_limit_bytes,
        "/match/explain": chosen.record_body_limit_bytes,
        "/match/batch": chosen.batch_body_limit_bytes,
        "/append": chosen.append_body_limit_bytes,
        "/labels": chosen.batch_body_limit_bytes,
    }
    https = (chosen.public_base_url or "").startswith("https://")
    hosts = frozenset(host.lower() for host in chosen.allowed_hosts)
    return Edge(app, EdgeRules(limits, chosen.record_body_limit_bytes, hosts, https))


def _lifespan(settings: Settings) -> Any:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        start_tracing("api", settings)
        services = await build(settings)
        app.state.services = services
        settle_memory()
        try:
            yield
        finally:
            await services.close()
            stop_tracing()

    return lifespan
