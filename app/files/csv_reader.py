"""Reads CSV: the delimiter is found, quoting is strict, and a row that breaks costs itself alone.

One parser reads every file, the standard library's in C: what is read does not depend on a fast path. An empty cell is
null, quoted or not. After a row that breaks, reading goes on with the next line, so a stray quote cannot swallow the file.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Generator, Iterator
from itertools import chain, islice

from app.errors import UnreadableFile
from app.files.blocks import FileFormat, Flaw, Item, ReaderLimits, RecordReader
from app.files.lines import Lines, LineSource, flaw_in
from app.files.source import ByteSource

_DELIMITERS = ",;\t|"
_SEPARATOR_LINE = re.compile(r"sep=([,;\t|])\r?\n?")
_SNIFFED_ROWS = 50
_UNFINISHED = "unexpected end of data"
_HUGE = 2**30

csv.field_size_limit(_HUGE)  # a record is bounded as a whole, by `ReaderLimits.record_chars`

Row = tuple[int, list[str] | Flaw]
"""The line where a row begins, and its cells."""


class CsvReader(RecordReader):
    """Raises UnreadableFile when there is no usable header."""

    format = FileFormat.CSV

    def __init__(self, source: ByteSource, limits: ReaderLimits) -> None:
        self._source = source
        self._limit = limits.record_chars
        pieces = LineSource(source, limits.record_chars).pieces()
        first = next(pieces, None)
        if first is None:
            raise UnreadableFile("The file is empty.", byte=0)
        self._delimiter, first = _dialect(first)
        self._rows = self._parsed(chain([first], pieces))
        self._columns = _header(next(self._rows, None), limits.columns)

    @property
    def columns(self) -> tuple[str, ...]:
        return self._columns

    @property
    def position(self) -> float:
        return self._source.position

    def close(self) -> None:
        self._source.close()

    def _items(self) -> Iterator[Item]:
        columns, width = self._columns, len(self._columns)
        for line, cells in self._rows:
            if isinstance(cells, Flaw):
                yield line, cells
            elif len(cells) == width:
                yield line, dict(zip(columns, [cell or None for cell in cells], strict=True))
            else:
                message = f"the row has {len(cells)} cells, the header {width}"
                yield line, Flaw("CELL_COUNT", message, self._delimiter.join(cells))

    def _parsed(self, pieces: Iterator[Lines]) -> Iterator[Row]:
        """Rows of all pieces; a record that goes on in the next piece waits for it."""
        open_lines: list[str] = []
        first_line = 1
        is_dirty = False
        for piece in pieces:
            if piece.overlong:
                yield from self._rows_of(Lines(first_line, open_lines, is_dirty), True)
                yield piece.first_line, Flaw("RECORD_TOO_LONG", f"longer than {self._limit} characters", piece.lines[0])
                open_lines = []
                continue
            if not open_lines:
                first_line, is_dirty = piece.first_line, False
            is_dirty = is_dirty or piece.is_dirty
            lines = open_lines + piece.lines if open_lines else piece.lines
            left = yield from self._rows_of(Lines(first_line, lines, is_dirty), False)
            first_line, open_lines = first_line + len(lines) - len(left), left
        yield from self._rows_of(Lines(first_line, open_lines, is_dirty), True)

    def _rows_of(self, piece: Lines, is_last: bool) -> Generator[Row, None, list[str]]:
        """Rows of the lines; returns the lines of a record that is not finished, none when these are the last."""
        lines = piece.lines
        start = 0
        while start < len(lines):
            reader = csv.reader(lines[start:] if start else lines, delimiter=self._delimiter, strict=True)
            base = start
            try:
                for cells in reader:
                    line, end = piece.first_line + start, base + reader.line_num
                    if cells:
                        yield line, self._usable(cells, lines, start, end, piece.is_dirty)
                    start = end
                break
            except csv.Error as exc:
                is_open = _UNFINISHED in str(exc)
                left = lines[start:]
                if is_open and not is_last and sum(map(len, left)) <= self._limit:
                    return left
                yield piece.first_line + start, _broken(lines[start], is_open, exc)
                start += 1
        return []

    def _usable(self, cells: list[str], lines: list[str], start: int, end: int, is_dirty: bool) -> list[str] | Flaw:
        if end - start > 1 and sum(map(len, lines[start:end])) > self._limit:
            return Flaw("RECORD_TOO_LONG", f"longer than {self._limit} characters", lines[start])
        found = flaw_in("".join(lines[start:end])) if is_dirty else None
        return Flaw(*found, _printable(lines[start])) if found else cells


def _broken(line: str, is_open: bool, exc: csv.Error) -> Flaw:
    if is_open:
        return Flaw("UNCLOSED_QUOTE", "a quoted cell does not end", _printable(line))
    return Flaw("BAD_QUOTE", f"quoting is broken: {exc}", _printable(line))


def _printable(line: str) -> str:
    """Text that JSON can hold: what was no text becomes a question mark."""
    return line.rstrip("\r\n").encode("utf-8", "replace").decode("utf-8")


def _dialect(first: Lines) -> tuple[str, Lines]:
    """The delimiter, and the first piece without a line that declares it (`sep=;`, as Excel writes)."""
    declared = _SEPARATOR_LINE.fullmatch(first.lines[0])
    if declared:
        return declared[1], Lines(first.first_line + 1, first.lines[1:], first.is_dirty)
    found = max(_DELIMITERS, key=lambda delimiter: _consistency(first.lines, delimiter))
    return found, first


def _consistency(lines: list[str], delimiter: str) -> tuple[float, int]:
    """How many of the first rows are as wide as the header, and its width; a header of one cell speaks for nothing."""
    reader = csv.reader(lines, delimiter=delimiter)
    widths = [len(row) for row in islice(reader, _SNIFFED_ROWS) if row]
    if not widths or widths[0] < 2:
        return 0.0, 0
    return widths.count(widths[0]) / len(widths), widths[0]


def _header(row: Row | None, most: int) -> tuple[str, ...]:
    """Names of the columns: trimmed; a missing one becomes `column_3`, a repeated one `name_2`."""
    if row is None:
        raise UnreadableFile("The file has no header.", line=1)
    line, cells = row
    if isinstance(cells, Flaw):
        raise UnreadableFile(f"The header cannot be read: {cells.message}.", line=line)
    if len(cells) > most:
        raise UnreadableFile(f"The header has {len(cells)} columns; at most {most} are read.", line=line)
    if not any(cell.strip() for cell in cells):
        raise UnreadableFile("The header has no names.", line=line)
    return unique_names([cell.strip() or f"column_{at}" for at, cell in enumerate(cells, start=1)])


def unique_names(names: list[str]) -> tuple[str, ...]:
    """The names, later ones of the same name numbered from 2, around names that are there already."""
    taken = set(names)
    seen: set[str] = set()
    unique: list[str] = []
    for name in names:
        chosen, number = name, 2
        while name in seen and chosen in taken:
            chosen, number = f"{name}_{number}", number + 1
        seen.add(name)
        taken.add(chosen)
        unique.append(chosen)
    return tuple(unique)
