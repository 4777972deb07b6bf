"""The outermost layer: ids on every answer, bodies within their limits, latency measured, and no error without envelope."""

from __future__ import annotations

import time
from collections.abc import Mapping

import structlog
from fastapi import FastAPI
from prometheus_client import Counter, Histogram
from starlette.types import Message, Receive, Scope, Send

from app.api.errors import envelope, error_response
from app.api.identity import Identity, begin
from app.errors import InvalidRequest, PayloadTooLarge

log = structlog.get_logger(__name__)

REQUESTS = Counter("foundryops_requests_total", "Requests answered", ["method", "route", "status"])
LATENCY = Histogram(
    "foundryops_request_seconds",
    "Time to answer",
    ["route"],
    buckets=(0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)


class BodyTooLarge(Exception):
    """The body grew past its limit while it was read."""

    def __init__(self, received: int) -> None:
        super().__init__(received)
        self.received = received


class Edge:
    """Wraps the finished application; `limits` gives bytes by the path's ending, `default_limit` for all others."""

    def __init__(self, app: FastAPI, limits: Mapping[str, int], default_limit: int) -> None:
        self.application = app
        self._limits = dict(limits)
        self._default = default_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        identity = begin(next((v for k, v in scope["headers"] if k == b"x-correlation-id"), None))
        structlog.contextvars.bind_contextvars(request_id=identity.request_id, correlation_id=identity.correlation_id)
        answer = _Answer(send, identity)
        started = time.perf_counter()
        try:
            await self._answer(scope, receive, answer)
        finally:
            _measure(scope, answer.status, time.perf_counter() - started)
            structlog.contextvars.clear_contextvars()

    async def _answer(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        limit = next((size for end, size in self._limits.items() if scope["path"].endswith(end)), self._default)
        try:
            body = await _read(scope, receive, limit)
        except BodyTooLarge as exc:
            too_large = PayloadTooLarge(f"The body may have at most {limit} bytes.", limit=limit, received=exc.received)
            await error_response(too_large)(scope, receive, answer)
            return
        if body is None:
            broken = InvalidRequest("The client closed the connection before the body was complete.")
            await error_response(broken)(scope, receive, answer)
            return
        try:
            await self.application(scope, _replay(body, receive), answer)
        except Exception as exc:
            log.error("request_failed", error_type=type(exc).__name__)
            if answer.status == 0:
                await answer({"type": "http.response.start", "status": 500, "headers": [_JSON]})
                await answer({"type": "http.response.body", "body": envelope("INTERNAL", "Something went wrong.", {})})


_JSON = (b"content-type", b"application/json")


class _Answer:
    """Passes messages on and writes the ids into the headers."""

    def __init__(self, send: Send, identity: Identity) -> None:
        self._send = send
        self._identity = identity
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [
                *message.get("headers", ()),
                (b"x-request-id", self._identity.request_id.encode()),
                (b"x-correlation-id", self._identity.correlation_id.encode()),
            ]
        await self._send(message)


async def _read(scope: Scope, receive: Receive, limit: int) -> bytes | None:
    """The whole body; None when the client went away; raises BodyTooLarge as soon as it is."""
    announced = next((v for k, v in scope["headers"] if k == b"content-length"), b"0")
    if announced.isdigit() and int(announced) > limit:
        raise BodyTooLarge(int(announced))
    parts: list[bytes] = []
    received = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        received += len(part)
        if received > limit:
            raise BodyTooLarge(received)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Gives the body once, then whatever the connection says."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _measure(scope: Scope, status: int, seconds: float) -> None:
    route = scope.get("route")
    path = getattr(route, "path", "unmatched")
    REQUESTS.labels(scope["method"], path, str(status)).inc()
    LATENCY.labels(path).observe(seconds)
