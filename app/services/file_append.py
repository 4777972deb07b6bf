"""Appends an uploaded file to a dataset in a job whose result is the data-quality summary."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.db.models import Dataset
from app.db.session import Database
from app.errors import InvalidSchema
from app.files.blocks import FileFormat, ReaderLimits
from app.files.snapshots import DELETED, Part, keys_file, snapshot_folder
from app.ids import Prefix, new_id
from app.ports import FileStore
from app.services.file_ingest import MAX_FILE_ROWS, FileSource, Tally, Target, ingest_file
from app.services.jobs import Job, JobService
from app.services.memory import release_memory
from app.services.progress import ThreadProgress
from app.services.snapshot_chain import REJECTS, SnapshotChain, find_dataset, take_numbers
from app.services.uploads import UploadService

_PURPOSE = "dataset"


@dataclass(frozen=True, slots=True)
class AppendRequest:
    """`format` is seen from the file when it is None; `field_map` is column → field, or None to leave it out."""

    source_key: str
    format: str | None
    field_map: dict[str, str | None]


class FileAppendService:
    """Accepts and runs append jobs; a job that is run again, after a crash, adds its rows once."""

    def __init__(
        self, db: Database, store: FileStore, uploads: UploadService, jobs: JobService, limits: ReaderLimits
    ) -> None:
        self._db = db
        self._store = store
        self._uploads = uploads
        self._jobs = jobs
        self._limits = limits
        self._chain = SnapshotChain(db, store)

    async def submit(self, organisation_id: str, dataset_id: str, request: AppendRequest) -> dict[str, Any]:
        """The job; raises DatasetNotFound, UploadNotFound, Conflict when nothing was sent yet, InvalidSchema."""
        dataset = await self._dataset(organisation_id, dataset_id)
        known = {*dataset.fields, *((DELETED,) if dataset.primary_key else ())}
        unknown = [to for to in request.field_map.values() if to is not None and to not in known]
        if unknown:
            raise InvalidSchema(f"The dataset has no field {unknown[0]!r}.", field="field_map", unknown=unknown)
        await self._uploads.check(organisation_id, request.source_key, _PURPOSE)
        payload = {
            "dataset_id": dataset_id,
            "snapshot_id": new_id(Prefix.SNAPSHOT),
            "source_key": request.source_key,
            "format": request.format,
            "field_map": request.field_map,
        }
        return await self._jobs.create(organisation_id, "append", payload)

    async def run(self, job: Job) -> None:
        """Ingests the file; raises UnreadableFile, StorageFull and what `submit` raises, which fails the job."""
        payload = job.payload
        snapshot_id: str = payload["snapshot_id"]
        known = await self._chain.find(snapshot_id)
        dq = dict(known.dq) if known else await self._append(job, payload, snapshot_id)
        await self._uploads.keep(payload["source_key"])
        done = dq["accepted"] + dq["rejected"]
        await self._jobs.progress(job.id, done, done)
        place = f"/api/v2/datasets/{payload['dataset_id']}/snapshots/{snapshot_id}/rejects"
        await self._jobs.complete(
            job.id, {"snapshot_id": snapshot_id, **dq, "rejects_url": place if dq["rejected"] else None}
        )

    async def _append(self, job: Job, payload: Mapping[str, Any], snapshot_id: str) -> dict[str, Any]:
        dataset = await self._dataset(job.organisation_id, payload["dataset_id"])
        path = await self._uploads.local_path(job.organisation_id, payload["source_key"], _PURPOSE)
        format = None if payload["format"] is None else FileFormat(payload["format"])
        source = FileSource(path, format, payload["field_map"], self._limits)
        async with self._db.begin() as session:
            first_seq = await take_numbers(session, dataset.id, MAX_FILE_ROWS)

        async def note(done: int, share: float) -> None:
            await self._jobs.progress(job.id, done, max(done, round(done / share)) if share else 0)

        progress = ThreadProgress(note, asyncio.get_running_loop())
        try:
            with tempfile.TemporaryDirectory(prefix="foundryops-") as scratch:
                target = Target(dict(dataset.fields), dataset.primary_key, first_seq, Path(scratch))
                tally = await asyncio.to_thread(ingest_file, source, target, progress)
                part = await self._keep(dataset, snapshot_id, job.attempts, target, tally)
        finally:
            await asyncio.to_thread(release_memory)
        dq = tally.summary(dataset.fields)
        await self._chain.add(dataset, snapshot_id, part, dq)
        return dq

    async def _keep(
        self, dataset: Dataset, snapshot_id: str, attempt: int, target: Target, tally: Tally
    ) -> Part | None:
        """Moves what was made to the file store; each attempt has a part of its own, so that none changes another's."""
        folder = snapshot_folder(dataset.organisation_id, dataset.id, snapshot_id)
        if tally.rejected:
            await self._store.put(f"{folder}/{REJECTS}", target.rejects)
        if not tally.accepted:
            return None
        part = Part(f"{folder}/part-{attempt}.parquet", tally.accepted, tally.sha256)
        await self._store.put(part.key, target.part)
        if target.primary_key is not None:
            await self._store.put(keys_file(part), target.keys)
        return part

    async def _dataset(self, organisation_id: str, dataset_id: str) -> Dataset:
        async with self._db.begin() as session:
            return await find_dataset(session, organisation_id, dataset_id)
