"""The local file store: immutable objects under a folder, written whole or not at all."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from app.errors import NotFound
from app.files.disk import storage_errors
from app.files.incoming import receive, sync_folder
from app.ports import StoredFile

_COPY_BYTES = 1024 * 1024


class LocalFileStore:
    """Answers `app.ports.FileStore` from a folder; keys are relative paths."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    async def put(self, key: str, source: Path) -> None:
        """Copies a file in; it appears under its key only when it is complete and on disk."""
        await asyncio.to_thread(self._put, key, source)

    async def put_bytes(self, key: str, content: bytes) -> None:
        await asyncio.to_thread(self._write, key, content)

    async def get_bytes(self, key: str) -> bytes:
        """Raises NotFound."""
        try:
            return await asyncio.to_thread(self.path(key).read_bytes)
        except FileNotFoundError as exc:
            raise NotFound("The file is not there any more.", key=key) from exc

    async def size(self, key: str) -> int | None:
        """In bytes; None when there is no such object."""
        try:
            return (await asyncio.to_thread(self.path(key).stat)).st_size
        except FileNotFoundError:
            return None

    async def local_path(self, key: str) -> Path:
        """Where the object lies; raises NotFound."""
        found = self.path(key)
        if not await asyncio.to_thread(found.is_file):
            raise NotFound("The file is not there any more.", key=key)
        return found

    async def local_root(self, keys: Iterable[str]) -> Path:
        """The store itself."""
        return self.root

    def workspace(self, prefix: str) -> Path:
        """What is built there is in its place already."""
        return self.path(prefix)

    async def publish(self, prefix: str, last: str) -> None:
        """Nothing to do: files of a workspace lie where they belong."""

    async def receive(self, key: str, body: AsyncIterator[bytes], limit_bytes: int) -> int | None:
        """See `app.files.incoming.receive`."""
        return await receive(self.path(key), body, limit_bytes)

    async def presign_put(self, key: str, lifetime_s: int) -> str | None:
        """None: the API takes the files of this store."""
        return None

    async def delete(self, key: str) -> None:
        """Removes one object; nothing happens when there is none."""
        await asyncio.to_thread(self.path(key).unlink, missing_ok=True)

    async def list_files(self, prefix: str = "") -> list[StoredFile]:
        """All objects below a folder of keys, in no order; those of writes that broke off among them."""
        return await asyncio.to_thread(self._list_files, prefix)

    async def delete_prefix(self, prefix: str) -> None:
        """Removes a folder of keys; nothing happens when there is none."""
        await asyncio.to_thread(shutil.rmtree, self.path(prefix), ignore_errors=True)

    def path(self, key: str) -> Path:
        """Where a key lies; raises NotFound for one that would leave the store."""
        found = (self.root / key).resolve()
        if not found.is_relative_to(self.root.resolve()):
            raise NotFound("There is no such file.", key=key)
        return found

    def _list_files(self, prefix: str) -> list[StoredFile]:
        found = []
        for folder, _, names in os.walk(self.path(prefix)):
            for name in names:
                path = Path(folder) / name
                try:
                    state = path.stat()
                except FileNotFoundError:
                    continue
                key = path.relative_to(self.root.resolve()).as_posix()
                found.append(StoredFile(key, state.st_size, datetime.fromtimestamp(state.st_mtime, UTC)))
        return found

    def _put(self, key: str, source: Path) -> None:
        with source.open("rb") as given, self._replacing(key) as out:
            shutil.copyfileobj(given, out, _COPY_BYTES)

    def _write(self, key: str, content: bytes) -> None:
        with self._replacing(key) as out:
            out.write(content)

    @contextmanager
    def _replacing(self, key: str) -> Iterator[BinaryIO]:
        """A file that takes the key's place when it is whole and on disk; raises StorageFull."""
        target = self.path(key)
        with storage_errors():
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=".part-")
            temporary = Path(name)
            try:
                with os.fdopen(handle, "wb") as out:
                    yield out
                    out.flush()
                    os.fsync(out.fileno())
                temporary.replace(target)
                sync_folder(target.parent)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
