"""OpenSearch and Valkey alone, for as long as a `with` block lasts; what the tests and benchmarks take as engines."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console

from app.embedded.fetch import ensure_jars
from app.embedded.jars import JarCache, default_cache_dir
from app.embedded.machine import Say, choose_heap_mb
from app.embedded.opensearch import NodeOptions, OpenSearchPart
from app.embedded.part import Part, State
from app.embedded.process import Guard
from app.embedded.valkey import ValkeyPart

_POLL_S = 0.05
OPENSEARCH_PORT = 9200
VALKEY_PORT = 6379


def _quiet(message: str) -> None:
    """The engines of a test may take any port without saying so."""


class EngineStack:
    """Starts both engines in `folder`, keeps their data there, ends them by their own process ids.

    Enter it from the main thread (see shim.py). Nothing restarts an engine that dies: call `tick`, or `wait`.
    """

    def __init__(self, folder: Path, heap_mb: int | None = None, say: Say = _quiet) -> None:
        cache = JarCache(default_cache_dir())
        class_path = ensure_jars(cache, Console(stderr=True))
        options = NodeOptions(folder / "opensearch", class_path, choose_heap_mb(heap_mb), OPENSEARCH_PORT)
        self.opensearch = OpenSearchPart(options, say)
        self.valkey = ValkeyPart(folder / "valkey", VALKEY_PORT, say)
        self._guard = Guard()
        self.parts = [Part(spec, folder / "logs", self._guard, say) for spec in (self.opensearch, self.valkey)]

    @property
    def opensearch_url(self) -> str:
        return self.opensearch.url

    @property
    def redis_url(self) -> str:
        return self.valkey.url

    @property
    def pids(self) -> dict[str, int]:
        return {part.spec.name: part.pid for part in self.parts if part.pid is not None}

    def wait(self) -> None:
        """Drives both engines until they are ready. Raises StackError."""
        while not self.tick():
            time.sleep(_POLL_S)

    def tick(self) -> bool:
        """One step of both engines, which starts again what died; True if both are ready. Raises StackError."""
        for part in self.parts:
            part.tick()
        return all(part.state is State.READY for part in self.parts)

    def __enter__(self) -> Self:
        try:
            self.wait()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        stop_all(self.parts)
        self._guard.close()


def stop_all(parts: Sequence[Part]) -> None:
    """Asks all of them to end, then waits for each."""
    for part in parts:
        part.terminate()
    for part in parts:
        part.stop()
