"""The last step: puts the chunks' outputs together, in the file's order, into one result and one rejects artefact."""

from __future__ import annotations

import asyncio
import gzip
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from app.db.steps import Step, StepRepository
from app.files.blocks import FileFormat
from app.files.disk import storage_errors
from app.files.writers import open_writer
from app.ports import FileStore
from app.services.file_jobs.chunk_files import RESULT_COLUMNS, JobFiles, unpack_output
from app.services.jobs import JobService
from app.services.memory import release_memory


class Assembler:
    """Assembling twice puts the same artefacts; only the first one ends the job."""

    def __init__(self, steps: StepRepository, store: FileStore, jobs: JobService, scratch_dir: Path) -> None:
        self._steps = steps
        self._store = store
        self._jobs = jobs
        self._scratch_dir = scratch_dir

    async def run(self, step: Step) -> None:
        files, output_format = JobFiles(step.job_id), str(step.payload["output_format"])
        chunks, tally = await self._steps.tally(step.job_id)
        columns = (await self._steps.file_job(step.job_id)).columns
        with _scratch(self._scratch_dir, step) as folder:
            results, rejects = folder / "results", folder / "rejects"
            with (
                open_writer(results, FileFormat(output_format), {**columns, **RESULT_COLUMNS}) as writer,
                _RejectsWriter(rejects) as rejected,
            ):
                for number in range(1, chunks + 1):
                    output = unpack_output(await self._store.get_bytes(files.chunk_output(number)))
                    await asyncio.to_thread(writer.write, output.results)
                    await asyncio.to_thread(rejected.write, output.rejects)
            await self._store.put(files.result(output_format), results)
            await self._store.put(files.rejects, rejects)
            size = results.stat().st_size
        await asyncio.to_thread(release_memory)
        await self._jobs.complete(
            step.job_id, {**asdict(tally), "output_format": output_format, "bytes": size, "columns": list(columns)}
        )


class _RejectsWriter:
    """One JSON object a line, compressed; the same rejects give the same bytes."""

    def __init__(self, path: Path) -> None:
        self._raw = path.open("wb")
        self._lines = gzip.GzipFile(filename="", fileobj=self._raw, mode="wb", mtime=0)

    def write(self, rejects: Sequence[Mapping[str, Any]]) -> None:
        with storage_errors():
            for rejected in rejects:
                self._lines.write(orjson.dumps(rejected) + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with storage_errors(), self._raw:
            self._lines.close()


@contextmanager
def _scratch(root: Path, step: Step) -> Iterator[Path]:
    """A folder of the step's own; those that workers before it left when they died are removed."""
    for left in root.glob(f"{step.job_id}.*"):
        shutil.rmtree(left, ignore_errors=True)
    folder = root / f"{step.job_id}.{step.holder}"
    with storage_errors():
        folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
