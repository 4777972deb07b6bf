"""Sends the webhooks that are due, and tries again after growing waits; any number of workers share the outbox."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import func, select, update

from app.db.models import now
from app.db.session import Database
from app.db.webhook_models import WebhookDelivery
from app.observability import frames_of
from app.observability.metrics import WEBHOOK_ATTEMPTS, WEBHOOK_SECONDS
from app.outbound import Outbound, Outcome
from app.services.webhook_secrets import WebhookSecrets

log = structlog.get_logger(__name__)

_POLL_S = 1.0
_AT_ONCE = 32
_AT_ONCE_PER_ORGANISATION = 8
"""A customer whose receiver hangs holds up nobody else for longer than one timeout."""
_LEASE = timedelta(seconds=120)
"""Far over the timeout of a POST: a look-up of a name cannot be cut short. After it, another worker may try."""
_JITTER = 0.2
_USER_AGENT = "FoundryOps-Webhooks/2"


class Courier:
    """One per worker."""

    def __init__(
        self, db: Database, secrets: WebhookSecrets, outbound: Outbound, retry_waits_s: Sequence[float]
    ) -> None:
        """A message is tried once, and again after each of `retry_waits_s`, give or take a fifth."""
        self._db = db
        self._secrets = secrets
        self._outbound = outbound
        self._waits_s = tuple(retry_waits_s)

    async def run(self) -> None:
        """Until it is cancelled; a database that is away is waited for."""
        while True:
            try:
                sent = await self.deliver_due()
            except Exception as exc:
                log.error("webhook_courier_failed", error_type=type(exc).__name__, frames=frames_of(exc))
                sent = 0
            if not sent:
                await asyncio.sleep(_POLL_S)

    async def deliver_due(self) -> int:
        """Tries what is due, a bounded number at once; how many were tried."""
        claimed = await self._claim()
        await asyncio.gather(*(self._deliver(row) for row in claimed))
        return len(claimed)

    async def _claim(self) -> list[WebhookDelivery]:
        """Due messages, fairly over organisations; until the lease ends they are this worker's."""
        at = now()
        rank = func.row_number().over(
            partition_by=WebhookDelivery.organisation_id, order_by=WebhookDelivery.next_attempt_at
        )
        due = (
            select(WebhookDelivery.id, rank.label("rank"))
            .where(WebhookDelivery.state == "pending", WebhookDelivery.next_attempt_at <= at)
            .subquery()
        )
        fair = select(due.c.id).where(due.c.rank <= _AT_ONCE_PER_ORGANISATION).order_by(due.c.rank).limit(_AT_ONCE)
        async with self._db.begin() as session:
            claimed = []
            for delivery_id in list(await session.scalars(fair)):
                mine = await session.execute(
                    update(WebhookDelivery)
                    .where(WebhookDelivery.id == delivery_id, WebhookDelivery.next_attempt_at <= at)
                    .values(next_attempt_at=at + _LEASE)
                )
                if mine.rowcount == 1:  # type: ignore[attr-defined]
                    claimed.append(await session.get_one(WebhookDelivery, delivery_id, populate_existing=True))
            return claimed

    async def _deliver(self, row: WebhookDelivery) -> None:
        at = now()
        headers = await self._headers(row, at)
        started = time.perf_counter()
        outcome = await self._outbound.post(row.url, row.body.encode(), headers)
        took_s = time.perf_counter() - started
        WEBHOOK_SECONDS.observe(took_s)
        await self._note(row, at, outcome, took_s)

    async def _headers(self, row: WebhookDelivery, at: datetime) -> dict[str, str]:
        async with self._db.begin() as session:
            signed = await self._secrets.signatures(session, row.organisation_id, row.message_id, at, row.body)
        headers = {
            "content-type": "application/json",
            "user-agent": _USER_AGENT,
            "webhook-id": row.message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signed,
        }
        return headers | ({"x-correlation-id": row.correlation_id} if row.correlation_id else {})

    async def _note(self, row: WebhookDelivery, at: datetime, outcome: Outcome, took_s: float) -> None:
        made = [*row.attempts["made"], _attempt(at, outcome, took_s)]
        state, wait_s = self._next(outcome, len(made))
        ended = state != "pending"
        async with self._db.begin() as session:
            await session.execute(
                update(WebhookDelivery)
                .where(WebhookDelivery.id == row.id)
                .values(
                    attempts={"made": made},
                    state=state,
                    next_attempt_at=None if ended else now() + timedelta(seconds=wait_s),
                    ended_at=now() if ended else None,
                )
            )
        WEBHOOK_ATTEMPTS.labels(state if ended else "again").inc()
        note = log.info if state == "delivered" else log.warning
        note("webhook_tried", delivery_id=row.id, job_id=row.job_id, state=state, error=outcome.error, tries=len(made))

    def _next(self, outcome: Outcome, tries: int) -> tuple[str, float]:
        """The state after a try, and how long to wait for the next one."""
        if outcome.error is None:
            return "delivered", 0.0
        if outcome.final or tries > len(self._waits_s):
            return "failed", 0.0
        return "pending", self._waits_s[tries - 1] * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311


def _attempt(at: datetime, outcome: Outcome, took_s: float) -> dict[str, Any]:
    return {
        "at": at.isoformat().replace("+00:00", "Z"),
        "status_code": outcome.status_code,
        "error": outcome.error,
        "took_ms": round(took_s * 1000, 1),
    }
