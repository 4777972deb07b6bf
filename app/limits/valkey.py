"""The Valkey that limits are shared through, and whether it is there: while it is not, limits hold per process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from redis.asyncio import ConnectionPool, Redis
from redis.exceptions import RedisError

from app.observability.metrics import LIMITS_DEGRADED

log = structlog.get_logger(__name__)

_TIMEOUT_S = 0.25
"""The longest that the loss of Valkey delays a request, once."""
_PROBE_S = 1.0

T = TypeVar("T")


class SharedValkey:
    """Connects when first asked; after a failure no request waits for it until a probe in the background succeeds."""

    def __init__(self, url: str) -> None:
        self.pool = ConnectionPool.from_url(url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)
        self.client = Redis(connection_pool=self.pool)
        self._probe: asyncio.Task[None] | None = None

    @property
    def is_lost(self) -> bool:
        return self._probe is not None

    async def try_call(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """What the call gives; None when Valkey is lost."""
        if self.is_lost:
            return None
        try:
            return await call()
        except (RedisError, OSError, TimeoutError) as exc:
            self._lose(exc)
            return None

    async def close(self) -> None:
        if self._probe is not None:
            self._probe.cancel()
        await self.client.aclose()
        await self.pool.aclose()

    def _lose(self, exc: BaseException) -> None:
        if self._probe is None:
            log.warning("limits_degraded", error_type=type(exc).__name__)
            LIMITS_DEGRADED.set(1)
            self._probe = asyncio.create_task(self._until_back())

    async def _until_back(self) -> None:
        structlog.contextvars.clear_contextvars()  # of the request that noticed the loss
        while True:
            await asyncio.sleep(_PROBE_S)
            try:
                await self.client.ping()
            except (RedisError, OSError, TimeoutError):
                continue
            break
        self._probe = None
        LIMITS_DEGRADED.set(0)
        log.warning("limits_shared_again")
