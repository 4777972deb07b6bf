"""One child process of the stack: started so that it cannot outlive us, logged to a file, stopped with patience."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_SHIM = Path(__file__).with_name("shim.py")
_GUARD = Path(__file__).with_name("guard.py")
_TAIL_BYTES = 16 * 1024
# Logs of parts grow by appending; a start finds a fresh file once the old one is over this.
_LOG_LIMIT_BYTES = 32 * 1024 * 1024


class Guard:
    """Keeps a helper that kills the process groups of parts if we die hard; a dead helper is replaced at next use."""

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None

    def add(self, group: int) -> None:
        self._groups.add(group)
        self._tell(f"+{group}\n")

    def remove(self, group: int) -> None:
        self._groups.discard(group)
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """Ends the helper, which kills the groups that were not removed."""
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def _tell(self, line: str) -> None:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(  # noqa: S603 - our own command, no shell
                [sys.executable, "-I", "-S", str(_GUARD)], stdin=subprocess.PIPE, start_new_session=True
            )
            line = "".join(f"+{group}\n" for group in sorted(self._groups))
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(line.encode())
                self._process.stdin.flush()


class Child:
    """A running part. Start it from the main thread only (see shim.py); `guard` also covers its children."""

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], log: Path, guard: Guard, cwd: Path | None = None
    ) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
            log.replace(log.with_name(log.name + ".1"))
        self.log = log
        self._guard = guard
        self._group_ended = False
        with log.open("ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(  # noqa: S603 - our own command, no shell
                [sys.executable, "-I", "-S", str(_SHIM), str(os.getpid()), *command],
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                start_new_session=True,
            )
        guard.add(self.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs; negative for a signal. Notices the end, and ends what the part left behind."""
        code = self._process.poll()
        if code is not None:
            self._end_group()
        return code

    def terminate(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()

    def wait_or_kill(self, timeout_s: float) -> bool:
        """Waits for the end, then kills; True if it ended by itself."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        finally:
            self._end_group()
            self._process.wait()
        return True

    def log_tail(self, lines: int = 20) -> str:
        """The last lines that this run has logged."""
        with self.log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(self._log_start, size - _TAIL_BYTES))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])

    def _end_group(self) -> None:
        if self._group_ended:
            return
        self._group_ended = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._guard.remove(self.pid)
