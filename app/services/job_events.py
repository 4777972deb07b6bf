"""A job's progress as a stream of events, read from the records of account, so that it follows a job on any worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import orjson

from app.services.jobs import JobService

_LOOK_S = 0.5
_HEARTBEAT_S = 15.0
_ENDED = frozenset({"completed", "failed", "cancelled"})


async def follow(
    jobs: JobService, organisation_id: str, job_id: str, last_id: str | None = None
) -> AsyncIterator[bytes]:
    """Server-sent events: `progress` whenever the job has moved, `end` when it has ended, comments while nothing happens.

    An event's id is the state that it tells: a client that knows it already (`last_id`) is told what came after.
    """
    told, spoken = last_id, time.monotonic()
    while True:
        job = await jobs.get(organisation_id, job_id)
        ended = job["status"] in _ENDED
        state = f"{job['status']}-{job['progress']['processed']}-{job['progress']['total']}"
        if ended or state != told:
            yield _event("end" if ended else "progress", state, orjson.dumps(job))
            told, spoken = state, time.monotonic()
        if ended:
            return
        if time.monotonic() - spoken > _HEARTBEAT_S:
            yield b": the job is still alive\n\n"
            spoken = time.monotonic()
        await asyncio.sleep(_LOOK_S)


def _event(name: str, event_id: str, data: bytes) -> bytes:
    return b"event: %s\nid: %s\ndata: %s\n\n" % (name.encode(), event_id.encode(), data)
