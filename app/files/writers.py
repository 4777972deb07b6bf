"""Writes result files row by row in bounded memory: the same rows give the same bytes, however they are handed over."""

from __future__ import annotations

import csv
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from app.files.blocks import FileFormat, Scalar
from app.files.disk import storage_errors

_GROUP_ROWS = 20_000
"""Rows of a Parquet row group, which is what the writer holds in memory."""
_ARROW = {"string": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?[\d ().,/-]*\d")


class RecordWriter(ABC):
    """A context manager; the file is whole once it is closed. Raises StorageFull when the disk is full."""

    def __init__(self, columns: Sequence[str]) -> None:
        if len(set(columns)) != len(columns):
            raise ValueError("a result file cannot have two columns of one name")
        self.columns = tuple(columns)

    def write(self, records: Iterable[Mapping[str, Scalar]]) -> None:
        """Appends rows; a name that a record lacks is null, one that is no column is left out."""
        with storage_errors():
            self._write([[record.get(name) for name in self.columns] for record in records])

    def close(self) -> None:
        with storage_errors():
            self._close()

    @abstractmethod
    def _write(self, rows: list[list[Scalar]]) -> None: ...

    @abstractmethod
    def _close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
            return
        # What failed has left half a file; it is only let go of here.
        with suppress(OSError, pa.ArrowException):
            self._close()


def open_writer(
    path: Path, format: FileFormat, columns: Sequence[str] | Mapping[str, str], *, neutralise_formulas: bool = False
) -> RecordWriter:
    """A writer of the columns in their order; a mapping also gives each its type (string, int, float or bool).

    `neutralise_formulas` puts an apostrophe before CSV cells that a spreadsheet would run. Raises ValueError for a
    name given twice, StorageFull when the disk is full.
    """
    kinds = columns if isinstance(columns, Mapping) else dict.fromkeys(columns, "string")
    with storage_errors():
        if format is FileFormat.PARQUET:
            return _ParquetWriter(path, list(columns), kinds)
        if format is FileFormat.NDJSON:
            return _NdjsonWriter(path, list(columns))
        return _CsvWriter(path, list(columns), neutralise_formulas)


def as_text(value: Scalar) -> str | None:
    """A scalar as a column of text holds it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)


class _CsvWriter(RecordWriter):
    """UTF-8, commas, LF, quotes where they are needed; null is an empty cell."""

    def __init__(self, path: Path, columns: Sequence[str], neutralise: bool) -> None:
        super().__init__(columns)
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._neutralise = neutralise
        self._write([list(columns)])

    def _write(self, rows: list[list[Scalar]]) -> None:
        cell = _harmless if self._neutralise else as_text
        self._writer.writerows([cell(value) for value in row] for row in rows)

    def _close(self) -> None:
        self._file.close()


def _harmless(value: Scalar) -> str | None:
    """A text that begins as a formula does gets an apostrophe; numbers and phone numbers stay."""
    text = as_text(value)
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return text


class _NdjsonWriter(RecordWriter):
    """One object a line with every column, null or not."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        super().__init__(columns)
        self._file = path.open("wb")

    def _write(self, rows: list[list[Scalar]]) -> None:
        for row in rows:
            self._file.write(orjson.dumps(dict(zip(self.columns, row, strict=True)), option=orjson.OPT_APPEND_NEWLINE))

    def _close(self) -> None:
        self._file.close()


class _ParquetWriter(RecordWriter):
    """Row groups of a fixed number of rows, so that the bytes do not tell in which portions the rows came."""

    def __init__(self, path: Path, columns: Sequence[str], kinds: Mapping[str, str]) -> None:
        super().__init__(columns)
        self._schema = pa.schema([pa.field(name, _ARROW[kinds[name]]) for name in columns])
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[list[Scalar]] = []

    def _write(self, rows: list[list[Scalar]]) -> None:
        self._rows.extend(rows)
        while len(self._rows) >= _GROUP_ROWS:
            self._flush(self._rows[:_GROUP_ROWS])
            del self._rows[:_GROUP_ROWS]

    def _close(self) -> None:
        if self._rows:
            self._flush(self._rows)
        self._writer.close()

    def _flush(self, rows: list[list[Scalar]]) -> None:
        columns = [
            pa.array([_typed(row[at], field.type) for row in rows], field.type) for at, field in enumerate(self._schema)
        ]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema), row_group_size=_GROUP_ROWS)


def _typed(value: Scalar, kind: Any) -> Scalar:
    return as_text(value) if kind == pa.string() else value
