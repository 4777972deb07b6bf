"""One part of the stack and its life: down → starting → ready, started again with a growing pause when it dies."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from app.embedded.errors import StackError
from app.embedded.machine import Say
from app.embedded.process import Child, Guard

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
# A part that has lived this long starts again at once; its earlier deaths are forgotten.
STEADY_S = 60.0


@dataclass(frozen=True, slots=True)
class Launch:
    """What to run: program with arguments, and the whole environment."""

    command: Sequence[str]
    env: Mapping[str, str]


class PartSpec(ABC):
    """How one part is started and asked whether it is there."""

    name: str
    start_timeout_s: float = 60.0
    stop_timeout_s: float = 15.0

    @abstractmethod
    def launch(self) -> Launch:
        """Chooses ports, writes configuration; called before every start. Raises StackError."""

    @abstractmethod
    def is_ready(self, pid: int) -> bool:
        """Asks the part; must answer within a few seconds. Raises StackError if it can never become ready."""


class State(StrEnum):
    DOWN = "down"
    STARTING = "starting"
    READY = "ready"


class Part:
    """Drives one spec by `tick`; never blocks longer than one `is_ready`."""

    def __init__(self, spec: PartSpec, log_dir: Path, guard: Guard, say: Say) -> None:
        self.spec = spec
        self.state = State.DOWN
        self.child: Child | None = None
        self._log = log_dir / f"{spec.name}.log"
        self._guard = guard
        self._say = say
        self._failures = 0
        self._next_start = 0.0
        self._since = 0.0
        self._was_ready = False

    @property
    def pid(self) -> int | None:
        return self.child.pid if self.child is not None else None

    def tick(self) -> bool:
        """One step; True if the process id or the state changed. Raises StackError if the very first start fails."""
        before = (self.pid, self.state)
        now = time.monotonic()
        if self.child is None:
            if now >= self._next_start:
                self._start(now)
        elif (code := self.child.exit_code()) is not None:
            self._fail(now, self._exit_words(code))
        elif self.state is State.STARTING:
            self._check_start(now)
        elif now - self._since > STEADY_S:
            self._failures = 0
        return before != (self.pid, self.state)

    def terminate(self) -> None:
        if self.child is not None:
            self.child.terminate()

    def stop(self) -> None:
        """Ends the part: asks, waits, kills."""
        if self.child is None:
            return
        self.child.terminate()
        if not self.child.wait_or_kill(self.spec.stop_timeout_s):
            self._say(f"{self.spec.name} did not stop within {self.spec.stop_timeout_s:.0f} s and was killed")
        self.child, self.state = None, State.DOWN

    def restart(self) -> None:
        """Ends the part; the next tick starts it anew."""
        self.stop()
        self._next_start = 0.0

    def _start(self, now: float) -> None:
        launch = self.spec.launch()
        self.child = Child(launch.command, launch.env, self._log, self._guard)
        self.state, self._since = State.STARTING, now

    def _check_start(self, now: float) -> None:
        assert self.child is not None
        if self.spec.is_ready(self.child.pid):
            self.state, self._since = State.READY, now
            if self._was_ready:
                self._say(f"{self.spec.name} is back (process {self.child.pid})")
            self._was_ready = True
        elif now - self._since > self.spec.start_timeout_s:
            self._fail(now, f"{self.spec.name} did not become ready within {self.spec.start_timeout_s:.0f} s")

    def _fail(self, now: float, what: str) -> None:
        assert self.child is not None
        tail = self.child.log_tail()
        self.child.wait_or_kill(0)
        self.child, self.state = None, State.DOWN
        if not self._was_ready:
            raise StackError(f"{what}; the end of {self._log}:\n{tail}")
        pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (self._failures - 1)) if self._failures else 0.0
        self._failures += 1
        self._next_start = now + pause
        self._say(f"{what}: starting it again" + (f" in {pause:.1f} s" if pause else ""))

    def _exit_words(self, code: int) -> str:
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"{self.spec.name} {how}"


def python_command(*arguments: str) -> list[str]:
    """This interpreter, so that a part runs on what the supervisor runs on."""
    return [sys.executable, *arguments]
