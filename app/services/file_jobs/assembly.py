"""The last step: puts the chunks' outputs together, in the file's order, into result, rejects and answers."""

from __future__ import annotations

import asyncio
import gzip
import shutil
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from app.db.steps import Step, StepRepository
from app.files.blocks import FileFormat
from app.files.disk import storage_errors
from app.files.writers import open_writer
from app.ports import FileStore
from app.services.file_jobs.chunk_files import JobFiles, unpack_output
from app.services.jobs import JobService

Facts = Callable[[str], Awaitable[dict[str, Any]]]
"""From a job's id, what its summary says beyond what its chunks counted, and counts to begin with."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a kind of file job adds to the columns of its file, and to the summary."""

    columns: Mapping[str, str]
    facts: Facts


class Assembler:
    """Assembling twice puts the same artefacts; only the first one ends the job."""

    def __init__(
        self, steps: StepRepository, store: FileStore, jobs: JobService, scratch_dir: Path, layout: Layout
    ) -> None:
        self._steps = steps
        self._store = store
        self._jobs = jobs
        self._scratch_dir = scratch_dir
        self._layout = layout

    async def run(self, step: Step) -> None:
        files, output_format = JobFiles(step.job_id), str(step.payload["output_format"])
        chunks, tally = await self._steps.tally(step.job_id)
        columns = (await self._steps.file_job(step.job_id)).columns
        summary = {**asdict(tally), "output_format": output_format, **await self._layout.facts(step.job_id)}
        with _scratch(self._scratch_dir, step) as folder:
            results, rejects, answers = folder / "results", folder / "rejects", folder / "answers"
            with (
                open_writer(results, FileFormat(output_format), {**columns, **self._layout.columns}) as writer,
                _LinesWriter(rejects) as rejected,
                _LinesWriter(answers) as answered,
            ):
                for number in range(1, chunks + 1):
                    output = unpack_output(await self._store.get_bytes(files.chunk_output(number)))
                    await asyncio.to_thread(writer.write, output.results)
                    await asyncio.to_thread(rejected.write, output.rejects)
                    await asyncio.to_thread(answered.write, output.answers)
                    for name, count in output.counts.items():
                        summary[name] += count
            await self._store.put(files.result(output_format), results)
            await self._store.put(files.rejects, rejects)
            await self._store.put(files.answers, answers)
            size = results.stat().st_size
        await self._jobs.complete(step.job_id, {**summary, "bytes": size, "columns": list(columns)})


async def no_facts(job_id: str) -> dict[str, Any]:
    """Of a job whose summary is what its chunks counted."""
    return {}


class _LinesWriter:
    """One JSON value a line, compressed; the same values give the same bytes."""

    def __init__(self, path: Path) -> None:
        self._raw = path.open("wb")
        self._lines = gzip.GzipFile(filename="", fileobj=self._raw, mode="wb", mtime=0)

    def write(self, values: Sequence[Any]) -> None:
        with storage_errors():
            for value in values:
                self._lines.write(orjson.dumps(value) + b"\n")

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
