"""Standing decisions: made, listed and withdrawn by people; matching honours them from the next second on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select

from app.db.learned import count_change, locked_dataset
from app.db.learned_models import StandingRow
from app.db.models import now
from app.db.paging import page
from app.db.session import Database
from app.errors import Conflict, InvalidSchema, NotFound
from app.ids import Prefix, new_id
from app.services import audit
from app.services.keys import Principal
from app.services.learned import LearnedCache
from app.services.match import MatchService

_MAX_DECISIONS = 10_000
"""Of one dataset; every process that matches keeps them in memory, about 1 KB each."""


@dataclass(frozen=True, slots=True)
class NewDecision:
    """What is decided: `record` is always, or never, the entity of the master record."""

    dataset_id: str
    record: Mapping[str, Any]
    record_id: str
    verdict: str
    field_map: Mapping[str, str] = field(default_factory=dict)
    note: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StandingFilter:
    """Which decisions; None means any."""

    dataset_id: str | None = None
    record_id: str | None = None
    verdict: str | None = None
    expired: bool = False
    """Whether those whose time is over are listed too."""


class StandingDecisions:
    """Owns the transactions of standing decisions."""

    def __init__(self, db: Database, match: MatchService, learned: LearnedCache) -> None:
        self._db = db
        self._match = match
        self._learned = learned

    async def decide(self, who: Principal, new: NewDecision) -> dict[str, Any]:
        """The decision as it was made.

        Raises DatasetNotFound, SnapshotNotActive, InvalidSchema for a record that cannot be matched, NotFound for a
        master record that the active snapshot does not have, Conflict for a dataset without primary key or with too many.
        """
        if new.expires_at is not None and new.expires_at <= now():
            raise InvalidSchema("expires_at is in the past.", field="expires_at")
        await self._match.check_pair(who.organisation_id, new.dataset_id, new.record, new.record_id, new.field_map)
        async with self._db.begin() as session:
            dataset = await locked_dataset(session, who.organisation_id, new.dataset_id)
            if dataset.primary_key is None:
                raise Conflict(
                    "The dataset has no primary key, so its record ids do not survive the next snapshot: "
                    "nothing lasting can be decided about them.",
                    dataset_id=new.dataset_id,
                )
            kept = select(func.count()).where(StandingRow.dataset_id == new.dataset_id)
            if (await session.scalar(kept) or 0) >= _MAX_DECISIONS:
                raise Conflict(
                    f"The dataset already has {_MAX_DECISIONS} standing decisions; delete those that are no longer needed.",
                    limit=_MAX_DECISIONS,
                )
            row = StandingRow(
                id=new_id(Prefix.STANDING_DECISION),
                organisation_id=who.organisation_id,
                dataset_id=new.dataset_id,
                record=dict(new.record),
                field_map=dict(new.field_map),
                record_id=new.record_id,
                verdict=new.verdict,
                note=new.note,
                actor=who.key_id,
                created_at=now(),
                expires_at=new.expires_at,
            )
            session.add(row)
            await count_change(session, new.dataset_id)
            await audit.record(session, who.organisation_id, "standing_decision.create", row.id, _named(row))
        self._learned.forget(new.dataset_id)
        return _answer(row)

    async def list_page(
        self, organisation_id: str, wanted: StandingFilter, limit: int, cursor: str | None
    ) -> dict[str, Any]:
        query = select(StandingRow).where(StandingRow.organisation_id == organisation_id)
        for column, value in (
            (StandingRow.dataset_id, wanted.dataset_id),
            (StandingRow.record_id, wanted.record_id),
            (StandingRow.verdict, wanted.verdict),
        ):
            if value is not None:
                query = query.where(column == value)
        if not wanted.expired:
            query = query.where(or_(StandingRow.expires_at.is_(None), StandingRow.expires_at > now()))
        async with self._db.begin() as session:
            return await page(session, query, StandingRow.id, limit, cursor, _answer)

    async def withdraw(self, who: Principal, decision_id: str) -> None:
        """Raises NotFound."""
        async with self._db.begin() as session:
            row = await session.get(StandingRow, decision_id)
            if row is None or row.organisation_id != who.organisation_id:
                raise NotFound(f"There is no standing decision {decision_id}.", decision_id=decision_id)
            await locked_dataset(session, who.organisation_id, row.dataset_id)
            await session.delete(row)
            await count_change(session, row.dataset_id)
            await audit.record(session, who.organisation_id, "standing_decision.delete", row.id, _named(row))
        self._learned.forget(row.dataset_id)


def _named(row: StandingRow) -> dict[str, Any]:
    """What the audit trail says of a decision: whom it names, not what the record holds."""
    return {"dataset_id": row.dataset_id, "record_id": row.record_id, "verdict": row.verdict}


def _answer(row: StandingRow) -> dict[str, Any]:
    return {
        "decision_id": row.id,
        "dataset_id": row.dataset_id,
        "record": row.record,
        "field_map": row.field_map,
        "record_id": row.record_id,
        "verdict": row.verdict,
        "note": row.note,
        "actor": row.actor,
        "created_at": _iso(row.created_at),
        "expires_at": _iso(row.expires_at),
    }


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat().replace("+00:00", "Z")
