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
from app.files.blocks import FileFormat, Flaw, ReaderLimits, RecordReader, Run
from app.files.lines import Lines, LineSource, flaw_in
from app.files.source import ByteSource

_DELIMITERS = ",;\t|"
_SEPARATOR_LINE = re.compile(r"sep=([,;\t|])\r?\n?")
_SNIFFED_ROWS = 50
_UNFINISHED = "unexpected end of data"
_HUGE = 2**30

csv.field_size_limit(_HUGE)  # a record is bounded as a whole, by `ReaderLimits.record_chars`


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
        runs = self._parsed(chain([first], pieces))
        begun = next(runs, None)
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
        lines, first_line = piece.lines, piece.first_line
        width = len(self._columns)
        start = 0
        while start < len(lines):
            base = start
            at: list[int | None] = []
            good: list[list[str]] = []
            reader = csv.reader(lines[start:] if start else lines, delimiter=self._delimiter, strict=True)
            try:
                for cells in reader:
                    end = base + reader.line_num
                    if len(cells) == width and end - start == 1 and not piece.is_dirty:
                        at.append(first_line + start)
                        good.append(cells)
                    elif cells:
                        flaw = self._flaw(cells, first_line + start, lines[start:end], piece.is_dirty)
                        if flaw is None and width:
                            at.append(first_line + start)
                            good.append(cells)
                        elif flaw is None:
                            self._columns = _header(cells, first_line + start, self._limits.columns)
                            width = len(self._columns)
                        else:
                            yield Run(at, good)
                            yield flaw
                            at, good = [], []
                    start = end
                yield Run(at, good)
                break
            except csv.Error as exc:
                yield Run(at, good)
                is_open = _UNFINISHED in str(exc)
                left = lines[start:]
                if is_open and not is_last and sum(map(len, left)) <= self._limits.record_chars:
                    return left
                yield _broken(lines[start], first_line + start, is_open, exc)
                start += 1
        return []

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
