"""What readers give and writers take: records of scalars in blocks, and the rows that could not be read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import NamedTuple, Self

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


@dataclass(slots=True)
class Block:
    """Consecutive rows: `rows[i]` and `lines[i]` are the numbers of `records[i]`; `first_row` may be a bad one's."""

    first_row: int
    rows: list[int] = field(default_factory=list)
    records: list[dict[str, Scalar]] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    lines: list[int | None] = field(default_factory=list)


class Flaw(NamedTuple):
    """Why a row is no record; its numbers are added when it is counted."""

    code: str
    message: str
    raw: str


Item = tuple[int | None, dict[str, Scalar] | Flaw]
"""The line where a row begins, and the row."""


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
        block = Block(1)
        for row, (line, found) in enumerate(self._items(), start=1):
            if isinstance(found, dict):
                block.rows.append(row)
                block.lines.append(line)
                block.records.append(found)
            else:
                block.bad.append(BadRow(row, line, found.code, found.message, found.raw[:_RAW_CHARS]))
            if row - block.first_row + 1 >= most:
                yield block
                block = Block(row + 1)
        if block.rows or block.bad:
            yield block

    @abstractmethod
    def _items(self) -> Iterator[Item]: ...

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
