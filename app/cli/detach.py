"""Starts the supervisor in the background and waits at its log until it is ready or has failed."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from app.embedded.errors import StackError
from app.embedded.folder import StackFolder
from app.embedded.machine import Say

_READY_TIMEOUT_S = 240.0
_POLL_S = 0.1


def start_detached(folder: StackFolder, say: Say) -> None:
    """Returns once `connection.json` says ready. Raises StackError with what the supervisor said if it ends first."""
    folder.logs.mkdir(parents=True, exist_ok=True)
    log = folder.logs / "supervisor.log"
    with log.open("ab") as output:
        start = output.tell()
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "up"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(folder, supervisor, log, start)
    except BaseException:
        supervisor.terminate()
        raise
    for line in _since(log, start):
        if line.startswith("port "):
            say(line)


def _wait(folder: StackFolder, supervisor: subprocess.Popen[bytes], log: Path, start: int) -> None:
    deadline = time.monotonic() + _READY_TIMEOUT_S
    while True:
        connection = folder.read_connection()
        if connection.get("state") == "ready" and connection["pids"]["supervisor"] == supervisor.pid:
            return
        if supervisor.poll() is not None:
            raise StackError("\n".join(_since(log, start)))
        if time.monotonic() > deadline:
            raise StackError(f"the stack is not ready after {_READY_TIMEOUT_S:.0f} s; see {folder.logs}")
        time.sleep(_POLL_S)


def _since(log: Path, start: int) -> list[str]:
    with log.open("rb") as file:
        file.seek(start)
        return file.read().decode(errors="replace").splitlines()
