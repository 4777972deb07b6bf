"""How a long-lived process keeps its memory: what it gives back after large work, what the collector may leave alone."""

from __future__ import annotations

import ctypes
import gc
import sys

import pyarrow as pa

_ALLOCATIONS_A_COLLECTION = 100_000
"""A match makes some thousand lists and tuples, none of them in a cycle; Python's own 700 would look at them many times."""


_M_ARENA_MAX = -8
"""glibc's name for how many arenas malloc may have; one for each thread keeps what large appends left in every one of them."""


def settle_memory() -> None:
    """Once a process has started: its modules and services stay for good, so the garbage collector need not visit them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS_A_COLLECTION)
    if sys.platform == "linux":
        set_option = getattr(ctypes.CDLL(None), "mallopt", None)
        if set_option is not None:
            set_option(_M_ARENA_MAX, 1)


def release_memory() -> None:
    """Returns what Arrow and the C library keep for later; milliseconds, so once an append or a step of a file, never a match."""
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
