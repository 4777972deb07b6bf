"""What metrics, the access log and traces add to one match/record; CPU time, so that a busy machine tells the same.

`python -m bench.observability`
"""

from __future__ import annotations

import asyncio
import io
import logging
import time
from collections.abc import Callable

import structlog
from fastapi import FastAPI
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from app.api.edge import Edge, EdgeRules
from app.observability import configure_logging
from app.observability.metrics import MATCH_CANDIDATES, MATCHES, REQUEST_SECONDS, REQUESTS, REQUESTS_RUNNING
from app.observability.stages import stage
from app.observability.tracing import configure_tracing, entry_span, stop_tracing, trace_context

log = structlog.get_logger(__name__)

_ROUNDS = 5_000
_STAGES = ("prepare", "retrieve", "rerank", "answer")
_ROUTE = "/api/v2/match/record"


def metrics() -> None:
    """All that a match/record counts and times."""
    REQUESTS_RUNNING.inc()
    for name in _STAGES:
        with stage(name):
            pass
    MATCHES.labels("match").inc()
    MATCH_CANDIDATES.observe(50)
    REQUESTS.labels("POST", _ROUTE, "200").inc()
    REQUEST_SECONDS.labels(_ROUTE).observe(0.005)
    REQUESTS_RUNNING.dec()


def access_log() -> None:
    structlog.contextvars.bind_contextvars(request_id="req_0", correlation_id="c", organisation_id="o", key_id="k")
    log.info("request", method="POST", route=_ROUTE, status=200, took_ms=5.2)
    structlog.contextvars.clear_contextvars()


def traces() -> None:
    with entry_span("request", None, SpanKind.SERVER):
        trace_context()
        for name in _STAGES:
            with stage(name):
                pass


def edge() -> Callable[[], None]:
    """The whole edge around an application that answers at once: ids, limits, headers, metrics and log."""

    async def nothing(scope: object, receive: object, send: Callable[..., object]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[misc]
        await send({"type": "http.response.body", "body": b""})  # type: ignore[misc]

    around = Edge(FastAPI(), EdgeRules({}, 1000))
    around.application = nothing  # type: ignore[assignment]
    scope = {"type": "http", "method": "POST", "path": _ROUTE, "headers": [(b"host", b"a")]}
    loop = asyncio.new_event_loop()

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"{}"}

    async def send(message: object) -> None:
        return None

    return lambda: loop.run_until_complete(around(dict(scope), receive, send))


def cost_us(work: Callable[[], None]) -> float:
    for _ in range(200):
        work()
    started = time.process_time()
    for _ in range(_ROUNDS):
        work()
    return (time.process_time() - started) / _ROUNDS * 1e6


def main() -> None:
    configure_logging()
    [handler] = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(io.StringIO())
    print(f"metrics            {cost_us(metrics):6.1f} µs")
    print(f"access log         {cost_us(access_log):6.1f} µs")
    print(f"traces, off        {cost_us(traces):6.1f} µs, stages' metrics included")
    print(f"the whole edge     {cost_us(edge()):6.1f} µs, one round of the event loop included")
    configure_tracing("bench", BatchSpanProcessor(InMemorySpanExporter()))
    print(f"traces, on         {cost_us(traces):6.1f} µs, stages' metrics included")
    stop_tracing()


if __name__ == "__main__":
    main()
