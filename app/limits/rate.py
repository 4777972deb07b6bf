"""Requests in a sliding window: a process takes permits out of the shared window in blocks and spends them locally."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from app.limits.valkey import SharedValkey

_BLOCKS = 100
"""A block is a hundredth of the limit: a process can hold back, or carry over into the next window, at most that."""
_REFUSAL_KEPT_S = 0.25
"""A client that does not heed Retry-After costs one look at Valkey in this time."""
_MAX_KNOWN = 10_000
_PREFIX = "foundryops:rate"


@dataclass(frozen=True, slots=True)
class RateState:
    """After a request: whether it may go on, permits left in the window, and when more come back (epoch seconds)."""

    allowed: bool
    remaining: int
    reset_at: float


@dataclass(slots=True)
class _Block:
    """Permits at hand, what was left beside them when they were taken, and until when they count."""

    permits: int = 0
    left: int = 0
    reset_at: float = 0.0
    stale_at: float = 0.0
    refused_until: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    refill: asyncio.Task[None] | None = None


class RateLimiter:
    """Shared while Valkey answers, per process while it does not."""

    def __init__(self, valkey: SharedValkey, clock: Callable[[], float] = time.monotonic) -> None:
        pool: Any = valkey.pool  # taken by `limits`, though its annotation leaves it out
        storage = RedisStorage("async+redis://", implementation="redispy", key_prefix=_PREFIX, connection_pool=pool)
        self._valkey = valkey
        self._shared = SlidingWindowCounterRateLimiter(storage)
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._clock = clock
        self._blocks: dict[str, _Block] = {}

    async def hit(self, organisation_id: str, requests: int, window_s: int) -> RateState:
        """Counts one request against `requests` in `window_s`."""
        block = self._block(organisation_id)
        item = _item(requests, window_s)
        if not self._spend(block):
            async with block.lock:
                if not self._spend(block):
                    if self._clock() >= block.refused_until:
                        await self._fill(block, organisation_id, item)
                    if not self._spend(block):
                        return RateState(False, 0, block.reset_at)
        if block.permits < _block_size(item) // 2 and (block.refill is None or block.refill.done()):
            block.refill = asyncio.create_task(self._refill(block, organisation_id, item))
        return RateState(True, block.left + block.permits, block.reset_at)

    async def close(self) -> None:
        """Waits for what is under way; it takes a round trip."""
        await asyncio.gather(*(block.refill for block in self._blocks.values() if block.refill is not None))

    def _block(self, organisation_id: str) -> _Block:
        block = self._blocks.get(organisation_id)
        if block is None:
            if len(self._blocks) >= _MAX_KNOWN:
                self._blocks.clear()
            block = self._blocks[organisation_id] = _Block()
        return block

    def _spend(self, block: _Block) -> bool:
        if block.permits <= 0 or self._clock() >= block.stale_at:
            return False
        block.permits -= 1
        return True

    async def _refill(self, block: _Block, organisation_id: str, item: RateLimitItem) -> None:
        async with block.lock:
            await self._fill(block, organisation_id, item)

    async def _fill(self, block: _Block, organisation_id: str, item: RateLimitItem) -> None:
        """Takes a block, or a single permit when there is no whole block left: near its end a limit is exact."""
        taken = await self._valkey.try_call(lambda: _take(self._shared, item, organisation_id))
        if taken is None:
            taken = await _take(self._own, item, organisation_id)
        permits, block.left, block.reset_at = taken
        if self._clock() >= block.stale_at:
            block.permits = 0
        block.permits += permits
        block.stale_at = self._clock() + item.get_expiry()
        if not permits:
            block.refused_until = self._clock() + _REFUSAL_KEPT_S


@lru_cache(maxsize=100)
def _item(requests: int, window_s: int) -> RateLimitItem:
    return RateLimitItemPerSecond(requests, window_s)


def _block_size(item: RateLimitItem) -> int:
    return max(1, item.amount // _BLOCKS)


async def _take(
    limiter: SlidingWindowCounterRateLimiter, item: RateLimitItem, organisation_id: str
) -> tuple[int, int, float]:
    """Permits taken, permits left in the window, and when some come back (epoch seconds)."""
    size = _block_size(item)
    permits = size if await limiter.hit(item, organisation_id, cost=size) else 0
    if not permits and size > 1:
        permits = int(await limiter.hit(item, organisation_id))
    stats = await limiter.get_window_stats(item, organisation_id)
    return permits, int(stats.remaining), float(stats.reset_time)
