"""The Valkey of the session, and a cable to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

import pytest

from app.ids import Prefix, new_id
from app.limits.rate import RateLimiter
from app.limits.slots import SlotPool
from app.limits.valkey import SharedValkey
from tests.cable import Cable
from tests.engines import Engines


async def eventually(condition: Callable[[], Awaitable[bool]], timeout_s: float = 20) -> None:
    """Asks until the condition holds; fails the test when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not await condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain"
        await asyncio.sleep(0.02)


@pytest.fixture
def organisation_id() -> str:
    return new_id(Prefix.ORGANISATION)


@pytest.fixture
async def valkeys(running_engines: Engines) -> AsyncIterator[Callable[[], SharedValkey]]:
    """Makes connections of their own, one for each process that a test plays."""
    made: list[SharedValkey] = []

    def make() -> SharedValkey:
        made.append(SharedValkey(running_engines.redis_url))
        return made[-1]

    yield make
    for valkey in made:
        await valkey.close()


@pytest.fixture
async def limiters(valkeys: Callable[[], SharedValkey]) -> AsyncIterator[Callable[..., RateLimiter]]:
    """Makes the rate limiter of one more process."""
    made: list[RateLimiter] = []

    def make(valkey: SharedValkey | None = None) -> RateLimiter:
        made.append(RateLimiter(valkey or valkeys()))
        return made[-1]

    yield make
    for limiter in made:
        await limiter.close()


@pytest.fixture
async def pools(valkeys: Callable[[], SharedValkey]) -> AsyncIterator[Callable[..., SlotPool]]:
    """Makes the slots of one more process."""
    made: list[SlotPool] = []

    def make(valkey: SharedValkey | None = None, **options: int) -> SlotPool:
        made.append(SlotPool(valkey or valkeys(), **options))
        return made[-1]

    yield make
    for pool in made:
        await pool.close()


@pytest.fixture
async def cable(running_engines: Engines) -> AsyncIterator[Cable]:
    parts = urlsplit(running_engines.redis_url)
    cable = Cable(parts.hostname or "127.0.0.1", parts.port or 6379)
    await cable.mend()
    yield cable
    await cable.cut()


@pytest.fixture
async def cabled(running_engines: Engines, cable: Cable) -> AsyncIterator[SharedValkey]:
    """A connection that goes through the cable."""
    valkey = SharedValkey(f"redis://127.0.0.1:{cable.at}{urlsplit(running_engines.redis_url).path}")
    yield valkey
    await valkey.close()
