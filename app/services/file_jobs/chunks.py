"""The chunk step: matches the rows of one chunk on the path of every match, and writes what became of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from app.db.steps import Step, StepRepository, Tally
from app.errors import Conflict, FoundryOpsError, InternalError
from app.observability import frames_of
from app.ports import FileStore
from app.profiles import profile_digest
from app.services.decisions import DecisionLog, Origin
from app.services.file_jobs.chunk_files import (
    ChunkInput,
    ChunkOutput,
    JobFiles,
    pack_output,
    reject,
    result_rows,
    unpack_input,
)
from app.services.match import MatchOptions, MatchService
from app.services.match_targets import MatchTarget

log = structlog.get_logger(__name__)
Answer = dict[str, Any] | FoundryOpsError


class ChunkMatcher:
    """Running a chunk twice writes the same file twice."""

    def __init__(self, steps: StepRepository, store: FileStore, match: MatchService, decisions: DecisionLog) -> None:
        self._steps = steps
        self._store = store
        self._match = match
        self._decisions = decisions

    async def run(self, step: Step) -> None:
        """Raises what a match of one record raises for the target, and Conflict when the profile is another than accepted."""
        files = JobFiles(step.job_id)
        chunk = unpack_input(await self._store.get_bytes(files.chunk_input(step.number)))
        options = MatchOptions(**step.payload["options"])
        await self._check_profile(step, options.profile)
        target = await self._match.resolve(step.organisation_id, step.payload["snapshot_id"], None)
        began = time.perf_counter()
        answers = await self._answers(target, chunk.records, options)
        took_ms = (time.perf_counter() - began) * 1000 / max(len(answers), 1)
        output, matched = await asyncio.to_thread(_output_of, chunk, answers)
        await self._store.put_bytes(files.chunk_output(step.number), pack_output(output))
        tally = Tally(len(chunk), len(output.results), matched, len(output.rejects))
        if await self._steps.finish(step, tally):
            self._note(step, chunk, answers, round(took_ms, 2))

    def _note(self, step: Step, chunk: ChunkInput, answers: Sequence[Answer], took_ms: float) -> None:
        origin = Origin(step.organisation_id, "file", step.job_id)
        for row, record, answer in zip(chunk.rows, chunk.records, answers, strict=True):
            if not isinstance(answer, FoundryOpsError):
                self._decisions.note(origin, record, answer, took_ms, row - 1)

    async def _check_profile(self, step: Step, name: str) -> None:
        accepted = (await self._steps.file_job(step.job_id)).profile_digest
        if profile_digest(name) != accepted:
            raise Conflict("The profile was changed while the job ran; submit the file again.", profile=name)

    async def _answers(
        self, target: MatchTarget, records: Sequence[Mapping[str, Any]], options: MatchOptions
    ) -> Sequence[Answer]:
        """All at once; when a record breaks us, each alone, so that only that one is lost to the rejects."""
        try:
            return await self._match.match_all(target, records, options)
        except FoundryOpsError:
            raise
        except Exception as exc:
            log.error("chunk_crashed", error_type=type(exc).__name__, frames=frames_of(exc))
            return [await self._alone(target, record, options) for record in records]

    async def _alone(self, target: MatchTarget, record: Mapping[str, Any], options: MatchOptions) -> Answer:
        try:
            return (await self._match.match_all(target, [record], options))[0]
        except FoundryOpsError:
            raise
        except Exception as exc:
            log.error("record_crashed", error_type=type(exc).__name__, frames=frames_of(exc))
            return InternalError("Something went wrong on our side with this row.")


def _output_of(chunk: ChunkInput, answers: Sequence[Answer]) -> tuple[ChunkOutput, int]:
    """The chunk's output, and how many rows have a match."""
    output = ChunkOutput([], list(chunk.rejects))
    matched = 0
    for row, line, record, answer in zip(chunk.rows, chunk.lines, chunk.records, answers, strict=True):
        if isinstance(answer, FoundryOpsError):
            field = answer.details.get("field")
            output.rejects.append(reject(row, line, record, answer.code, answer.message, field))
        else:
            output.results.extend(result_rows(record, answer))
            matched += bool(answer["matches"])
    output.rejects.sort(key=lambda rejected: rejected["row"])
    return output, matched
