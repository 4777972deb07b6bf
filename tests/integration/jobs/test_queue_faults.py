"""A worker outlives its queue: it waits for it, keeps all its slots, and ends in order without it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from arq import create_pool, func
from redis.exceptions import RedisError

from app.bootstrap import Services, build
from app.embedded.part import Part, State
from app.embedded.process import Guard
from app.embedded.valkey import ValkeyPart
from app.queue import redis_settings
from tests.cable import Cable
from tests.deployment import Deployment
from tests.worker_process import worker_process
from workers.enduring import EnduringWorker

_PORT = 6500
_LOSSES = 5
"""One more than a worker has slots."""
_ENDED = ("completed", "failed", "cancelled")


@contextmanager
def valkey(folder: Path) -> Iterator[Part]:
    """A Valkey of the test's own."""
    guard = Guard()
    part = Part(ValkeyPart(folder / "valkey", _PORT, lambda _: None), folder, guard, lambda _: None)
    try:
        yield part
    finally:
        part.stop()
        guard.close()


async def until_ready(part: Part) -> str:
    """Its URL, when it answers."""
    while part.state is not State.READY:
        part.tick()
        await asyncio.sleep(0.02)
    assert isinstance(part.spec, ValkeyPart)
    return part.spec.url


async def ended(services: Services, organisation_id: str) -> str:
    """How a small job ended that only the queue brings to a worker."""
    payload = {"snapshot_id": "dss_unknown", "records": [{"name": "Acme"}], "options": {}}
    job = await services.jobs.create(organisation_id, "match_batch", payload, 1)
    while True:
        job = await services.jobs.get(organisation_id, job["job_id"])
        if job["status"] in _ENDED:
            return str(job["error"]["code"])
        await asyncio.sleep(0.05)


async def test_a_worker_begins_before_its_queue_and_outlives_it_again_and_again(
    deployment: Deployment, tmp_path: Path
) -> None:
    with valkey(tmp_path) as part:
        url = await until_ready(part)
        part.stop()
        services = await build(deployment.services.settings.model_copy(update={"redis_url": url}))
        async with worker_process(services.settings) as process:
            for _ in range(3):
                await until_ready(part)
                assert await ended(services, deployment.organisation_id) == "SNAPSHOT_NOT_FOUND"
                assert part.child is not None
                part.child.wait_or_kill(0)
                part.restart()
            assert process.returncode is None
            process.terminate()
            assert await process.wait() == 0
        await services.close()


@asynccontextmanager
async def cabled(redis_url: str, **hooks: Any) -> AsyncIterator[tuple[Cable, EnduringWorker]]:
    """A worker whose queue is at the far end of a cable."""
    far = urlsplit(redis_url)
    cable = Cable(str(far.hostname), int(far.port or 6379))
    await cable.mend()

    async def nothing(context: dict[str, Any]) -> None:
        """A task that arq can be told of."""

    settings = redis_settings(f"redis://127.0.0.1:{cable.at}/0")
    made = EnduringWorker([func(nothing)], redis_settings=settings, handle_signals=False, max_jobs=_LOSSES - 1, **hooks)
    made._pool = await create_pool(settings)
    try:
        yield cable, made
    finally:
        await made.close()
        await cable.cut()


async def test_a_job_that_cannot_be_looked_at_takes_no_slot(deployment: Deployment) -> None:
    async with cabled(deployment.services.settings.redis_url) as (cable, made):
        for _ in range(_LOSSES):
            await cable.cut()
            with pytest.raises(RedisError):
                await made.start_jobs([b"a job"])
            await cable.mend()
        assert (made.job_counter, made.sem.locked()) == (0, False)


async def test_what_a_worker_does_is_ended_though_the_queue_is_away(deployment: Deployment) -> None:
    told = []

    async def stop(context: dict[str, Any]) -> None:
        told.append("stopped")

    async with cabled(deployment.services.settings.redis_url, on_shutdown=stop) as (cable, made):
        await cable.cut()
        await made.close()
        assert told == ["stopped"]
