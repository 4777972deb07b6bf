"""The chain of a dataset's snapshots: what is appended becomes its new head, whoever else appends meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Dataset, Snapshot
from app.db.session import Database
from app.errors import DatasetNotFound, NotFound, SnapshotNotFound
from app.files.snapshots import Manifest, Part, count_current, keys_file, snapshot_folder
from app.ports import FileStore
from app.services import audit

REJECTS = "rejects.ndjson.gz"
_MANIFEST = "manifest.json"


class _Overtaken(Exception):
    """The head moved between reading and moving it; raised, so that its transaction ends without an effect."""


class SnapshotChain:
    """Adds snapshots and reads what they are made of; files are written before the rows that name them."""

    def __init__(self, db: Database, store: FileStore) -> None:
        self._db = db
        self._store = store

    async def add(self, dataset: Dataset, snapshot_id: str, part: Part | None, dq: dict[str, Any]) -> None:
        """Makes a snapshot of the head and the part, and moves the head on; raises DatasetNotFound when it is deleted."""
        while True:
            try:
                return await self._link(dataset, snapshot_id, part, dq)
            except _Overtaken:
                continue

    async def find(self, snapshot_id: str) -> Snapshot | None:
        async with self._db.begin() as session:
            return await session.get(Snapshot, snapshot_id)

    async def manifest(self, organisation_id: str, dataset_id: str, snapshot_id: str) -> Manifest:
        """Raises SnapshotNotFound when the snapshot's files are gone."""
        folder = snapshot_folder(organisation_id, dataset_id, snapshot_id)
        try:
            return Manifest.from_bytes(await self._store.get_bytes(f"{folder}/{_MANIFEST}"))
        except NotFound as exc:
            raise SnapshotNotFound(f"Snapshot {snapshot_id} has no files.", snapshot_id=snapshot_id) from exc

    async def _link(self, dataset: Dataset, snapshot_id: str, part: Part | None, dq: dict[str, Any]) -> None:
        """Raises _Overtaken when another append was faster and it must be tried again."""
        folder = snapshot_folder(dataset.organisation_id, dataset.id, snapshot_id)
        async with self._db.begin() as session:
            head = (await find_dataset(session, dataset.organisation_id, dataset.id)).head_snapshot_id
        manifest = await self._manifest(dataset, snapshot_id, head, part)
        await self._store.put_bytes(f"{folder}/{_MANIFEST}", manifest.to_bytes())
        async with self._db.begin() as session:
            same = Dataset.head_snapshot_id.is_(None) if head is None else Dataset.head_snapshot_id == head
            moved = await session.execute(
                update(Dataset).where(Dataset.id == dataset.id, same).values(head_snapshot_id=snapshot_id)
            )
            if moved.rowcount != 1:  # type: ignore[attr-defined]
                raise _Overtaken
            session.add(
                Snapshot(
                    id=snapshot_id,
                    organisation_id=dataset.organisation_id,
                    dataset_id=dataset.id,
                    parent_id=head,
                    state="ready",
                    rows=manifest.rows,
                    dq=dq,
                )
            )
            counts = {name: dq[name] for name in ("accepted", "rejected")}
            details = {"snapshot_id": snapshot_id, "parent_id": head, **counts}
            await audit.record(session, dataset.organisation_id, "dataset.append", dataset.id, details)

    async def _manifest(self, dataset: Dataset, snapshot_id: str, head: str | None, part: Part | None) -> Manifest:
        parts: tuple[Part, ...] = ()
        if head is not None:
            parts = (await self.manifest(dataset.organisation_id, dataset.id, head)).parts
        if part is not None:
            parts = (*parts, part)
        manifest = Manifest(
            snapshot_id,
            dataset.id,
            dataset.organisation_id,
            head,
            dict(dataset.fields),
            dataset.primary_key,
            parts,
            sum(one.rows for one in parts),
        )
        if dataset.primary_key is None:
            return manifest
        paths = [await self._store.local_path(keys_file(part)) for part in manifest.parts]
        return replace(manifest, rows=await asyncio.to_thread(_count, paths))


def _count(paths: list[Path]) -> int:
    return count_current([np.load(path) for path in paths])


async def find_dataset(session: AsyncSession, organisation_id: str, dataset_id: str) -> Dataset:
    """Raises DatasetNotFound for one that is deleted or another organisation's, too."""
    row = await session.get(Dataset, dataset_id)
    if row is None or row.organisation_id != organisation_id or row.deleted_at is not None:
        raise DatasetNotFound(f"There is no dataset {dataset_id}.", dataset_id=dataset_id)
    return row


async def take_numbers(session: AsyncSession, dataset_id: str, count: int) -> int:
    """The first of `count` running numbers that are now this append's."""
    await session.execute(update(Dataset).where(Dataset.id == dataset_id).values(next_seq=Dataset.next_seq + count))
    last: int | None = await session.scalar(select(Dataset.next_seq).where(Dataset.id == dataset_id))
    return int(last or 0) - count
