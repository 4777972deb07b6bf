"""The indices of snapshots in SQL: which one serves, which are kept for rollback, which are being built."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Dataset, IndexRow, JobRow, Snapshot
from app.db.session import Database
from app.errors import DatasetNotFound, SnapshotNotActive, SnapshotNotFound

KEPT = ("ready", "active")


class IndexRepository:
    """What matching and activation ask of the indices' records of account."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def of_snapshot(self, organisation_id: str, snapshot_id: str) -> IndexRow:
        """The kept index of a snapshot; raises SnapshotNotFound or SnapshotNotActive."""
        async with self._db.begin() as session:
            snapshot = await _snapshot(session, organisation_id, snapshot_id)
            found = await kept_index(session, snapshot_id)
        if found is None:
            raise _not_active(snapshot_id, snapshot.dataset_id)
        return found

    async def dataset_of(self, organisation_id: str, snapshot_id: str) -> str:
        """The id of a snapshot's dataset, whether it has an index or not; raises SnapshotNotFound."""
        async with self._db.begin() as session:
            return (await _snapshot(session, organisation_id, snapshot_id)).dataset_id

    async def of_dataset(self, organisation_id: str, dataset_id: str) -> IndexRow:
        """The active index of a dataset; raises DatasetNotFound or SnapshotNotActive."""
        async with self._db.begin() as session:
            dataset = await session.get(Dataset, dataset_id)
            if dataset is None or dataset.organisation_id != organisation_id or dataset.deleted_at:
                raise DatasetNotFound(f"There is no dataset {dataset_id}.", dataset_id=dataset_id)
            active = dataset.active_snapshot_id
            found = await kept_index(session, active) if active else None
        if found is None:
            raise _not_active(dataset.head_snapshot_id, dataset_id)
        return found

    async def abandoned(self) -> list[IndexRow]:
        """Indices under construction whose job has ended or is gone."""
        alive = select(JobRow.id).where(JobRow.state.in_(("queued", "running")))
        async with self._db.begin() as session:
            rows = await session.scalars(select(IndexRow).where(IndexRow.state == "building"))
            jobs = set(await session.scalars(alive))
            return [row for row in rows if row.id.partition(".")[0] not in jobs]

    async def of_job(self, job_id: str) -> list[IndexRow]:
        """Indices that earlier attempts of an activation job left under construction."""
        async with self._db.begin() as session:
            building = IndexRow.id.startswith(f"{job_id}."), IndexRow.state == "building"
            return list(await session.scalars(select(IndexRow).where(*building)))

    async def retire(self, dataset_id: str, active: str, most: int) -> list[str]:
        """Retires all but the newest `most` indices, the active one among these; one that a job needs stays."""
        needed = select(JobRow.snapshot_id).where(JobRow.state.in_(("queued", "running")))
        async with self._db.begin() as session:
            kept = IndexRow.dataset_id == dataset_id, IndexRow.state.in_(KEPT), IndexRow.name != active
            query = select(IndexRow).where(*kept).order_by(IndexRow.created_at.desc()).with_for_update()
            old = list(await session.scalars(query))[max(most - 1, 0) :]
            pinned = set(await session.scalars(needed.where(JobRow.snapshot_id.is_not(None))))
            retired = [row for row in old if row.snapshot_id not in pinned]
            for row in retired:
                row.state = "retired"
            return [row.name for row in retired]

    async def set_state(self, name: str, state: str) -> None:
        async with self._db.begin() as session:
            row = await session.scalar(select(IndexRow).where(IndexRow.name == name))
            if row is not None:
                row.state = state


async def pin(session: AsyncSession, snapshot_id: str) -> None:
    """Holds off `retire` until the transaction that makes a job of this snapshot is over; raises SnapshotNotActive."""
    kept = IndexRow.snapshot_id == snapshot_id, IndexRow.state.in_(KEPT)
    if await session.scalar(select(IndexRow.id).where(*kept).limit(1).with_for_update()) is None:
        snapshot = await session.get_one(Snapshot, snapshot_id)
        raise _not_active(snapshot_id, snapshot.dataset_id)


async def kept_index(session: AsyncSession, snapshot_id: str) -> IndexRow | None:
    """The newest index of a snapshot that can serve."""
    kept = IndexRow.snapshot_id == snapshot_id, IndexRow.state.in_(KEPT)
    found: IndexRow | None = await session.scalar(select(IndexRow).where(*kept).order_by(IndexRow.id.desc()).limit(1))
    return found


async def _snapshot(session: AsyncSession, organisation_id: str, snapshot_id: str) -> Snapshot:
    snapshot = await session.get(Snapshot, snapshot_id)
    dataset = await session.get(Dataset, snapshot.dataset_id) if snapshot else None
    if snapshot is None or snapshot.organisation_id != organisation_id or dataset is None or dataset.deleted_at:
        raise SnapshotNotFound(f"There is no snapshot {snapshot_id}.", snapshot_id=snapshot_id)
    return snapshot


def _not_active(snapshot_id: str | None, dataset_id: str) -> SnapshotNotActive:
    how = f'POST /api/v2/datasets/{dataset_id}/activate with {{"snapshot_id": "{snapshot_id}"}}'
    message = f"Snapshot {snapshot_id} has no index. Activate it: {how}."
    if snapshot_id is None:
        message = f"Dataset {dataset_id} has no snapshot yet; append records, then activate."
    return SnapshotNotActive(message, dataset_id=dataset_id, snapshot_id=snapshot_id)
