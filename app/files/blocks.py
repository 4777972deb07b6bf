"""What readers give and writers take: records of scalars in blocks, and the rows that could not be read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Any, NamedTuple, Self

Scalar = str | int | float | bool | None

_RAW_CHARS = 500


class FileFormat(StrEnum):
    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class ReaderLimits:
    """Bounds that keep memory and disk flat whatever a file holds."""

    record_chars: int = 1024 * 1024
    """Longest record; a longer one is a bad row."""
    unpacked_bytes: int = 16 * 1024**3
    """Most that a gzipped file may unpack to; beyond it the file is unreadable."""
    columns: int = 2_000


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is no record; `row` counts all rows from 1, `line` is where it begins (None in Parquet)."""

    row: int
    line: int | None
    code: str
    message: str
    raw: str


class Flaw(NamedTuple):
    """Why the row that begins at `line` is no record."""

    line: int | None
    code: str
    message: str
    raw: str


class Run(NamedTuple):
    """Records that follow one another: as mappings, or as cells in the order of the reader's columns."""

    lines: Sequence[int | None]
    records: Sequence[dict[str, Scalar]] | Sequence[Sequence[Scalar]]


@dataclass(slots=True)
class Block:
    """Consecutive rows: `rows[i]` and `lines[i]` are the numbers of `records[i]`; `first_row` may be a bad one's."""

    first_row: int
    columns: tuple[str, ...] | None = None
    """Of a file whose rows are cells; None where each record has its own names."""
    rows: list[int] = field(default_factory=list)
    lines: list[int | None] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    _given: list[Any] = field(default_factory=list)
    _records: list[dict[str, Scalar]] | None = None

    @property
    def records(self) -> list[dict[str, Scalar]]:
        """Made when first asked for."""
        if self._records is None:
            names = self.columns
            self._records = self._given if names is None else [_record(names, cells) for cells in self._given]
        return self._records

    def column(self, name: str) -> list[Scalar]:
        """The values of one name, None where a record lacks it; much cheaper than all records."""
        if self.columns is None:
            return [record.get(name) for record in self._given]
        if name not in self.columns:
            return [None] * len(self.rows)
        at = self.columns.index(name)
        return [None if cells[at] == "" else cells[at] for cells in self._given]

    def add(self, first_row: int, run: Run) -> None:
        self.rows.extend(range(first_row, first_row + len(run.lines)))
        self.lines.extend(run.lines)
        self._given.extend(run.records)

    @property
    def size(self) -> int:
        """All rows, good and bad."""
        return len(self.rows) + len(self.bad)


def _record(names: tuple[str, ...], cells: Sequence[Scalar]) -> dict[str, Scalar]:
    return {name: None if cell == "" else cell for name, cell in zip(names, cells, strict=True)}


class RecordReader(ABC):
    """Reads a file once, from its first row to its last; a context manager."""

    format: FileFormat

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Names of the input columns in order; of NDJSON those seen so far, in order of first sight."""

    @property
    def kinds(self) -> dict[str, str]:
        """The stored type of each column, for a writer; text unless the file says more."""
        return dict.fromkeys(self.columns, "string")

    @property
    @abstractmethod
    def position(self) -> float:
        """The share of the file that has been read, 0 to 1."""

    def blocks(self, most: int) -> Iterator[Block]:
        """All rows, at most `most` a block, good and bad ones counted; raises UnreadableFile where the file breaks."""
        names = None if self.format is FileFormat.NDJSON else self.columns
        block = Block(1, names)
        row = 1
        for found in self._runs():
            start = 0
            while start < _rows_in(found):
                start += _fill(block, row, found, start, most - block.size)
                row = block.first_row + block.size
                if block.size >= most:
                    yield block
                    block = Block(row, names)
        if block.size:
            yield block

    @abstractmethod
    def _runs(self) -> Iterator[Run | Flaw]: ...

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _rows_in(found: Run | Flaw) -> int:
    return 1 if isinstance(found, Flaw) else len(found.lines)


def _fill(block: Block, row: int, found: Run | Flaw, start: int, room: int) -> int:
    """Adds what there is room for, from `start` on; gives how many rows that were."""
    if isinstance(found, Flaw):
        block.bad.append(BadRow(row, found.line, found.code, found.message, found.raw[:_RAW_CHARS]))
        return 1
    end = min(start + room, len(found.lines))
    block.add(row, Run(found.lines[start:end], found.records[start:end]))
    return end - start
