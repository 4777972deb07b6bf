"""Builds one index and its bundle beside whatever serves now: feeds build processes, seals the index, joins the files."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from app.errors import FoundryOpsError, InternalError
from app.files.bundle import META, BundleMeta, write_frequencies, write_ids
from app.files.record_store import join_segments
from app.files.term_tables import merge_tables
from app.search.admin import IndexAdmin
from app.services.index_worker import (
    Share,
    WorkerTask,
    forms_base,
    ids_file,
    records_base,
    run_worker,
)

BATCH_ROWS = 4_000
_AHEAD_BATCHES = 2
"""Batches that a process holds, so that it never waits for the one that reads the snapshot."""
_CONTEXT = multiprocessing.get_context("spawn")

Progress = Callable[[int], None]
"""Called with the number of records indexed so far; may raise to stop the build."""


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """What to build; `meta.rows` is the number of rows that the batches must add up to."""

    meta: BundleMeta
    task: WorkerTask
    folder: Path
    processes: int
    replicas: int


def build(plan: BuildPlan, batches: Iterable[pa.RecordBatch], admin: IndexAdmin, progress: Progress) -> None:
    """Fills `plan.meta.index` (made by the caller) and `plan.folder`; blocks for minutes.

    Raises SearchUnavailable, InternalError, or whatever `progress` raises; the caller then removes index and folder.
    """
    crew = _Crew(plan, progress)
    try:
        rows = crew.feed(batches)
        shares = crew.finish()
    finally:
        crew.stop()
    if rows != plan.meta.rows or crew.indexed != rows:
        raise InternalError(f"{plan.meta.rows} records expected, {rows} read, {crew.indexed} indexed.")
    with ThreadPoolExecutor(1) as pool:
        # The engine merges on one core while this process joins files on the other.
        sealed = pool.submit(_seal, plan, admin)
        _write_bundle(plan, shares)
        sealed.result()


def _seal(plan: BuildPlan, admin: IndexAdmin) -> None:
    index = plan.meta.index
    admin.refresh(index)
    admin.force_merge(index)
    admin.refresh(index)
    admin.seal(index, plan.replicas)


def _write_bundle(plan: BuildPlan, shares: list[Share]) -> None:
    rows = plan.meta.rows
    join_segments([(forms_base(share.base), share.forms) for share in shares], plan.folder / "forms")
    join_segments([(records_base(share.base), share.records) for share in shares], plan.folder / "records")
    hashes = np.empty(rows, np.uint64)
    for share in shares:
        written = np.fromfile(ids_file(share.base), np.uint64)
        for block in share.records:
            part = written[block.rows_before : block.rows_before + block.rows]
            hashes[block.first_ordinal : block.first_ordinal + block.rows] = part
    write_ids(hashes, plan.folder)
    write_frequencies(merge_tables(rows, [path for share in shares for path in share.terms]), plan.folder)
    (plan.folder / META).write_bytes(plan.meta.to_bytes())


class _Crew:
    """The build processes and what they have answered."""

    def __init__(self, plan: BuildPlan, progress: Progress) -> None:
        self.indexed = 0
        self._progress = progress
        self._shares: list[Share] = []
        self._processes: dict[Connection, multiprocessing.process.BaseProcess] = {}
        for number in range(plan.processes):
            ours, theirs = _CONTEXT.Pipe()
            task = replace(plan.task, base=plan.task.base / f"part-{number}")
            process = _CONTEXT.Process(target=run_worker, args=(theirs, task), daemon=True, name=f"build-{number}")
            process.start()
            theirs.close()
            self._processes[ours] = process
        self._working = list(self._processes)
        self._free = self._working * _AHEAD_BATCHES

    def feed(self, batches: Iterable[pa.RecordBatch]) -> int:
        """Hands all batches out; the number of rows handed out."""
        ordinal = 0
        for batch in batches:
            while not self._free:
                self._collect()
            self._send(self._free.pop(0), (ordinal, _ipc(batch)))
            ordinal += batch.num_rows
        return ordinal

    def finish(self) -> list[Share]:
        for connection in self._processes:
            self._send(connection, None)
        while self._working:
            self._collect()
        return self._shares

    def stop(self) -> None:
        """Ends the processes, at whatever they are."""
        for connection, process in self._processes.items():
            process.kill()
            process.join()
            connection.close()

    def _send(self, connection: Connection, message: object) -> None:
        try:
            connection.send(message)
        except OSError:
            self._receive(connection)
            raise

    def _collect(self) -> None:
        for ready in wait(self._working):
            assert isinstance(ready, Connection)
            answer = self._receive(ready)
            if isinstance(answer, tuple):
                rows, share = answer
                self._shares.append(share)
                self._working.remove(ready)
            else:
                rows = answer
                self._free.append(ready)
            self.indexed += rows
            self._progress(self.indexed)

    def _receive(self, connection: Connection) -> Any:
        try:
            answer = connection.recv()
        except (EOFError, OSError) as exc:
            raise InternalError("A build process ended before its work was done.") from exc
        if isinstance(answer, FoundryOpsError):
            raise answer
        return answer


def _ipc(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())
