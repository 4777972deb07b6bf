"""The chunk step of a delta: matches again the rows whose answers may not stand, and writes which answers differ."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from app.db.steps import Step, StepRepository, Tally
from app.matching.delta import KeptAnswer
from app.ports import FileStore
from app.services.file_jobs.chunk_files import ChunkInput, JobFiles, pack_output, unpack_input
from app.services.file_jobs.delta.results import delta_output
from app.services.file_jobs.delta.scope import Scope, Scopes
from app.services.file_jobs.rows import RowMatcher
from app.services.match import MatchOptions
from app.services.match_recheck import Rechecker
from app.services.match_targets import MatchTarget


class DeltaChunkMatcher:
    """Running a chunk twice writes the same file twice."""

    def __init__(
        self, steps: StepRepository, store: FileStore, rows: RowMatcher, rechecker: Rechecker, scopes: Scopes
    ) -> None:
        self._steps = steps
        self._store = store
        self._rows = rows
        self._rechecker = rechecker
        self._scopes = scopes

    async def run(self, step: Step) -> None:
        """Raises what the chunk of a first match raises."""
        files = JobFiles(step.job_id)
        chunk = unpack_input(await self._store.get_bytes(files.chunk_input(step.number)))
        kept = [None if one is None else KeptAnswer.from_json(one) for one in chunk.kept]
        target, options = await self._rows.target(step)
        standing = await self._standing(await self._scopes.get(step.job_id), target, options, chunk, kept)
        again = [at for at in range(len(kept)) if at not in standing]
        records = [chunk.records[at] for at in again]
        began = time.perf_counter()
        answers = await self._rows.answers(target, records, options)
        took_ms = (time.perf_counter() - began) * 1000 / max(len(answers), 1)
        answered = dict(zip(again, answers, strict=True))
        output, matched = await asyncio.to_thread(delta_output, chunk, kept, standing, answered)
        await self._store.put_bytes(files.chunk_output(step.number), pack_output(output))
        tally = Tally(len(chunk), len(output.results), matched, len(output.rejects))
        if await self._steps.finish(step, tally):
            self._rows.note(step, [chunk.rows[at] for at in again], records, answers, round(took_ms, 2))

    async def _standing(
        self,
        scope: Scope,
        target: MatchTarget,
        options: MatchOptions,
        chunk: ChunkInput,
        kept: Sequence[KeptAnswer | None],
    ) -> dict[int, KeptAnswer]:
        """By position, the answers that stand."""
        if scope.everything is not None:
            return {}
        return await self._rechecker.standing(target, options, chunk.records, kept, scope.touched)
