"""Requests at the same time: a process declares to Valkey how many slots it holds, and uses idle ones again at once."""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field

from app.limits.valkey import SharedValkey

_LEASE_MS = 10_000
"""A process that died gives its slots back after this."""
_RENEWALS = 3
"""A lease is renewed this often in its life."""
_TICK_S = 0.25
"""An idle slot goes back to the others after one to two of these."""

_DECLARE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local process, wanted, limit, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local others = 0
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local held, expires = string.match(fields[i + 1], '(%d+):(%d+)')
  if tonumber(expires) <= now then
    redis.call('HDEL', KEYS[1], fields[i])
  elseif fields[i] ~= process then
    others = others + tonumber(held)
  end
end
local granted = math.max(0, math.min(wanted, limit - others))
if granted == 0 then
  redis.call('HDEL', KEYS[1], process)
else
  redis.call('HSET', KEYS[1], process, granted .. ':' .. (now + lease))
  redis.call('PEXPIRE', KEYS[1], lease)
end
return granted
"""


@dataclass(slots=True)
class _Held:
    """Slots of one organisation in this process."""

    limit: int
    in_use: int = 0
    waiting: int = 0
    held: int = 0
    peak: int = 0
    renewed_at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class SlotPool:
    """Slots by organisation: shared while Valkey answers, per process while it does not."""

    def __init__(self, valkey: SharedValkey, lease_ms: int = _LEASE_MS) -> None:
        self._valkey = valkey
        self._lease_ms = lease_ms
        self._renew_s = lease_ms / 1000 / _RENEWALS
        self._declare = valkey.client.register_script(_DECLARE)
        self._process = uuid.uuid4().hex
        self._organisations: dict[str, _Held] = {}
        self._tending: asyncio.Task[None] | None = None

    async def acquire(self, organisation_id: str, limit: int) -> bool:
        """Takes one of `limit` slots; False when all are taken. Each one taken must be released."""
        state = self._organisations.setdefault(organisation_id, _Held(limit))
        state.limit = limit
        if not self._use(state):
            state.waiting += 1
            try:
                async with state.lock:
                    if not self._use(state):
                        await self._set(organisation_id, state, state.in_use + state.waiting)
                        if not self._use(state):
                            return False
            finally:
                state.waiting -= 1
        if self._tending is None or self._tending.done():
            self._tending = asyncio.create_task(self._tend())
        return True

    def release(self, organisation_id: str) -> None:
        self._organisations[organisation_id].in_use -= 1

    async def close(self) -> None:
        """Gives everything back."""
        await self.stop_tending()
        for organisation_id, state in self._organisations.items():
            if state.held:
                await self._set(organisation_id, state, 0)

    async def stop_tending(self) -> None:
        """Renews nothing any more, as when the process has died."""
        if self._tending is not None:
            self._tending.cancel()
            with suppress(asyncio.CancelledError):
                await self._tending

    def _use(self, state: _Held) -> bool:
        if state.in_use >= min(state.held, state.limit):
            return False
        state.in_use += 1
        state.peak = max(state.peak, state.in_use)
        return True

    async def _set(self, organisation_id: str, state: _Held, wanted: int) -> None:
        """Declares `wanted` slots; holds what is granted, or up to the limit when nobody can be asked."""
        state.held = min(state.held, wanted)  # what is about to be given back must not be used meanwhile
        granted = await self._valkey.try_call(
            lambda: self._declare(
                keys=[f"foundryops:slots:{organisation_id}"], args=[self._process, wanted, state.limit, self._lease_ms]
            )
        )
        state.held = min(wanted, state.limit) if granted is None else int(granted)
        state.renewed_at = time.monotonic()

    async def _tend(self) -> None:
        """Gives idle slots back and renews the others, until none are held."""
        while self._organisations:
            await asyncio.sleep(_TICK_S)
            for organisation_id, state in list(self._organisations.items()):
                async with state.lock:
                    await self._keep(organisation_id, state)

    async def _keep(self, organisation_id: str, state: _Held) -> None:
        needed, state.peak = max(state.peak, state.in_use), state.in_use
        if needed < state.held or (state.held and time.monotonic() - state.renewed_at >= self._renew_s):
            await self._set(organisation_id, state, needed)
        if not (state.held or state.in_use or state.waiting):
            self._organisations.pop(organisation_id, None)
