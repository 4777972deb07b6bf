"""Reads NDJSON: one object of scalars a line; a line that is anything else is a bad row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from app.errors import UnreadableFile
from app.files.blocks import FileFormat, Flaw, Item, ReaderLimits, RecordReader
from app.files.lines import Lines, LineSource, flaw_in
from app.files.source import ByteSource

_SCALARS = frozenset({str, int, float, bool, type(None)})


class NdjsonReader(RecordReader):
    """`columns` grows while the file is read: a name is known once a record that has it was given."""

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

    def _items(self) -> Iterator[Item]:
        for piece in self._pieces:
            for line, text in enumerate(piece.lines, start=piece.first_line):
                if not text.isspace():
                    yield line, self._record(text, piece)

    def _record(self, text: str, piece: Lines) -> dict[str, Any] | Flaw:
        if piece.overlong:
            return Flaw("RECORD_TOO_LONG", f"longer than {self._limits.record_chars} characters", text)
        if piece.is_dirty and (found := flaw_in(text)):
            return Flaw(*found, text.encode("utf-8", "replace").decode("utf-8").rstrip())
        try:
            record = orjson.loads(text)
        except orjson.JSONDecodeError as exc:
            return Flaw("BAD_JSON", f"no JSON: {exc.msg} at character {exc.pos + 1}", text.rstrip())
        if not isinstance(record, dict):
            return Flaw("NOT_AN_OBJECT", "expected a JSON object", text.rstrip())
        if not _SCALARS.issuperset(map(type, record.values())):
            nested = next(name for name, value in record.items() if type(value) not in _SCALARS)
            return Flaw("NESTED_VALUE", f"the value of {nested!r} is no scalar", text.rstrip())
        if not self._seen.keys() >= record.keys():
            self._see(record)
        return record

    def _see(self, record: dict[str, Any]) -> None:
        self._seen.update(dict.fromkeys(record))
        if len(self._seen) > self._limits.columns:
            raise UnreadableFile(f"The records have more than {self._limits.columns} different names together.")
