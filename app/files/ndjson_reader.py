"""Reads NDJSON: one object of scalars a line; a line that is anything else is a bad row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from app.errors import UnreadableFile
from app.files.blocks import FileFormat, Flaw, ReaderLimits, RecordReader, Run
from app.files.lines import Lines, LineSource, flaw_in
from app.files.source import ByteSource

_SCALARS = frozenset({str, int, float, bool, type(None)})


class NdjsonReader(RecordReader):
    """`columns` grows while the file is read: it has the names of every record given, maybe of some to come."""

    format = FileFormat.NDJSON

    def __init__(self, source: ByteSource, limits: ReaderLimits) -> None:
        self._source = source
        self._limits = limits
        self._pieces = LineSource(source, limits.record_chars).pieces()
        self._seen: dict[str, None] = {}

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._seen)

    @property
    def position(self) -> float:
        return self._source.position

    def close(self) -> None:
        self._source.close()

    def _runs(self) -> Iterator[Run | Flaw]:
        for piece in self._pieces:
            at: list[int | None] = []
            records: list[dict[str, Any]] = []
            for line, text in enumerate(piece.lines, start=piece.first_line):
                if text.isspace():
                    continue
                found = self._record(text, piece)
                if isinstance(found, dict):
                    at.append(line)
                    records.append(found)
                    continue
                yield Run(at, records)
                yield Flaw(line, *found, text.encode("utf-8", "replace").decode("utf-8").rstrip())
                at, records = [], []
            yield Run(at, records)

    def _record(self, text: str, piece: Lines) -> dict[str, Any] | tuple[str, str]:
        """The record of a line, or the code and the message of why it is none."""
        if piece.overlong:
            return "RECORD_TOO_LONG", f"longer than {self._limits.record_chars} characters"
        if piece.is_dirty and (found := flaw_in(text)):
            return found
        try:
            record = orjson.loads(text)
        except orjson.JSONDecodeError as exc:
            return "BAD_JSON", f"no JSON: {exc.msg} at character {exc.pos + 1}"
        if not isinstance(record, dict):
            return "NOT_AN_OBJECT", "expected a JSON object"
        if not _SCALARS.issuperset(map(type, record.values())):
            nested = next(name for name, value in record.items() if type(value) not in _SCALARS)
            return "NESTED_VALUE", f"the value of {nested!r} is no scalar"
        if not self._seen.keys() >= record.keys():
            self._see(record)
        return record

    def _see(self, record: dict[str, Any]) -> None:
        self._seen.update(dict.fromkeys(record))
        if len(self._seen) > self._limits.columns:
            raise UnreadableFile(f"The records have more than {self._limits.columns} different names together.")
