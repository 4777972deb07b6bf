"""Reads CSV: the delimiter is found, quoting is strict, and a row that breaks costs itself alone.

One parser reads every file, the standard library's in C: what is read does not depend on a fast path. An empty cell is
null, quoted or not. After a row that breaks, reading goes on with the next line, so a stray quote cannot swallow the file.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Generator, Iterator
from itertools import chain, islice
from typing import NamedTuple

from app.errors import UnreadableFile
from app.files.blocks import FileFormat, Flaw, ReaderLimits, RecordReader, Run
from app.files.lines import Lines, LineSource, flaw_in
from app.files.source import ByteSource

_DELIMITERS = ",;\t|"
_SEPARATOR_LINE = re.compile(r"sep=([,;\t|])\r?\n?")
_SNIFFED_ROWS = 50
_UNFINISHED = "unexpected end of data"
_HUGE = 2**30

csv.field_size_limit(_HUGE)  # a record is bounded as a whole, by `ReaderLimits.record_chars`


class _CellRun(NamedTuple):
    lines: list[int | None]
    records: list[list[str]]


class CsvReader(RecordReader):
    """Raises UnreadableFile when there is no usable header."""

    format = FileFormat.CSV

    def __init__(self, source: ByteSource, limits: ReaderLimits) -> None:
        self._source = source
        self._limits = limits
        pieces = LineSource(source, limits.record_chars).pieces()
        first = next(pieces, None)
        if first is None:
            raise UnreadableFile("The file is empty.", byte=0)
        self._delimiter, first = _dialect(first)
        self._columns: tuple[str, ...] = ()
        self._width = 0
        runs = self._parsed(chain([first], pieces))
        begun = next((found for found in runs if self._columns or isinstance(found, Flaw)), None)
        if not self._columns:
            raise _no_header(begun)
        self._found: Iterator[Run | Flaw] = chain([] if begun is None else [begun], runs)

    @property
    def columns(self) -> tuple[str, ...]:
        return self._columns

    @property
    def position(self) -> float:
        return self._source.position

    def close(self) -> None:
        self._source.close()

    def _runs(self) -> Iterator[Run | Flaw]:
        return self._found

    def _parsed(self, pieces: Iterator[Lines]) -> Iterator[Run | Flaw]:
        """Rows of all pieces; a record that goes on in the next piece waits for it."""
        waiting = Lines(1, [])
        for piece in pieces:
            if piece.overlong:
                yield from self._rows_of(waiting, True)
                message = f"longer than {self._limits.record_chars} characters"
                yield Flaw(piece.first_line, "RECORD_TOO_LONG", message, _printable(piece.lines[0]))
                waiting = Lines(piece.first_line + 1, [])
                continue
            if waiting.lines:
                both = waiting.is_dirty or piece.is_dirty
                piece = Lines(waiting.first_line, waiting.lines + piece.lines, both)
            left = yield from self._rows_of(piece, False)
            waiting = Lines(piece.first_line + len(piece.lines) - len(left), left, piece.is_dirty)
        yield from self._rows_of(waiting, True)

    def _rows_of(self, piece: Lines, is_last: bool) -> Generator[Run | Flaw, None, list[str]]:
        """Rows of the lines; returns the lines of a record that is not finished, none when these are the last."""
        start = 0
        while start < len(piece.lines):
            found, start, error = self._parse(piece, start)
            yield from found
            if error is None:
                break
            left = piece.lines[start:]
            is_open = _UNFINISHED in str(error)
            if is_open and not is_last and sum(map(len, left)) <= self._limits.record_chars:
                return left
            yield _broken(left[0], piece.first_line + start, is_open, error)
            start += 1
        return []

    def _parse(self, piece: Lines, start: int) -> tuple[list[Run | Flaw], int, csv.Error | None]:
        """Rows from a line on: what was found, the line where it stopped, and the error that stopped it."""
        found: list[Run | Flaw] = []
        run = _CellRun([], [])
        reader = csv.reader(piece.lines[start:] if start else piece.lines, delimiter=self._delimiter, strict=True)
        begin = start
        try:
            for cells in reader:
                end = start + reader.line_num
                if len(cells) == self._width and end - begin == 1 and not piece.is_dirty:
                    run.lines.append(piece.first_line + begin)
                    run.records.append(cells)
                elif cells and (flaw := self._take(cells, piece, begin, end, run)):
                    found += [Run(*run), flaw]
                    run = _CellRun([], [])
                begin = end
        except csv.Error as exc:
            return [*found, Run(*run)], begin, exc
        return [*found, Run(*run)], begin, None

    def _take(self, cells: list[str], piece: Lines, begin: int, end: int, run: _CellRun) -> Flaw | None:
        """Adds a row that needed a closer look, unless it has a flaw; the first row of all is the header."""
        line = piece.first_line + begin
        flaw = self._flaw(cells, line, piece.lines[begin:end], piece.is_dirty)
        if flaw is None and self._width:
            run.lines.append(line)
            run.records.append(cells)
        elif flaw is None:
            self._columns = _header(cells, line, self._limits.columns)
            self._width = len(self._columns)
        return flaw

    def _flaw(self, cells: list[str], line: int, raw: list[str], is_dirty: bool) -> Flaw | None:
        """What is wrong with a row that needed a closer look; the header's width is its own."""
        if len(raw) > 1 and sum(map(len, raw)) > self._limits.record_chars:
            message = f"longer than {self._limits.record_chars} characters"
            return Flaw(line, "RECORD_TOO_LONG", message, _printable(raw[0]))
        found = flaw_in("".join(raw)) if is_dirty else None
        if found:
            return Flaw(line, *found, _printable("".join(raw)))
        if self._columns and len(cells) != len(self._columns):
            message = f"the row has {len(cells)} cells, the header {len(self._columns)}"
            return Flaw(line, "CELL_COUNT", message, _printable("".join(raw)))
        return None


def _broken(text: str, line: int, is_open: bool, exc: csv.Error) -> Flaw:
    if is_open:
        return Flaw(line, "UNCLOSED_QUOTE", "a quoted cell does not end", _printable(text))
    return Flaw(line, "BAD_QUOTE", f"quoting is broken: {exc}", _printable(text))


def _printable(text: str) -> str:
    """Text that JSON can hold: what was no text becomes a question mark."""
    return text.rstrip("\r\n").encode("utf-8", "replace").decode("utf-8")


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


def _no_header(found: Run | Flaw | None) -> UnreadableFile:
    if isinstance(found, Flaw):
        return UnreadableFile(f"The header cannot be read: {found.message}.", line=found.line)
    return UnreadableFile("The file has no header.", line=1)


def _header(cells: list[str], line: int, most: int) -> tuple[str, ...]:
    """Names of the columns: trimmed; a missing one becomes `column_3`, a repeated one `name_2`."""
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
