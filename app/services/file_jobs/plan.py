"""The plan step: reads the uploaded file once and cuts it into chunks, the same ones whoever reads it."""

from __future__ import annotations

import asyncio
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


class Planner:
    """Planning twice writes the same chunks twice, and adds none; credits are held for the rows that were found so far."""

    def __init__(
        self, steps: StepRepository, jobs: JobService, store: FileStore, uploads: Uploads, rules: PlanRules
    ) -> None:
        self._steps = steps
        self._jobs = jobs
        self._store = store
        self._uploads = uploads
        self._rules = rules

    async def run(self, step: Step) -> None:
        """Raises UnreadableFile saying where, InvalidSchema for a column that the result needs, InsufficientCredits."""
        path = await self._uploads.local_path(step.organisation_id, step.payload["source_key"], "match")
        with await asyncio.to_thread(open_reader, path, None, self._rules.limits) as reader:
            _check_columns(reader)
            await self._cut(step, reader)
            _check_columns(reader)
            await self._steps.describe(step.job_id, reader.kinds)
        await self._steps.finish(step)

    async def _cut(self, step: Step, reader: RecordReader) -> None:
        files, pending, blocks = JobFiles(step.job_id), _Pending(), reader.blocks(self._rules.chunk_rows)
        while block := await asyncio.to_thread(next, blocks, None):
            number = pending.first + len(pending.sizes)
            chunk = _chunk_of(block)
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


def _check_columns(reader: RecordReader) -> None:
    taken = [name for name in reader.columns if name in RESULT_COLUMNS]
    if taken:
        raise InvalidSchema(
            f"The file has a column {taken[0]!r}, which the result needs for itself; rename it and upload again.",
            field=taken[0],
        )


def _chunk_of(block: Block) -> ChunkInput:
    rejects = [reject(bad.row, bad.line, bad.raw, bad.code, bad.message) for bad in block.bad]
    return ChunkInput(block.rows, block.lines, block.records, rejects)
