"""Working folders that killed processes left behind go when they are old, and nothing else does."""

from __future__ import annotations

import os
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest

from app.db.models import now
from app.services.scratch import Scratch

OLD = timedelta(days=2)


def aged(path: Path) -> Path:
    then = (now() - OLD).timestamp()
    os.utime(path, (then, then))
    return path


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    (tmp_path / "assembly").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return Scratch(tmp_path / "assembly", timedelta(days=1))


async def test_old_scratch_is_removed_and_young_or_foreign_files_are_not(scratch: Scratch, tmp_path: Path) -> None:
    old, young, foreign = (tmp_path / name for name in ("foundryops-old", "foundryops-young", "other-old"))
    for folder in (old, young, foreign):
        folder.mkdir()
        (folder / "part.parquet").write_bytes(b"x")
    file = tmp_path / "foundryops-old.parquet"
    file.write_bytes(b"x")
    for one in (old, foreign, file):
        aged(one)
    assert (await scratch.remove()).total() == 2
    assert (old.exists() or file.exists(), young.exists(), foreign.exists()) == (False, True, True)


async def test_what_a_killed_worker_was_assembling_is_removed_when_it_is_old(scratch: Scratch, tmp_path: Path) -> None:
    old, young = tmp_path / "assembly" / "job_1.a", tmp_path / "assembly" / "job_2.b"
    for folder in (old, young):
        folder.mkdir()
        (folder / "results").write_bytes(b"x")
    aged(old)
    assert (await scratch.remove()).total() == 1
    assert (old.exists(), young.exists()) == (False, True)
