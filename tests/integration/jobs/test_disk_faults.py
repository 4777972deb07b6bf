"""A file job waits for space on a full disk, and leaves none of its working files behind."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from app.bootstrap import build
from tests.integration.jobs.file_runs import Files, until_waiting, working


async def test_a_job_waits_for_space_on_the_disk(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = await files.submit()
    async with working(files.services):
        await files.deployment.until(job_id, 1)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", _no_space)
            await until_waiting(files, job_id)
        await files.end(job_id)
    assert await files.artefacts(job_id) == files.expected


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A real file system of 1 MB at a folder, filled to the last byte; yields what fills it. Needs root and Linux."""
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder.mkdir(parents=True, exist_ok=True)
    asked = [mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(asked, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let us mount a small file system")
    try:
        ballast = folder / "ballast"
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(b"\0" * 4096):
                pass
        yield ballast
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_a_job_waits_for_space_on_a_disk_that_is_really_full(files: Files) -> None:
    with small_disk(files.services.settings.store_dir / "jobs") as ballast:
        job_id = await files.submit()
        async with working(files.services):
            await until_waiting(files, job_id)
            ballast.unlink()
            await files.end(job_id)
        assert await files.artefacts(job_id) == files.expected


def _no_space(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_a_job_whose_patience_ends_fails_with_the_reason(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    impatient = await build(files.services.settings.model_copy(update={"file_patience_s": 0.0}))
    job_id = await files.submit()
    monkeypatch.setattr(os, "fsync", _no_space)
    async with working(impatient):
        job = await files.end(job_id)
    await impatient.close()
    assert (job["status"], job["error"]["code"]) == ("failed", "STORAGE_FULL")


async def test_what_a_killed_worker_was_assembling_goes_when_another_assembles_the_job(files: Files) -> None:
    job_id = await files.submit()
    place = files.services.settings.cache_dir / "assembly"
    left, foreign = place / f"{job_id}.dead", place / "job_other.alive"
    for folder in (left, foreign):
        folder.mkdir(parents=True)
        (folder / "results").write_bytes(b"half of it")
    await files.services.lane.drain()
    assert await files.artefacts(job_id) == files.expected
    assert (left.exists(), foreign.exists()) == (False, True)
