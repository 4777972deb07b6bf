"""Whether people wait for single answers, told through Valkey: work in the background then makes room for them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.limits.valkey import SharedValkey

_KEY = "foundryops:foreground"
_WINDOW_S = 0.5
_BUSY_SHARE = 0.3
"""Of a window spent answering: somebody who asks again at once, or several. Five requests a second stay below it."""
_TOLD_MS = 1_500
_KEPT_S = 0.1
"""So long what Valkey said is believed."""


class Foreground:
    """One per process; while Valkey is lost, nobody is known to wait."""

    def __init__(self, valkey: SharedValkey, key: str = _KEY) -> None:
        self._valkey = valkey
        self._key = key
        self._window_began = float("-inf")
        self._answering_s = 0.0
        self._looked_at = float("-inf")
        self._busy = False

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """Somebody waits for what the block does."""
        began = time.monotonic()
        if began - self._window_began > 2 * _WINDOW_S:
            self._window_began, self._answering_s = began, 0.0
        try:
            yield
        finally:
            self._answering_s += time.monotonic() - began
        if time.monotonic() - self._window_began >= _WINDOW_S:
            await self._end_window()

    async def is_busy(self) -> bool:
        """Whether a process had much to answer in the last second or two."""
        if time.monotonic() - self._looked_at >= _KEPT_S:
            self._looked_at = time.monotonic()
            self._busy = bool(await self._valkey.try_call(lambda: self._valkey.client.exists(self._key)))
        return self._busy

    async def _end_window(self) -> None:
        """Begins the next one; a word to the other processes if this one was busy."""
        ended = time.monotonic()
        share = self._answering_s / (ended - self._window_began)
        self._window_began, self._answering_s = ended, 0.0
        if share >= _BUSY_SHARE:
            await self._valkey.try_call(lambda: self._valkey.client.set(self._key, 1, px=_TOLD_MS))
