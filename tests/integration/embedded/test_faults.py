"""Parts killed hard, one by one and the supervisor itself: what dies comes back, what must die does."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.integration.embedded.conftest import PARTS, Stack, wait_until


def is_alive(pid: int) -> bool:
    """Zombies count as dead: nobody has collected them yet, but they do nothing any more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_killed_comes_back_under_a_new_process_id(stack: Stack, part: str) -> None:
    before = stack.connection
    os.kill(before["pids"][part], signal.SIGKILL)
    wait_until(lambda: stack.pids.get(part) not in (None, before["pids"][part]))
    wait_until(lambda: stack.connection["state"] == "ready")
    after = stack.connection
    untouched = {"supervisor", *PARTS} - {part}
    assert {name: after["pids"][name] for name in untouched} == {name: before["pids"][name] for name in untouched}
    assert (after["base_url"], after["opensearch_url"], after["redis_url"]) == (
        before["base_url"],
        before["opensearch_url"],
        before["redis_url"],
    )
    wait_until(lambda: stack.request("base_url", "GET", "/health/ready")[0] == 200)
    assert f"{part} was ended by signal 9: starting it again" in (stack.var / "logs" / "supervisor.log").read_text()


def test_an_interrupt_of_the_supervisor_ends_all_parts_without_killing_any(stack: Stack) -> None:
    pids = stack.pids
    os.kill(pids["supervisor"], signal.SIGINT)
    wait_until(lambda: not any(map(is_alive, pids.values())))
    assert stack.connection["state"] == "stopped"
    assert "was killed" not in (stack.var / "logs" / "supervisor.log").read_text()


def test_no_orphan_is_left_when_the_supervisor_is_killed_and_the_next_start_works(stack: Stack) -> None:
    pids = stack.pids
    os.kill(pids["supervisor"], signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, pids.values())), timeout_s=10)
    assert not stack.is_up()
    stack.up()
    assert set(stack.pids) == set(pids)
