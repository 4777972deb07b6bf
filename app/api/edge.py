"""The outermost layer: ids, limits and security headers, one measured and logged line a request, no error without envelope."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from opentelemetry.trace import Span, SpanKind
from starlette.types import Message, Receive, Scope, Send

from app.api.admission import answer_begins, answer_ends
from app.api.errors import envelope, error_response
from app.api.security_headers import secured
from app.errors import FoundryOpsError, InvalidRequest, InvalidSchema, PayloadTooLarge, UnsupportedMediaType
from app.identity import Identity, begin, end
from app.observability import frames_of
from app.observability.metrics import REQUEST_SECONDS, REQUESTS, REQUESTS_RUNNING
from app.observability.tracing import entry_span, trace_context

log = structlog.get_logger(__name__)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNMATCHED = "unmatched"
_QUIET = frozenset({"/health/live", "/health/ready", "/metrics"})
"""Asked every few seconds by machines: logged only when they fail."""


@dataclass(frozen=True, slots=True)
class EdgeRules:
    """Body limits in bytes, by the path's ending and for all others; hosts that clients may ask for, all when empty."""

    limits: Mapping[str, int]
    default_limit: int
    hosts: frozenset[str] = frozenset()
    https: bool = False
    streamed_path: str = "/api/v2/uploads/"
    """A PUT under it is a file: its body goes by unread, the route streams and bounds it."""

    def streams(self, scope: Scope) -> bool:
        return scope["method"] == "PUT" and str(scope["path"]).startswith(self.streamed_path)


class BodyTooLarge(Exception):
    """The body grew past its limit while it was read."""

    def __init__(self, received: int) -> None:
        super().__init__(received)
        self.received = received


class Edge:
    """Wraps the finished application."""

    def __init__(self, app: FastAPI, rules: EdgeRules) -> None:
        self.application = app
        self._rules = rules
        self._templates = {context.endpoint: context.path or _UNMATCHED for context in iter_route_contexts(app.routes)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        given = _Given.of(scope)
        identity = begin(given.correlation)
        answer = _Answer(scope, send, identity, https=self._rules.https)
        started = time.perf_counter()
        with entry_span("request", given.traceparent, SpanKind.SERVER) as span:
            ids = {"request_id": identity.request_id, "correlation_id": identity.correlation_id}
            span.set_attributes({f"foundryops.{name}": value for name, value in ids.items()})
            structlog.contextvars.bind_contextvars(**ids, **trace_context())
            REQUESTS_RUNNING.inc()
            try:
                await self._answer(scope, given, receive, answer)
            finally:
                answer_ends(scope)
                REQUESTS_RUNNING.dec()
                route = self._templates.get(scope.get("endpoint"), _UNMATCHED)
                _report(_Done(scope["method"], route, answer.status, time.perf_counter() - started), span)
                structlog.contextvars.clear_contextvars()
                end()

    async def _answer(self, scope: Scope, given: _Given, receive: Receive, answer: _Answer) -> None:
        try:
            admitted = await self._admit(scope, given, receive)
        except FoundryOpsError as refused:
            await error_response(refused)(scope, receive, answer)
            return
        try:
            await self.application(scope, admitted, answer)
        except Exception as exc:
            log.error("request_failed", error_type=type(exc).__name__, frames=frames_of(exc))
            if answer.status == 0:
                await answer({"type": "http.response.start", "status": 500, "headers": [_JSON]})
                await answer({"type": "http.response.body", "body": envelope("INTERNAL", "Something went wrong.", {})})

    async def _admit(self, scope: Scope, given: _Given, receive: Receive) -> Receive:
        """The door of the body of a request that may come in; raises what is wrong with it."""
        rules = self._rules
        if rules.hosts and given.host not in rules.hosts and scope["path"] not in _QUIET:
            raise InvalidRequest("This service does not answer for the host that was asked for.", field="Host")
        if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
            raise InvalidSchema("The address holds the character U+0000, which no name or id has.", field="path")
        if given.encoding not in (b"", b"identity"):
            raise UnsupportedMediaType("Send the body uncompressed: Content-Encoding is not accepted.")
        if rules.streams(scope):
            return receive
        limit = next((size for end, size in rules.limits.items() if scope["path"].endswith(end)), rules.default_limit)
        try:
            body = await _read(given.length, receive, limit)
        except BodyTooLarge as exc:
            message = f"The body may have at most {limit} bytes."
            raise PayloadTooLarge(message, limit=limit, received=exc.received) from exc
        if body is None:
            raise InvalidRequest("The client closed the connection before the body was complete.")
        return _replay(body, receive)


@dataclass(slots=True)
class _Given:
    """The request headers that are read before the application sees the request."""

    correlation: bytes | None = None
    traceparent: str | None = None
    encoding: bytes = b""
    host: str = ""
    length: int = 0

    @classmethod
    def of(cls, scope: Scope) -> _Given:
        found = cls()
        for name, value in scope["headers"]:
            if name == b"x-correlation-id":
                found.correlation = value
            elif name == b"traceparent":
                found.traceparent = value.decode("latin-1")
            elif name == b"content-encoding":
                found.encoding = value.strip().lower()
            elif name == b"host":
                found.host = value.decode("latin-1").rsplit(":", 1)[0].lower()
            elif name == b"content-length" and value.isdigit():
                found.length = int(value)
        return found


_JSON = (b"content-type", b"application/json")


class _Answer:
    """Passes messages on and writes ids, limits and the security headers into the headers."""

    def __init__(self, scope: Scope, send: Send, identity: Identity, *, https: bool) -> None:
        self._scope = scope
        self._send = send
        self._identity = identity
        self._https = https
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [
                *secured(message.get("headers", ()), https=self._https),
                (b"x-request-id", self._identity.request_id.encode()),
                (b"x-correlation-id", self._identity.correlation_id.encode()),
                *answer_begins(self._scope),
            ]
        await self._send(message)


async def _read(announced: int, receive: Receive, limit: int) -> bytes | None:
    """The whole body; None when the client went away; raises BodyTooLarge as soon as it is."""
    if announced > limit:
        raise BodyTooLarge(announced)
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


@dataclass(frozen=True, slots=True)
class _Done:
    """An answered request, by its route's template: never by its path, whose parts a caller chose."""

    method: str
    route: str
    status: int
    seconds: float


def _report(done: _Done, span: Span) -> None:
    """Counts, times and logs a request."""
    method = done.method if done.method in _METHODS else "OTHER"
    REQUESTS.labels(method, done.route, str(done.status)).inc()
    REQUEST_SECONDS.labels(done.route).observe(done.seconds)
    if span.is_recording():
        span.update_name(f"{method} {done.route}")
        attributes: dict[str, str | int] = {
            "http.request.method": method,
            "http.route": done.route,
            "http.response.status_code": done.status,
        }
        span.set_attributes(attributes)
    if done.route not in _QUIET or done.status >= 400:
        took_ms = round(done.seconds * 1000, 2)
        log.info("request", method=method, route=done.route, status=done.status, took_ms=took_ms)
