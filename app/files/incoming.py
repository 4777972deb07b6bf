"""Takes a stream of bytes into a file that appears whole, once, or not at all."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from app.errors import PayloadTooLarge
from app.files.disk import storage_errors

_WRITE_BYTES = 1024 * 1024


async def receive(target: Path, body: AsyncIterator[bytes], limit_bytes: int) -> int | None:
    """The size of the new file; None when `target` is there already, which is left as it is.

    Raises PayloadTooLarge as soon as it is, StorageFull, and whatever the stream raises; nothing stays behind then.
    """
    if await asyncio.to_thread(target.exists):
        return None
    file, temporary = await asyncio.to_thread(_created, target)
    try:
        size = 0
        held: list[bytes] = []
        held_bytes = 0
        async for part in body:
            size += len(part)
            if size > limit_bytes:
                raise PayloadTooLarge(
                    f"The file may have at most {limit_bytes} bytes.", limit=limit_bytes, received=size
                )
            held.append(part)
            held_bytes += len(part)
            if held_bytes >= _WRITE_BYTES:
                await asyncio.to_thread(_write, file, held)
                held, held_bytes = [], 0
        await asyncio.to_thread(_write, file, held)
        is_first = await asyncio.to_thread(_publish, file, temporary, target)
        return size if is_first else None
    finally:
        os.close(file)
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Makes names in a folder outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _created(target: Path) -> tuple[int, Path]:
    with storage_errors():
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".incoming-")
    return handle, Path(name)


def _write(file: int, parts: list[bytes]) -> None:
    with storage_errors():
        left = memoryview(b"".join(parts))
        while left:
            left = left[os.write(file, left) :]


def _publish(file: int, temporary: Path, target: Path) -> bool:
    """Gives the file its name unless another has it: a link, unlike a rename, never replaces."""
    with storage_errors():
        os.fsync(file)
        try:
            target.hardlink_to(temporary)
        except FileExistsError:
            return False
        sync_folder(target.parent)
    return True
