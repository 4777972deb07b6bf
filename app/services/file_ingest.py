"""Turns an uploaded file into a snapshot's part, keys, rejects and data-quality summary, block by block.

Columns are coerced in bulk; every row that a value, its key or a deletion makes doubtful goes once more through the rule
for one row, which alone decides and gives its reasons. So a file has the outcome of its rows appended inline.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from app.errors import UnreadableFile
from app.files.blocks import BadRow, Block, FileFormat, ReaderLimits
from app.files.disk import storage_errors
from app.files.readers import open_reader
from app.files.snapshots import DELETED, SEQ, PartWriter, arrow_schema, key_hashes
from app.services.bulk_coercion import Mask, coerce_column
from app.services.coercion import coerce_row
from app.services.field_map import FieldMap, FieldNames

BLOCK_ROWS = 20_000
MAX_FILE_ROWS = 2**33
"""Running numbers are taken for a file before its rows are counted; there are enough for a billion such files."""


@dataclass(frozen=True, slots=True)
class FileSource:
    path: Path
    format: FileFormat | None
    field_map: FieldNames
    limits: ReaderLimits


@dataclass(frozen=True, slots=True)
class Target:
    """Where rows go: the dataset's fields and key, the first running number, and the folder of what is made."""

    fields: dict[str, str]
    primary_key: str | None
    first_seq: int
    folder: Path

    @property
    def part(self) -> Path:
        return self.folder / "part.parquet"

    @property
    def keys(self) -> Path:
        return self.folder / "part.keys.npy"

    @property
    def rejects(self) -> Path:
        return self.folder / "rejects.ndjson.gz"


@dataclass(slots=True)
class Tally:
    """The data-quality summary as it grows, and the sha256 of the part."""

    accepted: int = 0
    rejected: int = 0
    kept: int = 0
    """Accepted rows that do not delete."""
    coercions: Counter[str] = field(default_factory=Counter)
    nulls: Counter[str] = field(default_factory=Counter)
    sha256: str = ""

    def summary(self, fields: Mapping[str, str]) -> dict[str, Any]:
        share = {name: round(100.0 * self.nulls[name] / self.kept, 2) if self.kept else 0.0 for name in fields}
        coercions = {kind: count for kind, count in sorted(self.coercions.items()) if count}
        return {"accepted": self.accepted, "rejected": self.rejected, "coercions": coercions, "null_pct": share}


def ingest_file(source: FileSource, target: Target, progress: Callable[[int, float], None]) -> Tally:
    """Reads the whole file; `progress` gets rows done and the share of the file, and may raise to stop.

    Raises UnreadableFile, InvalidSchema for columns that cannot be stored, StorageFull.
    """
    tally = Tally()
    with storage_errors(), open_reader(source.path, source.format, source.limits) as reader:
        names = FieldMap(reader, target.fields, target.primary_key, source.field_map)
        with _Sink(target) as sink:
            for block in reader.blocks(BLOCK_ROWS):
                _take(block, names, target, sink, tally)
                progress(tally.accepted + tally.rejected, reader.position)
        tally.sha256 = sink.sha256
    return tally


