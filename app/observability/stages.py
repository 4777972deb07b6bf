"""Measures what takes time, the stages of a match and the build of an index: metrics always, spans when tracing is on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from app.errors import FoundryOpsError
from app.observability.metrics import (
    INDEX_BUILD_SECONDS,
    INDEX_BUILDS,
    INDEX_RECORDS,
    MATCH_STAGE_SECONDS,
    SEARCH_ERRORS,
)
from app.observability.tracing import span

_SECONDS = {name: MATCH_STAGE_SECONDS.labels(name) for name in ("prepare", "retrieve", "rerank", "answer")}


class stage:  # noqa: N801 - reads as `with stage("retrieve"):`
    """Times the block; `name` is one of prepare, retrieve, rerank, answer."""

    __slots__ = ("_name", "_span", "_started")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._span = span(f"match.{self._name}")
        self._span.__enter__()
        self._started = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        _SECONDS[self._name].observe(time.perf_counter() - self._started)
        if self._name == "retrieve" and isinstance(exc, FoundryOpsError):
            SEARCH_ERRORS.labels(exc.code).inc()
        self._span.__exit__(kind, exc, trace)


@contextmanager
def measured_build(index: str, records: int) -> Iterator[None]:
    """Counts and times the build of an index, by whether the block raises."""
    started = time.perf_counter()
    try:
        with span("index.build", index=index, records=records):
            yield
    except BaseException:
        INDEX_BUILDS.labels("failed").inc()
        raise
    INDEX_BUILDS.labels("built").inc()
    INDEX_BUILD_SECONDS.observe(time.perf_counter() - started)
    INDEX_RECORDS.inc(records)
