"""Measures the stages of a match: a histogram always, a span when tracing is on."""

from __future__ import annotations

import time
from types import TracebackType

from app.observability.metrics import MATCH_STAGE_SECONDS
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
        self._span.__exit__(kind, exc, trace)
