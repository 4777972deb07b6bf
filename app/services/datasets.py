"""Datasets and their chain of snapshots: create, append, read, delete."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select

from app.db.models import Dataset, IndexRow, Snapshot, now
from app.db.paging import page
from app.db.session import Database
from app.errors import ArtifactExpired, NotFound, SnapshotNotFound
from app.files.snapshots import (
    Manifest,
    Part,
    arrow_schema,
    key_hashes,
    keys_file,
    snapshot_folder,
    write_part,
)
from app.ids import Prefix, new_id
from app.matching.roles import infer_roles
from app.ports import FileStore
from app.services import audit
from app.services.ingest import Ingested, ingest, write_rejects
from app.services.memory import release_memory
from app.services.snapshot_chain import REJECTS, SnapshotChain, find_dataset, take_numbers


class DatasetService:
    """Owns the transactions of datasets and snapshots; files are written before the rows that name them."""

    def __init__(self, db: Database, store: FileStore) -> None:
        self._db = db
        self._store = store
        self._chain = SnapshotChain(db, store)

    async def create(
        self,
        organisation_id: str,
        name: str,
        fields: Mapping[str, str],
        primary_key: str | None,
        roles: Mapping[str, str],
    ) -> dict[str, Any]:
        """The new dataset with the roles that were inferred from its field names."""
        row = Dataset(
            id=new_id(Prefix.DATASET),
            organisation_id=organisation_id,
            name=name,
            fields=dict(fields),
            primary_key=primary_key,
            roles=dict(roles),
            next_seq=0,
            created_at=now(),
        )
        async with self._db.begin() as session:
            session.add(row)
            await audit.record(session, organisation_id, "dataset.create", row.id, {"name": name})
        return _dataset(row, None, None)

    async def list_page(self, organisation_id: str, limit: int, cursor: str | None) -> dict[str, Any]:
        query = select(Dataset).where(Dataset.organisation_id == organisation_id, Dataset.deleted_at.is_(None))
        async with self._db.begin() as session:
            return await page(session, query, Dataset.id, limit, cursor, lambda row: _dataset(row, None, None))

    async def get(self, organisation_id: str, dataset_id: str) -> dict[str, Any]:
        async with self._db.begin() as session:
            row = await find_dataset(session, organisation_id, dataset_id)
            active = await session.get(Snapshot, row.active_snapshot_id) if row.active_snapshot_id else None
            index = await session.scalar(
                select(IndexRow).where(IndexRow.dataset_id == dataset_id).order_by(IndexRow.id.desc()).limit(1)
            )
            return _dataset(row, active, index)

    async def delete(self, organisation_id: str, dataset_id: str) -> list[str]:
        """Marks a dataset deleted and removes its files; gives the physical indices that are now nobody's."""
        async with self._db.begin() as session:
            row = await find_dataset(session, organisation_id, dataset_id)
            row.deleted_at, row.active_snapshot_id = now(), None
            found = await session.scalars(select(IndexRow).where(IndexRow.dataset_id == dataset_id))
            names = []
            for index in found:
                index.state = "retired"
                names.append(index.name)
            await audit.record(session, organisation_id, "dataset.delete", dataset_id, {"name": row.name})
        await self._store.delete_prefix(f"snapshots/{organisation_id}/{dataset_id}")
        return names

    async def append(
        self, organisation_id: str, dataset_id: str, records: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Makes the next snapshot from what can be coerced; the rest is kept as rejects. Gives the DQ summary."""
        async with self._db.begin() as session:
            dataset = await find_dataset(session, organisation_id, dataset_id)
        taken = await asyncio.to_thread(ingest, records, dataset.fields, dataset.primary_key)
        try:
            return await self._add_snapshot(dataset, taken)
        finally:
            await asyncio.to_thread(release_memory)

    async def _add_snapshot(self, dataset: Dataset, taken: Ingested) -> dict[str, Any]:
        snapshot_id = new_id(Prefix.SNAPSHOT)
        folder = snapshot_folder(dataset.organisation_id, dataset.id, snapshot_id)
        async with self._db.begin(apart=True) as session:
            first = await take_numbers(session, dataset.id, taken.accepted)
        part = await self._write_part(folder, dataset, taken, first)
        if taken.rejects:
            await self._store.put_bytes(f"{folder}/{REJECTS}", await asyncio.to_thread(write_rejects, taken.rejects))
        dq = {
            "accepted": taken.accepted,
            "rejected": len(taken.rejects),
            "coercions": taken.coercions,
            "null_pct": taken.null_pct,
        }
        await self._chain.add(dataset, snapshot_id, part, dq)
        return {"snapshot_id": snapshot_id, **dq}

    async def _write_part(self, folder: str, dataset: Dataset, taken: Ingested, first: int) -> Part | None:
        if not taken.accepted:
            return None
        primary_key = dataset.primary_key
        table = taken.table(arrow_schema(dict(dataset.fields)), first)
        with tempfile.TemporaryDirectory(prefix="foundryops-") as scratch:
            path = Path(scratch) / "part.parquet"
            digest = await asyncio.to_thread(write_part, table, path)
            await self._store.put(f"{folder}/part.parquet", path)
            part = Part(f"{folder}/part.parquet", taken.accepted, digest)
            if primary_key is not None:
                keys = key_hashes(*taken.keys(primary_key))
                np.save(Path(scratch) / "keys.npy", keys)
                await self._store.put(keys_file(part), Path(scratch) / "keys.npy")
        return part

    async def manifest(self, organisation_id: str, dataset_id: str, snapshot_id: str) -> Manifest:
        """Raises SnapshotNotFound when the snapshot's files are gone."""
        return await self._chain.manifest(organisation_id, dataset_id, snapshot_id)

    async def snapshots(self, organisation_id: str, dataset_id: str, limit: int, cursor: str | None) -> dict[str, Any]:
        async with self._db.begin() as session:
            await find_dataset(session, organisation_id, dataset_id)
            return await page(
                session,
                select(Snapshot).where(Snapshot.dataset_id == dataset_id),
                Snapshot.id,
                limit,
                cursor,
                _snapshot,
            )

    async def snapshot(self, organisation_id: str, dataset_id: str, snapshot_id: str) -> dict[str, Any]:
        async with self._db.begin() as session:
            await find_dataset(session, organisation_id, dataset_id)
            row = await session.get(Snapshot, snapshot_id)
        if row is None or row.dataset_id != dataset_id:
            raise SnapshotNotFound(f"Dataset {dataset_id} has no snapshot {snapshot_id}.", snapshot_id=snapshot_id)
        return _snapshot(row)

    async def rejects(self, organisation_id: str, dataset_id: str, snapshot_id: str) -> bytes:
        """NDJSON.gz; raises NotFound when nothing was rejected, ArtifactExpired when it is gone."""
        found = await self.snapshot(organisation_id, dataset_id, snapshot_id)
        if not found["rejected"]:
            raise NotFound(f"Nothing was rejected in snapshot {snapshot_id}.", snapshot_id=snapshot_id)
        key = f"{snapshot_folder(organisation_id, dataset_id, snapshot_id)}/{REJECTS}"
        try:
            return await self._store.get_bytes(key)
        except NotFound as exc:
            raise ArtifactExpired(f"The rejects of snapshot {snapshot_id} have expired.") from exc


def _dataset(row: Dataset, active: Snapshot | None, index: IndexRow | None) -> dict[str, Any]:
    inferred = {name: role.value for name, role in infer_roles(row.fields).items()}
    return {
        "dataset_id": row.id,
        "name": row.name,
        "schema": row.fields,
        "primary_key": row.primary_key,
        "roles": {**inferred, **row.roles},
        "created_at": row.created_at.isoformat().replace("+00:00", "Z"),
        "latest_snapshot_id": row.head_snapshot_id,
        "active_snapshot_id": row.active_snapshot_id,
        "rows": active.rows if active else None,
        "index_status": index.state if index else None,
    }


def _snapshot(row: Snapshot) -> dict[str, Any]:
    return {
        "snapshot_id": row.id,
        "dataset_id": row.dataset_id,
        "parent_id": row.parent_id,
        "state": row.state,
        "rows": row.rows,
        **row.dq,
        "created_at": row.created_at.isoformat().replace("+00:00", "Z"),
    }
