"""Uploads: a signed URL, one file sent to it, and that file for the jobs that read it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import update

from app.db.models import now
from app.db.session import Database
from app.db.upload_models import Upload
from app.errors import ArtifactExpired, Conflict, InvalidSchema, PayloadTooLarge, UploadNotFound
from app.ids import Prefix, new_id
from app.ports import FileStore
from app.services import audit
from app.services.upload_urls import UploadGrant, UploadUrls

PURPOSES = ("dataset", "match")


@dataclass(frozen=True, slots=True)
class UploadRules:
    max_bytes: int
    url_lifetime_s: int
    kept: timedelta
    """How long a file is kept after it came, and after each job that read it."""


class UploadService:
    """Hands out upload URLs, takes what is sent to the local store's, and finds uploads again."""

    def __init__(self, db: Database, store: FileStore, urls: UploadUrls, rules: UploadRules) -> None:
        self._db = db
        self._store = store
        self._urls = urls
        self._rules = rules

    async def presign(self, organisation_id: str, purpose: str, base_url: str) -> dict[str, Any]:
        """A URL for one PUT; the store's own when it has one (S3), else this service's under `base_url`."""
        rules = self._rules
        row = Upload(
            id=new_id(Prefix.OBJECT),
            organisation_id=organisation_id,
            purpose=purpose,
            state="pending",
            max_bytes=rules.max_bytes,
            size_bytes=0,
            expires_at=now() + timedelta(seconds=rules.url_lifetime_s),
        )
        async with self._db.begin() as session:
            session.add(row)
            await audit.record(session, organisation_id, "upload.presign", row.id, {"purpose": purpose})
        url = await self._store.presign_put(upload_key(organisation_id, row.id), rules.url_lifetime_s)
        grant = UploadGrant(organisation_id, row.id, rules.max_bytes, int(row.expires_at.timestamp()))
        return {
            "upload_url": url or self._urls.sign(base_url, grant),
            "storage_key": row.id,
            "expires_at": row.expires_at.isoformat().replace("+00:00", "Z"),
            "max_bytes": rules.max_bytes,
        }

    async def receive(
        self, storage_key: str, query: Mapping[str, str], length: int | None, body: AsyncIterator[bytes]
    ) -> dict[str, Any]:
        """Takes the file of a signed URL; `length` is what was announced.

        Raises Forbidden, UploadNotFound, Conflict when the URL was used, PayloadTooLarge, StorageFull.
        """
        grant = self._urls.check(storage_key, query)
        row = await self._find(grant.organisation_id, storage_key)
        if row.state != "pending":
            raise _used()
        if length is not None and length > grant.max_bytes:
            raise _too_large(grant.max_bytes, length)
        size = await self._store.receive(upload_key(grant.organisation_id, storage_key), body, grant.max_bytes)
        if size is None:
            raise _used()
        await self._note_stored(row, size)
        return {"storage_key": storage_key, "size_bytes": size}

    async def check(self, organisation_id: str, storage_key: str, purpose: str) -> Upload:
        """The row of a file that has come whole; raises UploadNotFound, Conflict, ArtifactExpired, PayloadTooLarge."""
        row = await self._find(organisation_id, storage_key)
        if row.purpose != purpose:
            raise InvalidSchema(
                f"Upload {storage_key} was made for purpose {row.purpose!r}, not {purpose!r}.", field="source_key"
            )
        if row.state == "expired":
            raise ArtifactExpired(f"Upload {storage_key} was kept for its time and is gone; send the file again.")
        if row.state == "pending":
            # The file may lie there all the same: sent to the bucket itself, or its last line here was never written.
            size = await self._store.size(upload_key(organisation_id, storage_key))
            if size is None:
                raise Conflict(f"Nothing has been sent to upload {storage_key} yet.", source_key=storage_key)
            if size > row.max_bytes:
                raise _too_large(row.max_bytes, size)
            await self._note_stored(row, size)
            row.state, row.size_bytes = "stored", size
        return row

    async def local_path(self, organisation_id: str, storage_key: str, purpose: str) -> Path:
        """Where a worker can read the file; raises what `check` raises."""
        await self.check(organisation_id, storage_key, purpose)
        return await self._store.local_path(upload_key(organisation_id, storage_key))

    async def keep(self, storage_key: str) -> None:
        """Moves the end of a file on, for when a job that read it has ended."""
        async with self._db.begin() as session:
            await session.execute(update(Upload).where(Upload.id == storage_key).values(expires_at=self._end()))

    async def _find(self, organisation_id: str, storage_key: str) -> Upload:
        async with self._db.begin() as session:
            row = await session.get(Upload, storage_key)
        if row is None or row.organisation_id != organisation_id:
            raise UploadNotFound(f"There is no upload {storage_key}.", source_key=storage_key)
        return row

    async def _note_stored(self, row: Upload, size: int) -> None:
        pending = (Upload.id == row.id) & (Upload.state == "pending")
        stored = {"state": "stored", "size_bytes": size, "expires_at": self._end()}
        async with self._db.begin() as session:
            noted = await session.scalar(update(Upload).where(pending).values(**stored).returning(Upload.id))
            if noted is not None:
                await audit.record(session, row.organisation_id, "upload.receive", row.id, {"size_bytes": size})

    def _end(self) -> Any:
        return now() + self._rules.kept


def upload_key(organisation_id: str, storage_key: str) -> str:
    """Where an upload lies in the file store."""
    return f"uploads/{organisation_id}/{storage_key}"


def _used() -> Conflict:
    return Conflict("A file was sent to this URL already; it takes one. Ask for a new one for another file.")


def _too_large(limit: int, received: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The file may have at most {limit} bytes.", limit=limit, received=received)
