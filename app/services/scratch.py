"""Rule of retention for working folders on this machine that a killed process left behind."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from asyncio import to_thread
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

from app.db.models import now
from app.services.retention import Removed

_OURS = "foundryops-*"


class Scratch:
    """Removes what this user owns and nothing has touched for `grace`, which must be longer than the longest job."""

    def __init__(self, assembly_dir: Path, grace: timedelta) -> None:
        self._assembly_dir = assembly_dir
        self._grace = grace

    async def remove(self) -> Removed:
        """What processes left in the machine's temporary folder, and where file jobs are assembled."""
        return Counter({"": await to_thread(self._remove, now() - self._grace)})

    def _remove(self, before: datetime) -> int:
        left = [*Path(tempfile.gettempdir()).glob(_OURS), *self._assembly_dir.glob("*")]
        return sum(_remove(path) for path in left if _is_old(path, before))


def _is_old(path: Path, before: datetime) -> bool:
    try:
        state = path.lstat()
    except FileNotFoundError:
        return False
    return state.st_uid == os.getuid() and state.st_mtime < before.timestamp()


def _remove(path: Path) -> bool:
    if stat.S_ISDIR(path.lstat().st_mode):
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    return True
