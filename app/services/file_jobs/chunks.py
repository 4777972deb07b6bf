"""The chunk step: matches the rows of one chunk on the path of every match, and writes what became of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from app.db.steps import Step, StepRepository, Tally
from app.errors import FoundryOpsError
from app.ports import FileStore
from app.services.file_jobs.chunk_files import (
    ChunkInput,
    ChunkOutput,
    JobFiles,
    Record,
    pack_output,
    reject,
    result_rows,
    unpack_input,
)
from app.services.file_jobs.rows import Answer, RowMatcher
from app.services.match_kept import KEPT


class ChunkMatcher:
    """Running a chunk twice writes the same file twice."""

    def __init__(self, steps: StepRepository, store: FileStore, rows: RowMatcher) -> None:
        self._steps = steps
        self._store = store
        self._rows = rows

    async def run(self, step: Step) -> None:
        """Raises what a match of one record raises for the target, and Conflict when the profile is another than accepted."""
        files = JobFiles(step.job_id)
        chunk = unpack_input(await self._store.get_bytes(files.chunk_input(step.number)))
        target, options = await self._rows.target(step)
        began = time.perf_counter()
        answers = await self._rows.answers(target, chunk.records, options)
        took_ms = (time.perf_counter() - began) * 1000 / max(len(answers), 1)
        output, matched = await asyncio.to_thread(_output_of, chunk, answers)
        await self._store.put_bytes(files.chunk_output(step.number), pack_output(output))
        tally = Tally(len(chunk), len(output.results), matched, len(output.rejects))
        if await self._steps.finish(step, tally):
            self._rows.note(step, chunk.rows, chunk.records, answers, round(took_ms, 2))


def rejected(row: int, line: int | None, record: Record, error: FoundryOpsError) -> Record:
    """The reject of a row that could be read and not matched."""
    return reject(row, line, record, error.code, error.message, error.details.get("field"))


def _output_of(chunk: ChunkInput, answers: Sequence[Answer]) -> tuple[ChunkOutput, int]:
    """The chunk's output, and how many rows have a match."""
    output = ChunkOutput([], list(chunk.rejects))
    matched = 0
    for row, line, record, answer in zip(chunk.rows, chunk.lines, chunk.records, answers, strict=True):
        if isinstance(answer, FoundryOpsError):
            output.rejects.append(rejected(row, line, record, answer))
        else:
            output.results.extend(result_rows(record, answer))
            output.answers.append([row, answer[KEPT].to_json()])
            matched += bool(answer["matches"])
    output.rejects.sort(key=lambda one: one["row"])
    return output, matched
