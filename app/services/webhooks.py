"""Webhooks as an outbox: a message is written in the transaction that ends its job; `webhook_courier` sends it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import JobRow, now
from app.db.paging import page
from app.db.session import Database
from app.db.webhook_models import WebhookDelivery
from app.errors import NotFound
from app.ids import Prefix, new_id
from app.outbound import Outbound
from app.services import audit

_SHOWN = ("job_id", "kind", "status", "created_at", "finished_at", "results_url", "rejects_url")
"""What a message tells of its job; never a record's values."""


class WebhookService:
    """Accepts callback URLs, writes messages, shows and replays deliveries."""

    def __init__(self, db: Database, outbound: Outbound, public_base_url: str | None) -> None:
        self._db = db
        self._outbound = outbound
        self._base_url = (public_base_url or "").rstrip("/")

    def check(self, callback_url: str) -> None:
        """Raises InvalidSchema, saying what is wrong with it."""
        self._outbound.check(callback_url, "callback_url")

    def job_ended(self, session: AsyncSession, row: JobRow, answer: Mapping[str, Any]) -> None:
        """Adds the message of a job's end to the transaction that ends it; nothing for a job without `callback_url`."""
        url = row.payload.get("callback_url")
        if url is None:
            return
        message_id, event, at = new_id(Prefix.DELIVERY), f"job.{row.state}", now()
        session.add(
            WebhookDelivery(
                id=message_id,
                organisation_id=row.organisation_id,
                job_id=row.id,
                message_id=message_id,
                event=event,
                url=url,
                body=orjson.dumps({"type": event, "timestamp": _iso(at), "data": self._data(row, answer)}).decode(),
                correlation_id=row.correlation_id,
                created_at=at,
                next_attempt_at=at,
            )
        )

    async def list_page(
        self, organisation_id: str, job_id: str | None, limit: int, cursor: str | None
    ) -> dict[str, Any]:
        query = select(WebhookDelivery).where(WebhookDelivery.organisation_id == organisation_id)
        if job_id is not None:
            query = query.where(WebhookDelivery.job_id == job_id)
        async with self._db.begin() as session:
            return await page(session, query, WebhookDelivery.id, limit, cursor, delivery_answer)

    async def get(self, organisation_id: str, delivery_id: str) -> dict[str, Any]:
        """Raises NotFound."""
        async with self._db.begin() as session:
            return delivery_answer(await _find(session, organisation_id, delivery_id))

    async def replay(self, organisation_id: str, delivery_id: str) -> dict[str, Any]:
        """Sends a message once more, as a delivery of its own under the message's first id; raises NotFound."""
        async with self._db.begin() as session:
            first = await _find(session, organisation_id, delivery_id)
            again = WebhookDelivery(
                id=new_id(Prefix.DELIVERY),
                created_at=now(),
                next_attempt_at=now(),
                state="pending",
                attempts={"made": []},
                **{name: getattr(first, name) for name in _KEPT_BY_REPLAY},
            )
            session.add(again)
            await audit.record(session, organisation_id, "webhook.replay", again.id, {"job_id": first.job_id})
            return delivery_answer(again)

    def _data(self, row: JobRow, answer: Mapping[str, Any]) -> dict[str, Any]:
        data = {name: answer[name] for name in _SHOWN}
        for name in ("results_url", "rejects_url"):
            data[name] = f"{self._base_url}{data[name]}" if data[name] else None
        ids = {name: row.payload.get(name) for name in ("dataset_id", "snapshot_id")}
        error = (row.error or {}).get("code")
        return {**data, **ids, "organisation_id": row.organisation_id, "error_code": error}


_KEPT_BY_REPLAY = ("organisation_id", "job_id", "message_id", "event", "url", "body", "correlation_id")


async def _find(session: AsyncSession, organisation_id: str, delivery_id: str) -> WebhookDelivery:
    row = await session.get(WebhookDelivery, delivery_id)
    if row is None or row.organisation_id != organisation_id:
        raise NotFound(f"There is no webhook delivery {delivery_id}.", delivery_id=delivery_id)
    return row


def delivery_answer(row: WebhookDelivery) -> dict[str, Any]:
    """The contract's view of a delivery."""
    return {
        "delivery_id": row.id,
        "message_id": row.message_id,
        "job_id": row.job_id,
        "event": row.event,
        "url": row.url,
        "status": row.state,
        "attempts": row.attempts["made"],
        "next_attempt_at": _iso(row.next_attempt_at) if row.next_attempt_at and row.state == "pending" else None,
        "created_at": _iso(row.created_at),
        "ended_at": _iso(row.ended_at) if row.ended_at else None,
        "correlation_id": row.correlation_id,
        "payload": orjson.loads(row.body),
    }


def _iso(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
