"""An arq worker that outlives the loss of its queue: it waits until Valkey is back instead of ending."""

from __future__ import annotations

import asyncio

import structlog
from arq.worker import Worker
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

log = structlog.get_logger(__name__)

_WAIT_S = 0.5


class EnduringWorker(Worker):
    """What it is doing needs no queue; what waits is swept up from SQL when the queue is back."""

    async def _poll_iteration(self) -> None:
        try:
            await super()._poll_iteration()
        except (RedisConnectionError, RedisTimeoutError) as exc:
            log.warning("queue_lost", error_type=type(exc).__name__)
            await asyncio.sleep(_WAIT_S)
