"""An arq worker that outlives the loss of its queue: it waits until Valkey is back instead of ending."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import structlog
from arq.worker import Worker
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

_WAIT_S = 0.5
_LAST_WORDS_S = 10.0
"""So long a worker that was told to stop waits for jobs that would still tell a queue that is away."""


class EnduringWorker(Worker):
    """What it is doing needs no queue; what waits is swept up from SQL when the queue is back."""

    async def main(self) -> None:
        """Starts when the queue is there, however late."""
        await self._patiently(super().main)

    async def close(self) -> None:
        """As arq's own, and also when the queue cannot be told."""
        if self._pool is None:
            return
        if self.tasks:
            await asyncio.wait(self.tasks.values(), timeout=_LAST_WORDS_S)
        with suppress(RedisError):
            await self.pool.delete(self.health_check_key)
        if self.on_shutdown:
            await self.on_shutdown(self.ctx)
        await self.pool.aclose(close_connection_pool=True)
        self._pool = None

    async def start_jobs(self, job_ids: list[bytes]) -> None:
        """Without the slot that arq would keep for a job that it could not look at: a few losses, and none were left."""
        try:
            await super().start_jobs(job_ids)
        except RedisError:
            self._release_sem_dec_counter_on_complete()
            raise

    async def finish_job(self, *arguments: Any) -> None:
        """Tells the queue that a job is over when it is back; nothing is lost or done twice by saying it again."""
        await self._patiently(lambda: super(EnduringWorker, self).finish_job(*arguments))

    async def finish_failed_job(self, job_id: str, result_data: bytes | None) -> None:
        await self._patiently(lambda: super(EnduringWorker, self).finish_failed_job(job_id, result_data))

    async def _poll_iteration(self) -> None:
        try:
            await super()._poll_iteration()
        except RedisError as exc:
            await _lost(exc)

    async def _patiently(self, ask: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await ask()
            except RedisError as exc:
                await _lost(exc)


async def _lost(exc: RedisError) -> None:
    log.warning("queue_lost", error_type=type(exc).__name__)
    await asyncio.sleep(_WAIT_S)
