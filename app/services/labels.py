"""Labelled pairs of a dataset: whether a record is the entity of a master record, as people said."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import func, select

from app.db.learned import Asked, learned_page, locked_dataset
from app.db.learned_models import LabelRow
from app.db.models import now
from app.db.session import Database
from app.errors import Conflict, NotFound
from app.ids import Prefix, new_id
from app.services import audit
from app.services.keys import Principal

MAX_LABELS = 20_000
"""Of one dataset: more teach a model of a dozen numbers nothing."""


@dataclass(frozen=True, slots=True)
class Label:
    """One labelled pair; `record` as it would be sent to be matched."""

    record: Mapping[str, Any]
    record_id: str
    match: bool

    @property
    def pair(self) -> str:
        """Digest of the pair: the same record, field by field, and master record."""
        content = orjson.dumps([dict(self.record), self.record_id], option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(content).hexdigest()


class LabelService:
    """Owns the transactions of labels."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, who: Principal, dataset_id: str, labels: Sequence[Label]) -> dict[str, Any]:
        """Stores labels; a pair that has one gets the new one.

        Raises DatasetNotFound, and Conflict for a dataset without primary key or with too many labels.
        """
        fresh = {label.pair: label for label in labels}
        async with self._db.begin() as session:
            dataset = await locked_dataset(session, who.organisation_id, dataset_id)
            if dataset.primary_key is None:
                raise Conflict(
                    "The dataset has no primary key, so its record ids do not survive the next snapshot: "
                    "labels cannot name its records.",
                    dataset_id=dataset_id,
                )
            mine = LabelRow.dataset_id == dataset_id
            held = await session.scalar(select(func.count()).where(mine)) or 0
            known = {row.pair: row for row in await session.scalars(select(LabelRow).where(mine)) if row.pair in fresh}
            if held + len(fresh) - len(known) > MAX_LABELS:
                raise Conflict(f"A dataset may have at most {MAX_LABELS} labels.", limit=MAX_LABELS, stored=held)
            for pair, label in fresh.items():
                if pair in known:
                    known[pair].match, known[pair].actor = label.match, who.key_id
                else:
                    session.add(_row(who, dataset_id, pair, label))
            counts = {"added": len(fresh) - len(known), "replaced": len(known)}
            await audit.record(session, who.organisation_id, "labels.add", dataset_id, counts)
        return {"dataset_id": dataset_id, **counts, "labels": held + counts["added"]}

    async def list_page(self, organisation_id: str, dataset_id: str, limit: int, cursor: str | None) -> dict[str, Any]:
        return await learned_page(self._db, LabelRow, Asked(organisation_id, dataset_id, limit, cursor), _answer)

    async def delete(self, who: Principal, dataset_id: str, label_id: str) -> None:
        """Raises DatasetNotFound or NotFound."""
        async with self._db.begin() as session:
            await locked_dataset(session, who.organisation_id, dataset_id)
            row = await session.get(LabelRow, label_id)
            if row is None or row.dataset_id != dataset_id:
                raise NotFound(f"Dataset {dataset_id} has no label {label_id}.", label_id=label_id)
            await session.delete(row)
            await audit.record(session, who.organisation_id, "labels.delete", dataset_id, {"label_id": label_id})

    async def all_of(self, dataset_id: str) -> list[Label]:
        """Every label of a dataset, in the order they came."""
        async with self._db.begin() as session:
            rows = await session.scalars(
                select(LabelRow).where(LabelRow.dataset_id == dataset_id).order_by(LabelRow.id)
            )
            return [Label(row.record, row.record_id, row.match) for row in rows]


def _row(who: Principal, dataset_id: str, pair: str, label: Label) -> LabelRow:
    return LabelRow(
        id=new_id(Prefix.LABEL),
        organisation_id=who.organisation_id,
        dataset_id=dataset_id,
        pair=pair,
        record=dict(label.record),
        record_id=label.record_id,
        match=label.match,
        actor=who.key_id,
        created_at=now(),
    )


def _answer(row: LabelRow) -> dict[str, Any]:
    return {
        "label_id": row.id,
        "record": row.record,
        "record_id": row.record_id,
        "match": row.match,
        "actor": row.actor,
        "created_at": row.created_at.isoformat().replace("+00:00", "Z"),
    }
