"""Progress of work that a thread does: written to the job now and then, and a cancellation comes back as an error."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

_PROGRESS_S = 0.5


class ThreadProgress:
    """Called by the thread as often as it likes; raises what `write` raises, Conflict when the job was cancelled."""

    def __init__(self, write: Callable[..., Coroutine[Any, Any, None]], loop: asyncio.AbstractEventLoop) -> None:
        self._write = write
        self._loop = loop
        self._next = 0.0

    def __call__(self, *done: Any) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _PROGRESS_S
        asyncio.run_coroutine_threadsafe(self._write(*done), self._loop).result()
