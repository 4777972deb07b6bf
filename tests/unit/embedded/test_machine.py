"""Shortages are said in plain words before anything starts."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from app.embedded.errors import StackError
from app.embedded.machine import check_disk, choose_heap_mb, choose_port, free_port


def refuse(message: str) -> None:
    pytest.fail(f"nothing should be said, but: {message}")


def test_the_heap_is_a_quarter_of_memory_up_to_two_gigabytes() -> None:
    assert choose_heap_mb(None, memory_mb=4096) == 1024
    assert choose_heap_mb(None, memory_mb=65536) == 2048
    assert choose_heap_mb(None, memory_mb=512) == 256


def test_a_heap_larger_than_memory_is_refused_with_both_numbers() -> None:
    with pytest.raises(StackError, match=r"heap of 9000 MB .* larger than this machine's memory of 8192 MB"):
        choose_heap_mb(9000, memory_mb=8192)


def test_a_heap_too_small_to_boot_is_refused() -> None:
    with pytest.raises(StackError, match="too small"):
        choose_heap_mb(64, memory_mb=8192)


def test_a_full_disk_is_refused_with_what_is_free(tmp_path: Path) -> None:
    check_disk(tmp_path, needed_bytes=1)
    with pytest.raises(StackError, match=r"disk full: \d+ MB are free"):
        check_disk(tmp_path, needed_bytes=1 << 60)


def test_a_free_port_is_taken_without_a_word() -> None:
    port = free_port()
    assert choose_port("thing", port, refuse) == port


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_taken_port_is_replaced_and_said(family: socket.AddressFamily, address: str) -> None:
    said: list[str] = []
    with socket.create_server((address, 0), family=family) as server:
        port = server.getsockname()[1]
        chosen = choose_port("thing", port, said.append)
    assert chosen != port
    assert said == [f"port {port} is taken: thing uses {chosen}"]


def test_at_the_upper_end_the_search_goes_down() -> None:
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert choose_port("thing", port, said.append, highest=port) < port
    assert len(said) == 1


def test_a_port_that_the_part_cannot_use_is_refused() -> None:
    with pytest.raises(StackError, match="the highest possible is 9299"):
        choose_port("opensearch", 9400, refuse, highest=9299)
