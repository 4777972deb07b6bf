"""One build process: takes batches of rows, normalises them, posts them to the index and writes its share of the bundle."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from app.errors import FoundryOpsError, InternalError
from app.files.bundle import hash_ids
from app.files.record_store import Block, SegmentWriter
from app.files.term_tables import TermCounter
from app.matching.prepare import RecordPreparer
from app.matching.schema import MatchSchema
from app.search.bulk import BulkSender
from app.search.client import Endpoint
from app.services.memory import settle_memory

_BULK_TIMEOUT_S = 120
_BULKS_IN_FLIGHT = 2
"""A process: one request is carried out while the next is prepared; more only queue up in the engine."""

RowBatch = tuple[int, bytes]
"""The ordinal of the first row, and the rows as an Arrow IPC stream."""


@dataclass(frozen=True, slots=True)
class WorkerTask:
    """What a build process must know; picklable."""

    endpoint: Endpoint
    target: str
    base: Path
    """Path prefix of the files that this process writes."""
    schema: MatchSchema
    field_names: tuple[str, ...]
    primary_key: str | None


@dataclass(slots=True)
class Share:
    """What one process wrote."""

    base: Path
    forms: list[Block] = field(default_factory=list)
    records: list[Block] = field(default_factory=list)
    terms: list[Path] = field(default_factory=list)


def run_worker(connection: Connection, task: WorkerTask) -> None:
    """The process's main function: answers every batch with the number of rows indexed, the end with its Share."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    inbox: queue.SimpleQueue[RowBatch | None] = queue.SimpleQueue()
    settle_memory()
    threading.Thread(target=_receive, args=(connection, inbox), daemon=True).start()
    try:
        writer = _ShareWriter(task)
        while (batch := inbox.get()) is not None:
            connection.send(writer.add(*batch))
        connection.send(writer.finish())
    except FoundryOpsError as exc:
        connection.send(exc)
    except Exception as exc:
        # The message could hold a record's values; the type and place do not.
        connection.send(InternalError(f"A build process failed: {type(exc).__name__}{_place(exc)}"))


def _receive(connection: Connection, inbox: queue.SimpleQueue[RowBatch | None]) -> None:
    """Reads ahead; ends the process at once when its parent is gone, so that nothing is indexed for nobody."""
    try:
        while (message := connection.recv()) is not None:
            inbox.put(message)
        inbox.put(None)
    except (EOFError, OSError):
        os._exit(1)


def _place(exc: BaseException) -> str:
    trace = exc.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""


class _ShareWriter:
    def __init__(self, task: WorkerTask) -> None:
        self._task = task
        self._preparer = RecordPreparer(task.schema)
        self._bulk = BulkSender(task.endpoint.client(_BULK_TIMEOUT_S), task.target, _BULKS_IN_FLIGHT)
        self._forms = SegmentWriter(_file(task.base, "forms"))
        self._records = SegmentWriter(_file(task.base, "records"))
        self._ids = ids_file(task.base).open("wb")
        self._terms = TermCounter(_file(task.base, "terms"))
        self._share = Share(task.base)

    def add(self, first_ordinal: int, rows: bytes) -> int:
        """The number of rows that the engine has taken since the last call."""
        ids, records = _rows(rows, self._task)
        documents: list[bytes] = []
        forms: list[bytes] = []
        readable: list[bytes] = []
        terms: list[int] = []
        for ordinal, (record_id, record) in enumerate(zip(ids, records, strict=True), first_ordinal):
            prepared = self._preparer.prepare(record)
            fragment = orjson.Fragment(orjson.dumps(record))
            own = {"ord": ordinal, "record_id": record_id, "record": fragment}
            documents.append(orjson.dumps({**prepared.document, **own}))
            readable.append(orjson.dumps({"record_id": record_id, "record": fragment}))
            forms.append(prepared.form)
            terms += prepared.terms
        self._share.forms.append(self._forms.append(first_ordinal, forms))
        self._share.records.append(self._records.append(first_ordinal, readable))
        self._ids.write(hash_ids(ids).tobytes())
        self._terms.add(terms)
        return self._bulk.send(documents)

    def finish(self) -> tuple[int, Share]:
        indexed = self._bulk.finish()
        for file in (self._forms, self._records, self._ids):
            file.close()
        self._share.terms = self._terms.finish()
        return indexed, self._share


def ids_file(base: Path) -> Path:
    """The hashes of the record ids, in the order in which the process wrote its rows."""
    return _file(base, "ids")


def forms_base(base: Path) -> Path:
    return _file(base, "forms")


def records_base(base: Path) -> Path:
    return _file(base, "records")


def _file(base: Path, name: str) -> Path:
    return base.with_name(f"{base.name}-{name}")


def _rows(content: bytes, task: WorkerTask) -> tuple[list[str], list[dict[str, Any]]]:
    """Record ids and records of a batch; system columns left out, timestamps as RFC 3339 text."""
    table = pa.ipc.open_stream(content).read_all()
    names = task.field_names
    columns = [_values(table.column(name)) for name in names]
    records: list[dict[str, Any]] = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    if task.primary_key is None:
        return [str(number) for number in table.column("_seq").to_pylist()], records
    return [str(record[task.primary_key]) for record in records], records


def _values(column: pa.ChunkedArray) -> list[Any]:
    values: list[Any] = column.to_pylist()
    if pa.types.is_timestamp(column.type):
        return [None if value is None else timestamp_text(value) for value in values]
    return values


def timestamp_text(value: datetime) -> str:
    """`2024-05-01T00:00:00Z`: what the API answers and what is compared."""
    return value.isoformat().replace("+00:00", "Z")


def sample_values(records: Mapping[str, list[Any]], most: int) -> dict[str, list[str]]:
    """The first `most` non-empty values of every field, as strings."""
    return {
        name: [str(value) for value in values if value not in (None, "")][:most] for name, values in records.items()
    }
