"""One process above all parts: starts them in order, starts again what dies, ends them in order."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from app.config import Settings
from app.embedded.environment import part_environment
from app.embedded.errors import StopRequested
from app.embedded.folder import StackFolder
from app.embedded.machine import Say
from app.embedded.opensearch import NodeOptions, OpenSearchPart
from app.embedded.part import Part, State
from app.embedded.preparation import Preparation
from app.embedded.process import Guard
from app.embedded.python_parts import ApiPart, WorkerPart
from app.embedded.stack import stop_all
from app.embedded.valkey import ValkeyPart

_STOP = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_WAKE = _STOP | {signal.SIGCHLD}
_POLL_STARTING_S = 0.1
_POLL_STEADY_S = 1.0


@dataclass(frozen=True)
class Plan:
    """What to supervise; `prepare` is the command that migrates the database and answers with the development key."""

    settings: Settings
    folder: StackFolder
    node: NodeOptions
    prepare: Sequence[str] | None
    with_services: bool = True


@dataclass
class Supervisor:
    """`run` returns when asked to end by a signal, and raises StackError when a part cannot start at first."""

    plan: Plan
    say: Say
    on_ready: Callable[[dict[str, Any]], None]
    _connection: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        settings, folder = self.plan.settings, self.plan.folder
        self._guard = Guard()
        self._opensearch = OpenSearchPart(self.plan.node, self.say)
        self._valkey = ValkeyPart(folder.valkey, settings.embedded_valkey_port, self.say)
        self._api = ApiPart(settings.api_host, settings.api_port, self._environment, self.say)
        names = ["worker", *(f"worker_{number}" for number in range(2, settings.embedded_workers + 1))]
        workers = [WorkerPart(name, self._environment) for name in names]

        def part(spec: OpenSearchPart | ValkeyPart | ApiPart | WorkerPart) -> Part:
            return Part(spec, folder.logs, self._guard, self.say)

        self._engines = [part(self._opensearch), part(self._valkey)]
        self._services = [part(self._api), *map(part, workers)] if self.plan.with_services else []

    def run(self) -> None:
        """Needs the folder's lock, and the main thread."""
        previous = signal.pthread_sigmask(signal.SIG_BLOCK, _WAKE)
        known = self.plan.folder.read_connection()
        self._connection = {name: known[name] for name in ("api_key", "organisation_id") if name in known}
        self.plan.folder.empty_metrics()
        self._connection["started_at"] = datetime.now(UTC).isoformat()
        try:
            self._start()
            self.on_ready(self._write("ready"))
            while True:
                self._step([*self._engines, *self._services])
        except StopRequested:
            self.say("stopping")
        finally:
            self._write("stopping")
            stop_all(self._services)
            stop_all(self._engines)
            self._guard.close()
            self._write("stopped")
            signal.pthread_sigmask(signal.SIG_SETMASK, previous)

    def _start(self) -> None:
        preparation = self._prepare() if self.plan.prepare else None
        prepared = preparation is None
        while not (prepared and _all_ready(self._engines)):
            self._step(self._engines)
            if not prepared and preparation and (result := preparation.result()) is not None:
                self._connection.update(result)
                prepared = True
        while not _all_ready(self._services):
            self._step([*self._engines, *self._services])

    def _prepare(self) -> Preparation:
        assert self.plan.prepare is not None
        key = {"FOUNDRYOPS_DEVELOPMENT_API_KEY": str(self._connection.get("api_key", ""))}
        return Preparation(self.plan.prepare, {**self._environment(), **key}, self._guard)

    def _step(self, parts: Sequence[Part]) -> None:
        """Ticks each part, writes what changed, then sleeps until a child or a signal wakes it."""
        engines_before = (self._opensearch.url, self._valkey.url)
        changed = [part.tick() for part in parts]
        if engines_before != (self._opensearch.url, self._valkey.url):
            for service in self._services:
                service.restart()
        if any(changed):
            self._write("ready" if _all_ready([*self._engines, *self._services]) else "starting")
        self._pause(_POLL_STEADY_S if _all_ready(parts) else _POLL_STARTING_S)

    def _pause(self, seconds: float) -> None:
        woken = signal.sigtimedwait(_WAKE, seconds)
        if woken is not None and woken.si_signo in _STOP:
            raise StopRequested

    def _environment(self) -> Mapping[str, str]:
        return part_environment(self.plan.settings, self.plan.folder, self._opensearch.url, self._valkey.url)

    def _write(self, state: str) -> dict[str, Any]:
        parts = [*self._engines, *self._services]
        pids = {"supervisor": os.getpid()} | {part.spec.name: part.pid for part in parts if part.pid is not None}
        content = {
            "state": state,
            **self._connection,
            "base_url": self._api.base_url,
            "metrics_url": f"{self._api.base_url}/metrics",
            "opensearch_url": self._opensearch.url,
            "valkey_url": self._valkey.url,
            "redis_url": self._valkey.url,
            "pids": pids if state != "stopped" else {},
        }
        self.plan.folder.write_connection(content)
        return content


def _all_ready(parts: Sequence[Part]) -> bool:
    return all(part.state is State.READY for part in parts)
