"""What people taught about datasets: read as matching needs it, and counted when it changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.learned_models import CalibrationRow, LabelRow, LearnedRow, StandingRow
from app.db.models import Dataset, now
from app.db.paging import page
from app.db.session import Database
from app.errors import DatasetNotFound

_Learned = TypeVar("_Learned", LabelRow, CalibrationRow)


class LearnedRepository:
    """What matching asks; nothing in here checks who asks, targets are resolved before."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def revision(self, dataset_id: str) -> int:
        """0 for a dataset that nobody taught anything."""
        async with self._db.begin() as session:
            found = await session.scalar(select(LearnedRow.revision).where(LearnedRow.dataset_id == dataset_id))
        return found or 0

    async def load(self, dataset_id: str) -> tuple[int, list[StandingRow], list[CalibrationRow]]:
        """The revision with the standing decisions and installed calibrations that it counts."""
        alive = or_(StandingRow.expires_at.is_(None), StandingRow.expires_at > now())
        decisions = select(StandingRow).where(StandingRow.dataset_id == dataset_id, alive)
        installed = CalibrationRow.dataset_id == dataset_id, CalibrationRow.state == "installed"
        async with self._db.begin() as session:
            revision = await session.scalar(select(LearnedRow.revision).where(LearnedRow.dataset_id == dataset_id))
            found = list(await session.scalars(decisions))
            calibrations = list(await session.scalars(select(CalibrationRow).where(*installed)))
        return revision or 0, found, calibrations


@dataclass(frozen=True, slots=True)
class Asked:
    """A page of what a dataset has learned: whose, of which dataset, how much and from where."""

    organisation_id: str
    dataset_id: str
    limit: int
    cursor: str | None


async def learned_page(
    db: Database, kind: type[_Learned], asked: Asked, shape: Callable[[_Learned], dict[str, Any]]
) -> dict[str, Any]:
    """Newest first; raises DatasetNotFound, and InvalidRequest for a cursor that is none of ours."""
    async with db.begin() as session:
        await locked_dataset(session, asked.organisation_id, asked.dataset_id)
        query = select(kind).where(kind.dataset_id == asked.dataset_id)
        return await page(session, query, kind.id, asked.limit, asked.cursor, shape)


async def locked_dataset(session: AsyncSession, organisation_id: str, dataset_id: str) -> Dataset:
    """The dataset, held until the transaction ends, so that changes of what it learned follow each other.

    Raises DatasetNotFound.
    """
    row = await session.get(Dataset, dataset_id, with_for_update=True)
    if row is None or row.organisation_id != organisation_id or row.deleted_at is not None:
        raise DatasetNotFound(f"There is no dataset {dataset_id}.", dataset_id=dataset_id)
    return row


async def count_change(session: AsyncSession, dataset_id: str) -> None:
    """Call it in the transaction that changes what a dataset, locked by `locked_dataset`, has learned."""
    counted = update(LearnedRow).where(LearnedRow.dataset_id == dataset_id).values(revision=LearnedRow.revision + 1)
    if (await session.execute(counted)).rowcount == 0:  # type: ignore[attr-defined]
        session.add(LearnedRow(dataset_id=dataset_id, revision=1))
