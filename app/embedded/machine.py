"""What the machine has to offer: free ports, memory, disk; each shortage said in plain words before anything starts."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from itertools import chain
from pathlib import Path

from app.embedded.errors import StackError

LOOPBACK = "127.0.0.1"
DEFAULT_HEAP_MB = 2048
MIN_HEAP_MB = 256
MIN_FREE_DISK_BYTES = 1 << 30
# OpenSearchRunner never takes a port above its maxHttpPort of 9299, and ends without a word when asked to.
RUNNER_MAX_PORT = 9299
_PORTS_TRIED = 800

Say = Callable[[str], None]


def is_free(port: int) -> bool:
    """True if a server could listen on the port of the loopback address and none does on localhost."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(("::1", port)) != 0


def choose_port(part: str, wanted: int, say: Say, highest: int = 65535) -> int:
    """The wanted port, or the next free one (below, at the upper end), which it says. Raises StackError."""
    if wanted > highest:
        raise StackError(f"{part}: port {wanted} cannot be used, the highest possible is {highest}")
    if is_free(wanted):
        return wanted
    above = range(wanted + 1, min(wanted + _PORTS_TRIED, highest + 1))
    below = range(wanted - 1, max(wanted - _PORTS_TRIED, 1024), -1)
    for port in chain(above, below):
        if is_free(port):
            say(f"port {wanted} is taken: {part} uses {port}")
            return port
    raise StackError(f"{part}: no free port near {wanted}")


def free_port() -> int:
    """Any free port, for traffic that nobody looks up."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def choose_heap_mb(wanted_mb: int | None, memory_mb: int | None = None) -> int:
    """The heap of OpenSearch: as set, else a quarter of memory up to 2 GB. Raises StackError when it does not fit."""
    memory = memory_mb if memory_mb is not None else memory_limit_mb()
    if wanted_mb is None:
        return max(MIN_HEAP_MB, min(DEFAULT_HEAP_MB, memory // 4))
    if wanted_mb >= memory:
        raise StackError(
            f"heap of {wanted_mb} MB for opensearch is larger than this machine's memory of {memory} MB: "
            "set FOUNDRYOPS_EMBEDDED_HEAP_MB lower, or leave it unset"
        )
    if wanted_mb < MIN_HEAP_MB:
        raise StackError(f"heap of {wanted_mb} MB is too small for opensearch: give it {MIN_HEAP_MB} MB or more")
    return wanted_mb


def memory_limit_mb() -> int:
    """Memory of the machine, or of the container where that is less."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    limit_file = Path("/sys/fs/cgroup/memory.max")
    if limit_file.exists() and (text := limit_file.read_text().strip()).isdigit():
        limits.append(int(text))
    return min(limits) >> 20


def check_disk(folder: Path, needed_bytes: int = MIN_FREE_DISK_BYTES) -> None:
    """Raises StackError when the disk of the folder is nearly full; OpenSearch would refuse writes later."""
    free = int(shutil.disk_usage(folder).free)
    if free < needed_bytes:
        raise StackError(
            f"disk full: {free >> 20} MB are free where {folder} is, the stack needs {needed_bytes >> 20} MB to start"
        )
