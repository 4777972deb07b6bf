"""What accounts cost a request: checking a known key, and an idempotency key on a request without effects.

`python -m bench.accounts` uses the database of the environment and makes an organisation of its own in it.
"""

from __future__ import annotations

import asyncio
import secrets
import statistics
import time
from collections.abc import Awaitable, Callable

from app.config import Settings
from app.db.session import Database
from app.db.unit import unit_of_work
from app.limits.valkey import SharedValkey
from app.services.idempotency import Answer, Asked, Claim, IdempotencyService
from app.services.keys import KeyService

_ROUNDS = 1000
_BODY = b"x" * 4096
"""About what an answer of match/record with five matches has."""


async def _measure(name: str, work: Callable[[], Awaitable[object]]) -> None:
    for _ in range(50):
        await work()
    wall, cpu_before = [], time.process_time()
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        await work()
        wall.append((time.perf_counter() - started) * 1000)
    cpu_ms = (time.process_time() - cpu_before) * 1000 / _ROUNDS
    p50, p95 = statistics.median(wall), sorted(wall)[int(_ROUNDS * 0.95)]
    print(f"{name:28} p50 {p50:.3f} ms   p95 {p95:.3f} ms   cpu {cpu_ms:.3f} ms")


async def main() -> None:
    settings = Settings()
    db, valkey = Database(settings.database_url), SharedValkey(settings.redis_url)
    await db.migrate()
    keys = KeyService(db, "bench", valkey)
    idempotency = IdempotencyService(db, "bench")
    organisation_id = await keys.create_organisation("Bench")
    _, plain = await keys.create(organisation_id, "bench")

    async def idempotent() -> None:
        asked = Asked(organisation_id, "POST /match/record", secrets.token_hex(8), _BODY)
        async with unit_of_work():
            claim = await idempotency.claim(asked)
            if isinstance(claim, Claim):
                await idempotency.finish(claim, Answer(200, {}, _BODY))

    await _measure("a key that is remembered", lambda: keys.authenticate(plain))
    await _measure("claiming and keeping", idempotent)
    await keys.close()
    await valkey.close()
    await db.close()


if __name__ == "__main__":
    asyncio.run(main())
