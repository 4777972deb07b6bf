"""Gives memory back to the system after a large piece of work, so that a long-lived process stays small."""

from __future__ import annotations

import ctypes
import sys

import pyarrow as pa


def release_memory() -> None:
    """Returns what Arrow and the C library keep for later; some milliseconds, so once per append, never per match."""
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
