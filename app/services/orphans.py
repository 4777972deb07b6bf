"""Rules of retention for what no record of account knows: left by crashes, or by removals that broke off."""

from __future__ import annotations

from asyncio import to_thread
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import select

from app.db.models import Dataset, IndexRow, JobRow, Organisation, Snapshot, now
from app.db.session import Database
from app.db.upload_models import Upload
from app.ports import FileStore, StoredFile
from app.search.admin import IndexAdmin
from app.search.client import Endpoint
from app.search.names import IndexNames, alias_of, organisation_of
from app.services.retention import Removed
from app.services.uploads import upload_key

log = structlog.get_logger(__name__)

_NEEDED = ("building", "ready", "active")
_PARTS = {"snapshots": 4, "indices": 2, "jobs": 2, "uploads": 3}
"""How many parts of a key name the thing that it belongs to; keys that begin otherwise are not ours to judge."""
_UNFINISHED = (".part-", ".incoming-")
"""How the names of files begin while they are written; they are renamed when they are whole."""
_ADMIN_TIMEOUT_S = 120.0


class Orphans:
    """Removes nothing that is younger than `grace`: it may be about to become known."""

    def __init__(self, db: Database, store: FileStore, endpoint: Endpoint, names: IndexNames, grace: timedelta) -> None:
        self._db = db
        self._store = store
        self._endpoint = endpoint
        self._names = names
        self._grace = grace

    async def files(self) -> Removed:
        """Folders of snapshots, index bundles and jobs that are no more, and what a broken-off write left."""
        before = now() - self._grace
        # First what is there, then what is needed: what becomes known in between is not taken for an orphan.
        found = await self._store.list_files()
        needed = await self._needed()
        keys = {file.key for file in found}
        removed: Removed = Counter()
        for thing, modified_at in _newest(found).items():
            if thing not in needed and modified_at < before:
                await (self._store.delete(thing) if thing in keys else self._store.delete_prefix(thing))
                removed[_organisation_of(thing)] += 1
        for file in found:
            if Path(file.key).name.startswith(_UNFINISHED) and file.modified_at < before:
                await self._store.delete(file.key)
                removed[""] += 1
        return removed

    async def indices(self) -> Removed:
        """OpenSearch indices that no dataset serves from or keeps, by what organisations of ours may have.

        One that carries its alias is never touched.
        """
        async with self._db.begin() as session:
            ours = {organisation_id.lower() for organisation_id in await session.scalars(select(Organisation.id))}
            rows = await session.execute(select(IndexRow.name, IndexRow.organisation_id, IndexRow.state))
            known = {row.name: (row.organisation_id, row.state) for row in rows}
        return await to_thread(self._remove_indices, ours, known)

    def _remove_indices(self, ours: set[str], known: Mapping[str, tuple[str, str]]) -> Removed:
        removed: Removed = Counter()
        admin = IndexAdmin(self._endpoint.client(_ADMIN_TIMEOUT_S))
        try:
            for name in admin.created_before(self._names.pattern(), now() - self._grace):
                organisation_id, state = known.get(name, ("", "unknown"))
                if state in _NEEDED or organisation_of(name) not in ours:
                    continue
                if name in admin.alias_targets(alias_of(name)):
                    log.error("unknown_index_serves", index=name)
                    continue
                admin.delete([name])
                removed[organisation_id] += 1
        finally:
            admin.close()
        return removed

    async def _needed(self) -> set[str]:
        """The folders and keys of all that the records of account know and keep."""
        snapshots = select(Snapshot.organisation_id, Snapshot.dataset_id, Snapshot.id)
        snapshots = snapshots.join(Dataset, Dataset.id == Snapshot.dataset_id).where(Dataset.deleted_at.is_(None))
        uploads = select(Upload.organisation_id, Upload.id).where(Upload.state != "expired")
        jobs = select(JobRow.id).where(JobRow.expired_at.is_(None))
        indices = select(IndexRow.name).where(IndexRow.state.in_(_NEEDED))
        async with self._db.begin() as session:
            return {
                *("/".join(("snapshots", *row)) for row in await session.execute(snapshots)),
                *(upload_key(*row) for row in await session.execute(uploads)),
                *(f"jobs/{job_id}" for job_id in await session.scalars(jobs)),
                *(f"indices/{name}" for name in await session.scalars(indices)),
            }


def _newest(files: Iterable[StoredFile]) -> dict[str, datetime]:
    """By the folder, or the key, of a thing, when it last changed."""
    newest: dict[str, datetime] = {}
    for file in files:
        parts = file.key.split("/")
        depth = _PARTS.get(parts[0])
        if depth is not None and len(parts) >= depth and not parts[-1].startswith(_UNFINISHED):
            thing = "/".join(parts[:depth])
            newest[thing] = max(file.modified_at, newest.get(thing, file.modified_at))
    return newest


def _organisation_of(thing: str) -> str:
    parts = thing.split("/")
    return parts[1] if parts[0] in ("snapshots", "uploads") else ""
