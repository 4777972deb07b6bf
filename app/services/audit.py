"""The audit trail: who did what to which resource, written with the change itself and chained so that tampering shows."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.audit_models import AuditEvent, AuditHead
from app.db.models import now
from app.db.paging import page
from app.db.session import Database
from app.db.upsert import insert_if_absent
from app.identity import current
from app.ids import Prefix, new_id

GENESIS = "0" * 64
"""What stands for the hash before the first event."""
_BATCH_EVENTS = 1000


async def record(
    session: AsyncSession, organisation_id: str, action: str, resource: str, details: dict[str, Any] | None = None
) -> None:
    """Adds an event to the organisation's chain in the transaction that makes the change; call it last in there.

    `action` is `<thing>.<verb>`, `resource` an id; `details` are ids, counts and names, never a record's values.
    Writers of one organisation wait for each other from here to their commit.
    """
    head = await _head(session, organisation_id)
    who = current()
    event = AuditEvent(
        id=new_id(Prefix.EVENT),
        organisation_id=organisation_id,
        seq=head.seq + 1,
        at=now(),
        actor=who.actor,
        action=action,
        resource=resource,
        request_id=who.request_id,
        correlation_id=who.correlation_id,
        details=details or {},
        previous_hash=head.hash,
    )
    event.hash = digest(event)
    session.add(event)
    head.seq, head.hash = event.seq, event.hash


async def _head(session: AsyncSession, organisation_id: str) -> AuditHead:
    """The end of the chain, locked; a new organisation's is made."""
    locked = select(AuditHead).where(AuditHead.organisation_id == organisation_id).with_for_update()
    locked = locked.execution_options(populate_existing=True)
    head = await session.scalar(locked)
    if head is None:
        await insert_if_absent(session, AuditHead, organisation_id=organisation_id, seq=0, hash=GENESIS)
        head = (await session.scalars(locked)).one()
    return head


def shape(event: AuditEvent) -> dict[str, Any]:
    """An event as it is answered, exported and hashed; the two hashes come on top."""
    return {
        "event_id": event.id,
        "organisation_id": event.organisation_id,
        "seq": event.seq,
        "at": event.at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "actor": event.actor,
        "action": event.action,
        "resource": event.resource,
        "request_id": event.request_id,
        "correlation_id": event.correlation_id,
        "details": event.details,
    }


def digest(event: AuditEvent) -> str:
    """SHA-256 of the previous event's hash, a line feed and the event as JSON with sorted keys and no spaces."""
    content = orjson.dumps(shape(event), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(event.previous_hash.encode() + b"\n" + content).hexdigest()


def _answer(event: AuditEvent) -> dict[str, Any]:
    return {**shape(event), "previous_hash": event.previous_hash, "hash": event.hash}


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which events; None means any. `since` is inclusive, `until` exclusive."""

    action: str | None = None
    resource: str | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def apply(self, organisation_id: str) -> Select[AuditEvent]:
        query = select(AuditEvent).where(AuditEvent.organisation_id == organisation_id)
        for column, value in (
            (AuditEvent.action, self.action),
            (AuditEvent.resource, self.resource),
            (AuditEvent.actor, self.actor),
        ):
            if value is not None:
                query = query.where(column == value)
        if self.since is not None:
            query = query.where(AuditEvent.at >= self.since)
        if self.until is not None:
            query = query.where(AuditEvent.at < self.until)
        return query


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of a chain: how many events hold, the hash of the last of them, and the first that does not, with the reason."""

    organisation_id: str
    events: int
    hash: str
    broken_at: int | None = None
    reason: str | None = None


class AuditService:
    """Lists, exports and verifies events."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def list_page(
        self, organisation_id: str, chosen: AuditFilter, limit: int, cursor: str | None
    ) -> dict[str, Any]:
        """Newest first."""
        async with self._db.begin() as session:
            return await page(session, chosen.apply(organisation_id), AuditEvent.seq, limit, cursor, _answer)

    async def export(self, organisation_id: str, chosen: AuditFilter) -> AsyncIterator[bytes]:
        """NDJSON, oldest first, in bounded memory."""
        async for events in self._batches(chosen.apply(organisation_id)):
            yield b"".join(orjson.dumps(_answer(event)) + b"\n" for event in events)

    async def verify(self, organisation_id: str) -> Verdict:
        """Follows a chain from its first event to its head; finds changed, removed and reordered events."""
        async with self._db.begin() as session:
            last = await session.scalar(
                select(func.max(AuditEvent.seq)).where(AuditEvent.organisation_id == organisation_id)
            )
            head = await session.get(AuditHead, organisation_id)
        end, end_hash = (head.seq, head.hash) if head is not None else (0, GENESIS)
        held, previous = 0, GENESIS
        query = AuditFilter().apply(organisation_id).where(AuditEvent.seq <= max(end, last or 0))
        async for events in self._batches(query):
            for event in events:
                reason = _flaw(event, held + 1, previous)
                if reason is not None:
                    return Verdict(organisation_id, held, previous, held + 1, reason)
                held, previous = event.seq, event.hash
        if held < end:
            return Verdict(organisation_id, held, previous, held + 1, "events were removed from the end")
        if (held, previous) != (end, end_hash):
            return Verdict(organisation_id, held, previous, held, "the head of the chain was changed")
        return Verdict(organisation_id, held, previous)

    async def _batches(self, query: Select[AuditEvent]) -> AsyncIterator[list[AuditEvent]]:
        after = 0
        while True:
            async with self._db.begin() as session:
                ordered = query.where(AuditEvent.seq > after).order_by(AuditEvent.seq).limit(_BATCH_EVENTS)
                events = list(await session.scalars(ordered))
            if events:
                yield events
            if len(events) < _BATCH_EVENTS:
                return
            after = events[-1].seq


def _flaw(event: AuditEvent, expected_seq: int, previous_hash: str) -> str | None:
    if event.seq > expected_seq:
        return f"{event.seq - expected_seq} events were removed"
    if event.previous_hash != previous_hash:
        return "the event does not follow the one before it: reordered or replaced"
    if event.hash != digest(event):
        return "the event was changed"
    return None
