"""Remembers callers between requests, and forgets all of them at once when any process changed a key."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from app.limits.valkey import SharedValkey

_GENERATION = "foundryops:keys:generation"
_TTL_S = 5.0
"""How long a caller is remembered at most: all that is left if only the revoking process is cut off from Valkey."""
_MAX_CACHED = 10_000


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling."""

    organisation_id: str
    key_id: str
    scopes: frozenset[str]
    expires_at: datetime | None = None


class KeyCache:
    """Valid for one generation: a random word in Valkey that every change of a key replaces. Unknown: nothing is remembered."""

    def __init__(self, valkey: SharedValkey | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._valkey = valkey
        self._clock = clock
        self._generation: bytes | None = None
        self._known: dict[str, tuple[float, Principal]] = {}

    async def generation(self) -> bytes | None:
        """The present one; ask before the key is read, so that a change in between is seen. None while Valkey is away."""
        if self._valkey is None or self._valkey.is_lost:
            return None
        client = self._valkey.client

        async def ask() -> bytes:
            return await client.get(_GENERATION) or b""

        return await self._valkey.try_call(ask)

    def get(self, digest: str, generation: bytes | None) -> Principal | None:
        """A caller that was remembered in this generation; what an outage of Valkey may have hidden is forgotten."""
        if generation is None or generation != self._generation:
            self._known.clear()
            self._generation = generation
        until, principal = self._known.get(digest, (0.0, None))
        return principal if until > self._clock() else None

    def put(self, digest: str, generation: bytes | None, principal: Principal) -> None:
        if generation is None or generation != self._generation:
            return
        if len(self._known) >= _MAX_CACHED:
            self._known.clear()
        self._known[digest] = (self._clock() + _TTL_S, principal)

    async def changed(self) -> None:
        """Makes every process read its keys again; call after the change is committed."""
        self._known.clear()
        if self._valkey is None:
            return
        client = self._valkey.client

        async def replace() -> bool:
            return bool(await client.set(_GENERATION, secrets.token_bytes(12)))

        await self._valkey.try_call(replace)
