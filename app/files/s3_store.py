"""The S3 file store: objects in a bucket, with copies in a folder of this machine for whoever reads files."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from app.errors import InternalError, NotFound, StoreUnavailable
from app.files.disk import storage_errors
from app.ports import StoredFile

_RETRIES = 4
_RETRY_TIMEOUT_S = 20
_IDLE_S = 3600
"""A cached copy that was used within this time is never removed: a build may still be reading it."""


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Where the bucket is; keys that are None come from the AWS variables or the machine's role."""

    url: str
    endpoint: str | None = None
    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None
    cache_bytes: int = 50 * 1024**3


class S3FileStore:
    """Answers `app.ports.FileStore` from a bucket; raises StoreUnavailable when it does not answer."""

    def __init__(self, settings: S3Settings, cache: Path) -> None:
        """Raises InternalError for a URL that is not `s3://bucket` or `s3://bucket/prefix`."""
        parts = urlsplit(settings.url)
        if parts.scheme != "s3" or not parts.netloc:
            raise InternalError("FOUNDRYOPS_STORE_URL must be s3://bucket or s3://bucket/prefix.")
        self._prefix = f"{parts.path.strip('/')}/" if parts.path.strip("/") else ""
        self._cache = cache.absolute() / "objects"
        self._cache_bytes = settings.cache_bytes
        given = {
            "endpoint": settings.endpoint,
            "region": settings.region,
            "access_key_id": settings.access_key_id,
            "secret_access_key": settings.secret_access_key,
        }
        self._bucket = S3Store(
            parts.netloc,
            client_options={"allow_http": (settings.endpoint or "").startswith("http://")},
            retry_config={"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_RETRY_TIMEOUT_S)},
            **{name: value for name, value in given.items() if value is not None},  # type: ignore[arg-type]
        )

    async def put(self, key: str, source: Path) -> None:
        """Sends a file, in parts when it is large; the object appears when it is complete."""
        with _bucket_errors(key):
            await obstore.put_async(self._bucket, self._name(key), source)

    async def put_bytes(self, key: str, content: bytes) -> None:
        with _bucket_errors(key):
            await obstore.put_async(self._bucket, self._name(key), content)
        self._path(key).unlink(missing_ok=True)

    async def get_bytes(self, key: str) -> bytes:
        """Raises NotFound."""
        with _bucket_errors(key):
            found = await obstore.get_async(self._bucket, self._name(key))
            return bytes(await found.bytes_async())

    async def size(self, key: str) -> int | None:
        """In bytes; None when there is no such object."""
        try:
            with _bucket_errors(key):
                return (await obstore.head_async(self._bucket, self._name(key)))["size"]
        except NotFound:
            return None

    async def local_path(self, key: str) -> Path:
        """A copy on this machine, fetched once; raises NotFound, StorageFull."""
        path = self._path(key)
        if await asyncio.to_thread(_touch, path):
            return path
        await self._fetch(key, path)
        await asyncio.to_thread(shrink, self._cache, self._cache_bytes)
        return path

    async def local_root(self, keys: Iterable[str]) -> Path:
        for key in keys:
            await self.local_path(key)
        return self._cache

    def workspace(self, prefix: str) -> Path:
        """What is built there is this machine's copy already."""
        return self._path(prefix)

    async def publish(self, prefix: str, last: str) -> None:
        """Sends the files of a workspace; `last` goes last, so whoever sees it sees all."""
        folder = self._path(prefix)
        files = await asyncio.to_thread(lambda: sorted(path for path in folder.rglob("*") if path.is_file()))
        for path in sorted(files, key=lambda path: path.name == last):
            await self.put(f"{prefix}/{path.relative_to(folder).as_posix()}", path)

    async def receive(self, key: str, body: AsyncIterator[bytes], limit_bytes: int) -> int | None:
        """Uploads go to the bucket itself; a URL of the local store finds nothing here."""
        raise NotFound("Uploads go to the object store: ask for a new URL.", key=key)

    async def presign_put(self, key: str, lifetime_s: int) -> str | None:
        """A URL of the bucket. S3 cannot bound its size or its uses: the size is checked when the file is used."""
        with _bucket_errors(key):
            return await obstore.sign_async(self._bucket, "PUT", self._name(key), timedelta(seconds=lifetime_s))

    async def delete(self, key: str) -> None:
        """Removes one object and its copy here; nothing happens when there is none."""
        with _bucket_errors(key):
            await obstore.delete_async(self._bucket, self._name(key))
        self._path(key).unlink(missing_ok=True)

    async def delete_prefix(self, prefix: str) -> None:
        """Removes a folder of keys and its copies here; nothing happens when there is none."""
        names = [self._name(file.key) for file in await self.list_files(prefix)]
        if names:
            with _bucket_errors(prefix):
                await obstore.delete_async(self._bucket, names)
        await asyncio.to_thread(shutil.rmtree, self._path(prefix), ignore_errors=True)

    async def list_files(self, prefix: str = "") -> list[StoredFile]:
        """All objects below a folder of keys, in no order."""
        found: list[StoredFile] = []
        with _bucket_errors(prefix):
            async for page in obstore.list(self._bucket, prefix=self._name(prefix) or None):
                found += [
                    StoredFile(one["path"].removeprefix(self._prefix), one["size"], one["last_modified"])
                    for one in page
                ]
        return found

    async def _fetch(self, key: str, path: Path) -> None:
        with storage_errors():
            await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".fetch-")
            try:
                with os.fdopen(handle, "wb") as out, _bucket_errors(key):
                    found = await obstore.get_async(self._bucket, self._name(key))
                    async for part in found.stream():
                        await asyncio.to_thread(out.write, bytes(part))
                await asyncio.to_thread(os.replace, name, path)
            except BaseException:
                await asyncio.to_thread(os.unlink, name)
                raise

    def _name(self, key: str) -> str:
        return f"{self._prefix}{key}"

    def _path(self, key: str) -> Path:
        found = (self._cache / key).resolve()
        if not found.is_relative_to(self._cache.resolve()):
            raise NotFound("There is no such file.", key=key)
        return found


def shrink(folder: Path, limit_bytes: int, idle_s: float = _IDLE_S) -> None:
    """Removes the longest unused copies beyond the limit, none that was used lately."""
    files = [(path.stat(), path) for path in folder.rglob("*") if path.is_file()]
    total = sum(state.st_size for state, _ in files)
    for state, path in sorted(files, key=lambda file: file[0].st_mtime):
        if total <= limit_bytes or time.time() - state.st_mtime < idle_s:
            return
        path.unlink(missing_ok=True)
        total -= state.st_size


def _touch(path: Path) -> bool:
    """Notes that a copy is used; False when there is none."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return path.is_file()


@contextmanager
def _bucket_errors(key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as exc:
        raise NotFound("The file is not there any more.", key=key) from exc
    except BaseError as exc:
        raise StoreUnavailable("The object store does not answer, or refuses; ask again.") from exc
