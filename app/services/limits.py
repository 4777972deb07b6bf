"""Admits requests and jobs within the limits of the organisation's tier, or says which limit is reached."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import JobRow
from app.db.session import Database
from app.errors import RateLimited
from app.limits.rate import RateLimiter, RateState
from app.limits.slots import SlotPool
from app.limits.valkey import SharedValkey
from app.observability.metrics import LIMIT_REFUSALS
from app.services.standings import Standings
from app.tariff import Tier

_SLOT_RETRY_S = 1
_QUEUE_RETRY_S = 5
_DEPTH_KEPT_S = 1.0
"""A client that does not heed Retry-After costs one count of its queue in this time."""


@dataclass(slots=True)
class Admission:
    """A request that was counted; `refusal` says why it may not go on, else it holds a slot until it is released."""

    organisation_id: str
    tier: Tier
    rate: RateState
    refusal: RateLimited | None = None
    slots: SlotPool | None = field(default=None, repr=False)

    def release(self) -> None:
        """Gives the slot back; more than once is once."""
        if self.slots is not None:
            self.slots.release(self.organisation_id)
            self.slots = None


class LimitService:
    """Rate and concurrency of requests, shared by all API processes; the queue depth of jobs, counted in SQL."""

    def __init__(self, db: Database, valkey: SharedValkey, standings: Standings, enabled: bool = True) -> None:
        self.enabled = enabled
        self._db = db
        self._valkey = valkey
        self._standings = standings
        self._rate = RateLimiter(valkey)
        self._slots = SlotPool(valkey)
        self._depths: dict[str, tuple[float, int]] = {}

    async def admit(self, organisation_id: str) -> Admission:
        """Counts a request and takes a slot for it; look at `refusal`, and release the admission in any case."""
        tier = (await self._standings.of(organisation_id)).tier
        rate = await self._rate.hit(organisation_id, tier.requests, tier.window_s)
        admission = Admission(organisation_id, tier, rate)
        if not rate.allowed:
            wait_s = max(1, math.ceil(rate.reset_at - time.time()))
            text = f"Over {tier.requests} requests in {tier.window_s} s; ask again in {wait_s} s."
            admission.refusal = await self._refusal(admission, "rate", tier.requests, wait_s, text)
        elif await self._slots.acquire(organisation_id, tier.concurrent_requests):
            admission.slots = self._slots
        else:
            limit = tier.concurrent_requests
            text = f"{limit} requests are being answered already, which is the limit; wait for one of them."
            admission.refusal = await self._refusal(admission, "concurrency", limit, _SLOT_RETRY_S, text)
        return admission

    async def check_queue(self, session: AsyncSession, organisation_id: str) -> None:
        """Raises RateLimited when as many jobs wait as the tier allows; call it in the transaction that adds one."""
        if not self.enabled:
            return
        tier = (await self._standings.within(session, organisation_id)).tier
        depth = await _queued(session, organisation_id)
        if depth >= tier.queued_jobs:
            LIMIT_REFUSALS.labels("queue").inc()
            raise RateLimited(
                f"{depth} jobs are waiting already, which is the limit; wait until one begins, or cancel one.",
                reason="queue",
                limit=tier.queued_jobs,
                retry_after_s=_QUEUE_RETRY_S,
                concurrency_limit=tier.concurrent_requests,
                queue_depth=depth,
            )

    async def close(self) -> None:
        await self._rate.close()
        await self._slots.close()
        await self._valkey.close()

    async def _refusal(
        self, admission: Admission, reason: str, limit: int, retry_after_s: int, text: str
    ) -> RateLimited:
        LIMIT_REFUSALS.labels(reason).inc()
        return RateLimited(
            text,
            reason=reason,
            limit=limit,
            retry_after_s=retry_after_s,
            concurrency_limit=admission.tier.concurrent_requests,
            queue_depth=await self._depth(admission.organisation_id),
        )

    async def _depth(self, organisation_id: str) -> int:
        known = self._depths.get(organisation_id)
        if known is None or known[0] <= time.monotonic():
            async with self._db.begin() as session:
                depth = await _queued(session, organisation_id)
            known = self._depths[organisation_id] = (time.monotonic() + _DEPTH_KEPT_S, depth)
        return known[1]


async def _queued(session: AsyncSession, organisation_id: str) -> int:
    waiting = select(func.count()).where(JobRow.organisation_id == organisation_id, JobRow.state == "queued")
    return await session.scalar(waiting) or 0
