"""A child of the stack and all that it starts end with whoever started it, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from app.embedded.process import Child, Guard
from tests.integration.embedded.conftest import wait_until
from tests.integration.embedded.test_faults import is_alive

SLEEPER = (
    "import subprocess, sys, time; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); time.sleep(60)"
)

# Starts a child that starts a child of its own, tells both ids, and waits to be killed.
PARENT = f"""
import os, sys, time
from pathlib import Path
from app.embedded.process import Child, Guard
child = Child([sys.executable, "-c", {SLEEPER!r}], os.environ, Path(sys.argv[1]), Guard())
print(child.pid, flush=True)
time.sleep(60)
"""


def first_number(log: Path) -> int:
    wait_until(lambda: log.exists() and log.read_text().endswith("\n"))
    return int(log.read_text())


def test_children_and_grandchildren_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    command = [sys.executable, "-c", PARENT, str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(Path.cwd())}) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        grandchild = first_number(log)
        assert is_alive(child)
        assert is_alive(grandchild)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    wait_until(lambda: not is_alive(child) and not is_alive(grandchild), timeout_s=5)


def test_what_a_dead_part_has_started_is_ended_with_it(tmp_path: Path) -> None:
    guard = Guard()
    child = Child([sys.executable, "-c", SLEEPER], os.environ, tmp_path / "child.log", guard)
    grandchild = first_number(tmp_path / "child.log")
    os.kill(child.pid, signal.SIGKILL)
    wait_until(lambda: child.exit_code() is not None)
    assert child.exit_code() == -signal.SIGKILL
    wait_until(lambda: not is_alive(grandchild), timeout_s=5)
    guard.close()


def test_a_part_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    guard = Guard()
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(0, flush=True); time.sleep(60)"
    )
    child = Child([sys.executable, "-c", stubborn], os.environ, tmp_path / "child.log", guard)
    assert first_number(tmp_path / "child.log") == 0
    child.terminate()
    assert not child.wait_or_kill(0.2)
    assert child.exit_code() == -signal.SIGKILL
    guard.close()