def _take(block: Block, names: FieldMap, target: Target, sink: _Sink, tally: Tally) -> None:
    columns = {name: coerce_column(names.column(block, name), kind) for name, kind in target.fields.items()}
    doubt = names.doubtful(block)
    empty = np.ones(len(doubt), bool)
    for coerced in columns.values():
        doubt |= coerced.failed
        empty &= coerced.values.is_null().to_numpy(zero_copy_only=False)
    if target.primary_key is not None:
        doubt |= _is_blank(columns[target.primary_key].values)
    rejected, deleted = _judge(block, names, target, np.flatnonzero(doubt | empty))
    accepted = np.ones(len(doubt), bool)
    accepted[list(rejected)] = False
    marks = np.zeros(len(doubt), bool)
    marks[deleted] = True
    sink.reject(block, rejected)
    tally.rejected += len(rejected) + len(block.bad)
    kept = accepted & ~marks
    tally.kept += int(kept.sum())
    for name, coerced in columns.items():
        tally.coercions[target.fields[name]] += int((coerced.changed & accepted).sum())
        tally.nulls[name] += int((_is_blank(coerced.values) & kept).sum())
    stored = pa.RecordBatch.from_arrays([c.values for c in columns.values()], names=list(columns))
    stored = stored if accepted.all() else stored.filter(pa.array(accepted))
    sink.store(stored, target.first_seq + tally.accepted, marks[accepted])
    tally.accepted += stored.num_rows
    if tally.accepted > MAX_FILE_ROWS:
        raise UnreadableFile(f"The file has more than {MAX_FILE_ROWS} rows; send it in parts.")


def _judge(
    block: Block, names: FieldMap, target: Target, doubtful: npt.NDArray[np.intp]
) -> tuple[dict[int, list[dict[str, str]]], list[int]]:
    """By place in the block: why rows are rejected; and which rows delete."""
    rejected: dict[int, list[dict[str, str]]] = {}
    deleted: list[int] = []
    for at in doubtful.tolist():
        row, _, found = coerce_row(names.record(block, at), target.fields, target.primary_key)
        if row is None:
            rejected[at] = found.errors
        elif row[DELETED]:
            deleted.append(at)
    return rejected, deleted


def _is_blank(values: pa.Array) -> Mask:
    blank = values.is_null()
    if pa.types.is_string(values.type):
        blank = pc.or_(blank, pc.fill_null(pc.equal(values, ""), False))
    found: Mask = blank.to_numpy(zero_copy_only=False)
    return found


class _Sink:
    """The files that are made; a context manager, whole when it ends without an error."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._schema = arrow_schema(target.fields)
        self._part: PartWriter | None = None
        self._rejects: gzip.GzipFile | None = None
        self._keys: list[npt.NDArray[np.uint64]] = []
        self.sha256 = ""

    def store(self, rows: pa.RecordBatch, first_seq: int, deleted: Mask) -> None:
        if not rows.num_rows:
            return
        self._part = self._part or PartWriter(self._target.part, self._schema)
        added = {SEQ: pa.array(np.arange(first_seq, first_seq + rows.num_rows)), DELETED: pa.array(deleted)}
        columns = [added[one.name] if one.name in added else rows.column(one.name) for one in self._schema]
        self._part.write(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        if self._target.primary_key is not None:
            keys = rows.column(self._target.primary_key).to_pylist()
            self._keys.append(key_hashes(keys, deleted.tolist()))

    def reject(self, block: Block, rejected: Mapping[int, list[dict[str, str]]]) -> None:
        """Writes good rows that were rejected and bad rows in their order."""
        lines = [(block.rows[at], _reject(block, at, errors)) for at, errors in rejected.items()]
        lines += [(bad.row, _unread(bad)) for bad in block.bad]
        if not lines:
            return
        if self._rejects is None:
            self._rejects = gzip.GzipFile(self._target.rejects, "wb", mtime=0)
        for _, line in sorted(lines, key=lambda numbered: numbered[0]):
            self._rejects.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def __enter__(self) -> _Sink:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._rejects is not None:
            self._rejects.close()
        if self._part is not None:
            self.sha256 = self._part.close()
        if self._keys:
            np.save(self._target.keys, np.concatenate(self._keys))


def _reject(block: Block, at: int, errors: list[dict[str, str]]) -> dict[str, Any]:
    return {"row": block.rows[at], "line": block.lines[at], "record": block.records[at], "errors": errors}


def _unread(bad: BadRow) -> dict[str, Any]:
    error = {"field": "record", "code": bad.code, "message": bad.message}
    return {"row": bad.row, "line": bad.line, "record": None, "raw": bad.raw, "errors": [error]}
