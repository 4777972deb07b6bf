"""The arq adapter of `app.ports.JobQueue`: puts a job's id on the queue that its kind belongs to."""

from __future__ import annotations

import asyncio

import orjson
from arq.connections import ArqRedis, RedisSettings, create_pool
from arq.constants import health_check_key_suffix
from redis.exceptions import RedisError

from app.errors import QueueUnavailable
from app.ports import FILE_KINDS

QUEUE_NAME = "foundryops:jobs"
_CONNECT_TIMEOUT_S = 2


def redis_settings(url: str) -> RedisSettings:
    settings = RedisSettings.from_dsn(url)
    settings.conn_timeout = _CONNECT_TIMEOUT_S
    settings.conn_retries = 1
    return settings


class ArqQueue:
    """Connects when first asked and again after a loss; the queue holds ids only, as JSON."""

    def __init__(self, url: str) -> None:
        self._settings = redis_settings(url)
        self._pool: ArqRedis | None = None
        self._connecting = asyncio.Lock()

    async def wake(self, job_id: str, kind: str, attempt: int = 0) -> None:
        """Puts a job on the queue; raises QueueUnavailable.

        The same attempt is queued once however often it is woken; a later attempt is not blocked by a lost one.
        """
        try:
            pool = await self._connected()
            task = "wake_lanes" if kind in FILE_KINDS else "run_job"
            await pool.enqueue_job(task, job_id, _job_id=f"{job_id}:{attempt}", _queue_name=QUEUE_NAME)
        except (RedisError, OSError, TimeoutError) as exc:
            raise QueueUnavailable(
                "The job queue does not answer; the job is kept and starts when it is back."
            ) from exc

    async def ping(self) -> None:
        """Raises QueueUnavailable when the queue does not answer."""
        try:
            await (await self._connected()).ping()
        except (RedisError, OSError, TimeoutError) as exc:
            raise QueueUnavailable("The job queue does not answer.") from exc

    async def pulse(self) -> tuple[int, int]:
        """How many ids wait in the queue, and 1 when a worker reported itself lately; raises what the driver raises."""
        pool = await self._connected()
        return await pool.zcard(QUEUE_NAME), await pool.exists(QUEUE_NAME + health_check_key_suffix)

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.aclose()
            self._pool = None

    async def _connected(self) -> ArqRedis:
        async with self._connecting:
            if self._pool is None:
                self._pool = await create_pool(
                    self._settings, job_serializer=orjson.dumps, job_deserializer=orjson.loads
                )
            return self._pool
