"""The local file store: immutable objects under a folder, written whole or not at all."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

from app.errors import NotFound


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

    async def local_path(self, key: str) -> Path:
        """A path that can be read here; the file may be missing."""
        return self.path(key)

    async def delete_prefix(self, prefix: str) -> None:
        """Removes a folder of keys; nothing happens when there is none."""
        await asyncio.to_thread(shutil.rmtree, self.path(prefix), ignore_errors=True)

    def path(self, key: str) -> Path:
        """Where a key lies; raises NotFound for one that would leave the store."""
        found = (self.root / key).resolve()
        if not found.is_relative_to(self.root.resolve()):
            raise NotFound("There is no such file.", key=key)
        return found

    def _put(self, key: str, source: Path) -> None:
        target = self._made(key)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".part-")
        try:
            with os.fdopen(handle, "wb") as out, source.open("rb") as given:
                shutil.copyfileobj(given, out, 1024 * 1024)
                out.flush()
                os.fsync(out.fileno())
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _write(self, key: str, content: bytes) -> None:
        target = self._made(key)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".part-")
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _made(self, key: str) -> Path:
        target = self.path(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        return target
