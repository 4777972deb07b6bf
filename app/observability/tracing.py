"""OpenTelemetry traces: W3C context in and out, spans of our own; off by default, and then nearly free.

Spans hold ids, counts and codes; FastAPI's own telemetry stays off because it records queries and error messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.config import Settings

Attribute = str | int | float | bool

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_propagator = TraceContextTextMapPropagator()
_inbound: ContextVar[str | None] = ContextVar("traceparent", default=None)
_OFF: AbstractContextManager[Span] = nullcontext(trace.INVALID_SPAN)


class _Tracing:
    """The process's tracer; none while tracing is off."""

    provider: TracerProvider | None = None
    tracer: trace.Tracer | None = None


def configure_tracing(part: str, processor: SpanProcessor, ratio: float = 1.0) -> None:
    """Turns tracing on for this process; `ratio` of the traces that begin here are kept, a caller's choice is followed."""
    provider = TracerProvider(
        resource=Resource.create({"service.name": f"foundryops-{part}"}), sampler=ParentBased(TraceIdRatioBased(ratio))
    )
    provider.add_span_processor(processor)
    _Tracing.provider, _Tracing.tracer = provider, provider.get_tracer("foundryops")


def start_tracing(part: str, settings: Settings) -> None:
    """Sends the traces of this part of the service to the collector that the settings name, if they name one."""
    if settings.otlp_endpoint is None:
        return
    # Imported here: a process that does not trace pays nothing for protobuf.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(endpoint=f"{settings.otlp_endpoint.rstrip('/')}/v1/traces")
    configure_tracing(part, BatchSpanProcessor(exporter), settings.trace_ratio)


def stop_tracing() -> None:
    """Sends what waits and turns tracing off."""
    if _Tracing.provider is not None:
        _Tracing.provider.shutdown()
    _Tracing.provider = _Tracing.tracer = None


def span(name: str, **attributes: Attribute) -> AbstractContextManager[Span]:
    """A span within the current one; an error's type is noted, its message is not."""
    if _Tracing.tracer is None:
        return _OFF
    return _spanned(_Tracing.tracer, name, None, SpanKind.INTERNAL, attributes)


def entry_span(name: str, traceparent: str | None, kind: SpanKind) -> AbstractContextManager[Span]:
    """The first span of a request or job in this process, a child of the span that `traceparent` names."""
    valid = traceparent if traceparent is not None and _TRACEPARENT.fullmatch(traceparent) else None
    _inbound.set(valid)
    if _Tracing.tracer is None:
        return _OFF
    parent = _propagator.extract({"traceparent": valid}) if valid else Context()
    return _spanned(_Tracing.tracer, name, parent, kind, {})


def current_traceparent() -> str | None:
    """What to send along or keep with a job: the current span's, else what came in; None outside of any trace."""
    if _Tracing.tracer is None:
        return _inbound.get()
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent")


def trace_context() -> dict[str, str]:
    """`trace_id`, 32 hex digits, for the log's context; empty outside of any trace."""
    traceparent = current_traceparent()
    return {"trace_id": traceparent[3:35]} if traceparent else {}


@contextmanager
def _spanned(
    tracer: trace.Tracer, name: str, parent: Context | None, kind: SpanKind, attributes: dict[str, Attribute]
) -> Iterator[Span]:
    with tracer.start_as_current_span(
        name, parent, kind, attributes, record_exception=False, set_status_on_exception=False
    ) as started:
        try:
            yield started
        except BaseException as exc:
            started.set_attribute("error.type", type(exc).__name__)
            started.set_status(Status(StatusCode.ERROR))
            raise
