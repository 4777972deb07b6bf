"""Activation: an index is built beside the one that serves, verified, and swapped in by one atomic alias action."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import select

from app.config import Settings
from app.db.indices import IndexRepository, kept_index
from app.db.models import Dataset, IndexRow, Snapshot
from app.db.session import Database
from app.errors import Conflict, DatasetNotFound
from app.files.bundle import META, Bundle, BundleMeta
from app.files.snapshots import Manifest, SnapshotRows
from app.matching.prepare import NORMALISER_VERSION
from app.observability.stages import measured_build
from app.ports import FileStore
from app.search.admin import IndexAdmin
from app.search.client import Endpoint
from app.search.names import IndexNames
from app.search.template import index_body
from app.services import audit
from app.services.datasets import DatasetService
from app.services.index_build import BATCH_ROWS, BuildPlan, build
from app.services.index_schema import effective_schema
from app.services.index_verify import Verifier
from app.services.index_worker import WorkerTask
from app.services.jobs import Job, JobService
from app.services.progress import ThreadProgress

log = structlog.get_logger(__name__)

_ADMIN_TIMEOUT_S = 120.0


class ActivationService:
    """Does activation jobs; whatever happens, the old snapshot serves until the new one is whole."""

    def __init__(
        self,
        db: Database,
        store: FileStore,
        datasets: DatasetService,
        jobs: JobService,
        verifier: Verifier,
        settings: Settings,
    ) -> None:
        self._db = db
        self._store = store
        self._datasets = datasets
        self._jobs = jobs
        self._verifier = verifier
        self._settings = settings
        self._indices = IndexRepository(db)
        self._names = IndexNames(settings.index_prefix)
        self._endpoint = Endpoint.from_settings(settings)

    async def run(self, job: Job) -> None:
        """Activates the job's snapshot; an index that is still kept is swapped in at once."""
        dataset, snapshot = await self._load(job)
        alias = self._names.alias(job.organisation_id, dataset.id)
        name = await self._finished_before(job, alias) or await self._kept(snapshot.id)
        reused = name is not None
        if name is None:
            name = await self._build(job, dataset, snapshot)
        await self._on_admin(lambda admin: admin.swap_alias(alias, str(name)))
        await self._commit(job, dataset.id, snapshot.id, name)
        await self._prune(dataset.id, name)
        await self._jobs.progress(job.id, snapshot.rows, snapshot.rows)
        result = {"dataset_id": dataset.id, "snapshot_id": snapshot.id, "rows": snapshot.rows, "reused_index": reused}
        await self._jobs.complete(job.id, result)

    async def repair(self) -> None:
        """Removes what dead builds left; called when a worker starts."""
        for row in await self._indices.abandoned():
            await self._discard(row.name)

    async def drop(self, names: list[str]) -> None:
        """Removes indices and their bundles for good."""
        for name in names:
            await self._remove(name)

    async def _load(self, job: Job) -> tuple[Dataset, Snapshot]:
        async with self._db.begin() as session:
            dataset = await session.get(Dataset, job.payload["dataset_id"])
            snapshot = await session.get(Snapshot, job.payload["snapshot_id"])
        if dataset is None or snapshot is None or dataset.deleted_at is not None:
            raise DatasetNotFound("The dataset was deleted before its activation began.")
        if snapshot.rows == 0:
            raise Conflict("The snapshot has no records; append some, then activate.", snapshot_id=snapshot.id)
        return dataset, snapshot

    async def _finished_before(self, job: Job, alias: str) -> str | None:
        """The index of an earlier attempt that crashed after its swap; what else attempts left is removed."""
        found = None
        for row in await self._indices.of_job(job.id):
            serving = await self._on_admin(lambda admin: admin.alias_targets(alias))
            if serving == [row.name]:
                found = row.name
            else:
                await self._discard(row.name)
        return found

    async def _kept(self, snapshot_id: str) -> str | None:
        """The index that an earlier activation made of the snapshot; what is left of one that the engine lost is removed.

        One that is outdated is built again.
        """
        async with self._db.begin() as session:
            row = await kept_index(session, snapshot_id)
        if row is None:
            return None
        existing = await self._on_admin(lambda admin: admin.existing(row.name))
        if not existing:
            await self._discard(row.name)
            return None
        # One without its bundle may still serve where that is open already; it goes when another is whole.
        key = f"indices/{row.name}/{META}"
        if await self._store.size(key) is None:
            return None
        meta = BundleMeta.from_bytes(await self._store.get_bytes(key))
        return None if meta.is_outdated else row.name

    async def _build(self, job: Job, dataset: Dataset, snapshot: Snapshot) -> str:
        manifest = await self._datasets.manifest(dataset.organisation_id, dataset.id, snapshot.id)
        name = self._names.new_index(dataset.organisation_id, dataset.id, snapshot.id)
        async with self._db.begin() as session:
            session.add(
                IndexRow(
                    id=f"{job.id}.{job.attempts}",
                    organisation_id=dataset.organisation_id,
                    dataset_id=dataset.id,
                    snapshot_id=snapshot.id,
                    name=name,
                    state="building",
                    rows=snapshot.rows,
                )
            )
        try:
            loop = asyncio.get_running_loop()
            note = ThreadProgress(lambda done: self._jobs.progress(job.id, done, snapshot.rows), loop)
            with measured_build(name, snapshot.rows):
                root = await self._store.local_root(part.key for part in manifest.parts)
                await asyncio.to_thread(self._build_files, root, manifest, dict(dataset.roles), name, note)
                await self._store.publish(f"indices/{name}", META)
                bundle = await asyncio.to_thread(Bundle.open, self._folder(name))
                await self._on_admin(lambda admin: self._verifier.check_index(admin, bundle))
                await self._verifier.check_canaries(bundle)
        except BaseException:
            await asyncio.shield(self._discard(name))
            raise
        return name

    def _build_files(
        self, root: Path, manifest: Manifest, roles: dict[str, str], name: str, progress: Callable[[int], None]
    ) -> None:
        """Blocks for as long as the build takes."""
        folder = self._folder(name)
        work = folder / "work"
        work.mkdir(parents=True)
        rows = SnapshotRows(root, manifest)
        schema = effective_schema(manifest, rows, roles)
        body = index_body(manifest.fields, shards=self._settings.index_shards)
        admin = IndexAdmin(self._endpoint.client(_ADMIN_TIMEOUT_S))
        try:
            target = admin.create(name, body)
            meta = BundleMeta(
                name, manifest.snapshot_id, manifest.rows, body.digest, NORMALISER_VERSION, schema.to_json()
            )
            fields = tuple(manifest.fields)
            task = WorkerTask(self._endpoint, target, work, schema, fields, manifest.primary_key)
            processes = 1 if manifest.rows <= BATCH_ROWS else self._settings.build_processes
            plan = BuildPlan(meta, task, folder, processes, self._settings.index_replicas)
            build(plan, rows.batches(BATCH_ROWS), admin, progress)
        finally:
            admin.close()
            shutil.rmtree(work, ignore_errors=True)

    async def _commit(self, job: Job, dataset_id: str, snapshot_id: str, name: str) -> None:
        async with self._db.begin() as session:
            dataset = await session.get(Dataset, dataset_id)
            if dataset is None or dataset.deleted_at is not None:
                raise DatasetNotFound("The dataset was deleted during its activation.")
            for row in await session.scalars(select(IndexRow).where(IndexRow.dataset_id == dataset_id)):
                if row.name == name:
                    row.state = "active"
                elif row.state == "active":
                    row.state = "ready"
            for other in await session.scalars(select(Snapshot).where(Snapshot.dataset_id == dataset_id)):
                if other.id == snapshot_id:
                    other.state = "active"
                elif other.state == "active":
                    other.state = "retired"
            if dataset.active_snapshot_id != snapshot_id:
                dataset.active_snapshot_id = snapshot_id
                details = {"snapshot_id": snapshot_id, "job_id": job.id}
                await audit.record(session, dataset.organisation_id, "dataset.activate", dataset_id, details)

    async def _prune(self, dataset_id: str, active: str) -> None:
        """Keeps the newest indices for rollback, the active one among them, and those that jobs need; removes the rest."""
        for name in await self._indices.retire(dataset_id, active, self._settings.kept_indices):
            await self._remove(name)

    async def _discard(self, name: str) -> None:
        await self._remove(name)
        await self._indices.set_state(name, "failed")
        log.info("index_discarded", index=name)

    async def _remove(self, name: str) -> None:
        await self._on_admin(lambda admin: admin.delete([name]))
        await self._store.delete_prefix(f"indices/{name}")

    async def _on_admin(self, call: Callable[[IndexAdmin], Any]) -> Any:
        def on_thread() -> Any:
            admin = IndexAdmin(self._endpoint.client(_ADMIN_TIMEOUT_S))
            try:
                return call(admin)
            finally:
                admin.close()

        return await asyncio.to_thread(on_thread)

    def _folder(self, name: str) -> Path:
        return self._store.workspace(f"indices/{name}")
