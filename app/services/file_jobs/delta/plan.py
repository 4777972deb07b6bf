"""The plan of a delta: finds what changed between the snapshots, and cuts the file anew with each row's earlier answer."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from app.db.steps import Step
from app.errors import ArtifactExpired, NotFound
from app.files.blocks import Block
from app.ports import FileStore
from app.services.file_jobs.chunk_files import ChunkInput, JobFiles
from app.services.file_jobs.delta.results import DELTA_COLUMNS
from app.services.file_jobs.delta.scope import Scopes, earlier_target, scope_of
from app.services.file_jobs.plan import Cutter, chunk_of
from app.services.match import MatchOptions, MatchService


class DeltaPlanner:
    """Planning twice writes the same chunks and the same scope."""

    def __init__(self, cutter: Cutter, match: MatchService, store: FileStore, scopes: Scopes) -> None:
        self._cutter = cutter
        self._match = match
        self._store = store
        self._scopes = scopes

    async def run(self, step: Step) -> None:
        """Raises ArtifactExpired when the earlier job's answers are gone, and what `Cutter.cut` raises."""
        payload, owner = step.payload, step.organisation_id
        target = await self._match.resolve(owner, payload["snapshot_id"], None)
        earlier = await earlier_target(self._match, owner, payload["from_snapshot_id"])
        before = earlier.bundle if earlier is not None else None
        scope = await asyncio.to_thread(scope_of, before, target, MatchOptions(**payload["options"]))
        await self._scopes.put(step.job_id, scope)
        with _answers(await self._kept(payload["job_id"])) as answers:
            await self._cutter.cut(step, DELTA_COLUMNS, answers.chunk_of)

    async def _kept(self, job_id: str) -> Path:
        try:
            return await self._store.local_path(JobFiles(job_id).answers)
        except NotFound as exc:
            raise answers_gone(job_id) from exc


def answers_gone(job_id: str) -> ArtifactExpired:
    return ArtifactExpired(f"The answers of job {job_id} were kept for their time and are gone; match the file again.")


class _Answers:
    """The earlier answers, read in the file's order beside the file."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._next = self._read()

    def chunk_of(self, block: Block) -> ChunkInput:
        chunk = chunk_of(block)
        chunk.kept.extend(self._of(row) for row in chunk.rows)
        return chunk

    def _of(self, row: int) -> list[Any] | None:
        while self._next is not None and self._next[0] < row:
            self._next = self._read()
        return self._next[1] if self._next is not None and self._next[0] == row else None

    def _read(self) -> list[Any] | None:
        line = next(self._lines, None)
        return orjson.loads(line) if line is not None else None


@contextmanager
def _answers(path: Path) -> Iterator[_Answers]:
    with gzip.open(path) as lines:
        yield _Answers(iter(lines))
