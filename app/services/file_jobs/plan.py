"""The plan step: reads the uploaded file once and cuts it into chunks, the same ones whoever reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from app.db.steps import Step, StepRepository
from app.errors import InvalidSchema
from app.files.blocks import Block, ReaderLimits, RecordReader
from app.files.readers import open_reader
from app.ports import FileStore, Uploads
from app.services.file_jobs.chunk_files import RESULT_COLUMNS, ChunkInput, JobFiles, pack_input, reject
from app.services.jobs import JobService

_STEPS_AT_ONCE = 8
"""Chunks become free to other workers in groups of so many, while the rest of the file is still read."""


@dataclass(frozen=True, slots=True)
class PlanRules:
    """How a file may be, and into how large chunks it is cut."""

    limits: ReaderLimits
    chunk_rows: int


@dataclass(slots=True)
class _Pending:
    """Chunks that are written and not yet known to SQL."""

    first: int = 1
    rows: int = 0
    """Of the chunks before these."""
    sizes: list[int] = field(default_factory=list)


class Cutter:
    """Cutting twice writes the same chunks twice, and adds none; credits are held for the rows that were found so far."""

    def __init__(
        self, steps: StepRepository, jobs: JobService, store: FileStore, uploads: Uploads, rules: PlanRules
    ) -> None:
        self._steps = steps
        self._jobs = jobs
        self._store = store
        self._uploads = uploads
        self._rules = rules

    async def cut(self, step: Step, columns: Collection[str], chunk_of: Callable[[Block], ChunkInput]) -> None:
        """Cuts the upload of a job whose result adds these columns, and ends the step.

        Raises UnreadableFile saying where, InvalidSchema for a column that the result needs, InsufficientCredits.
        """
        path = await self._uploads.local_path(step.organisation_id, step.payload["source_key"], "match")
        with await asyncio.to_thread(open_reader, path, None, self._rules.limits) as reader:
            check_columns(reader.columns, columns)
            await self._cut(step, reader, chunk_of)
            check_columns(reader.columns, columns)
            await self._steps.describe(step.job_id, reader.kinds)
        await self._steps.finish(step)

    async def _cut(self, step: Step, reader: RecordReader, chunk_of: Callable[[Block], ChunkInput]) -> None:
        files, pending, blocks = JobFiles(step.job_id), _Pending(), reader.blocks(self._rules.chunk_rows)
        while block := await asyncio.to_thread(next, blocks, None):
            number = pending.first + len(pending.sizes)
            chunk = await asyncio.to_thread(chunk_of, block)
            await self._store.put_bytes(files.chunk_input(number), await asyncio.to_thread(pack_input, chunk))
            pending.sizes.append(len(chunk))
            if len(pending.sizes) == _STEPS_AT_ONCE:
                pending = await self._added(step, pending)
        await self._added(step, pending)

    async def _added(self, step: Step, pending: _Pending) -> _Pending:
        rows = pending.rows + sum(pending.sizes)
        if pending.sizes:
            await self._jobs.reserve(step.job_id, rows)
            await self._steps.add_chunks(step, pending.sizes, pending.first)
        return _Pending(pending.first + len(pending.sizes), rows)


class Planner:
    """The plan of a file that is matched for the first time."""

    def __init__(self, cutter: Cutter) -> None:
        self._cutter = cutter

    async def run(self, step: Step) -> None:
        """Raises what `Cutter.cut` raises."""
        await self._cutter.cut(step, RESULT_COLUMNS, chunk_of)


def check_columns(columns: Iterable[str], added: Collection[str]) -> None:
    """Raises InvalidSchema for a file that has a column that the result adds."""
    taken = [name for name in columns if name in added]
    if taken:
        raise InvalidSchema(
            f"The file has a column {taken[0]!r}, which the result needs for itself; rename it and upload again.",
            field=taken[0],
        )


def chunk_of(block: Block) -> ChunkInput:
    rejects = [reject(bad.row, bad.line, bad.raw, bad.code, bad.message) for bad in block.bad]
    return ChunkInput(block.rows, block.lines, block.records, rejects)
