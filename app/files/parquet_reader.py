"""Reads Parquet: columns of scalars; times become RFC 3339 text and decimals their exact text."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from app.errors import UnreadableFile
from app.files.blocks import FileFormat, Flaw, ReaderLimits, RecordReader, Run
from app.files.csv_reader import unique_names
from app.files.disk import storage_errors
from app.files.source import ByteSource

_BATCH_ROWS = 4_096
_COPY_BYTES = 1024 * 1024
_NOT_TEXT = object()
_NOT_FINITE = object()


class ParquetReader(RecordReader):
    """Raises UnreadableFile for a damaged file and for columns that hold no scalars, naming them."""

    format = FileFormat.PARQUET

    def __init__(self, source: ByteSource, path: Path, limits: ReaderLimits) -> None:
        self._unpacked = _unpack(source) if source.is_packed else None
        source.close()
        try:
            self._file = pq.ParquetFile(self._unpacked or path, memory_map=False, pre_buffer=False)
            schema = self._file.schema_arrow
        except (pa.ArrowException, OSError) as exc:
            self._remove()
            raise UnreadableFile("The file is no Parquet file, or its footer is damaged.") from exc
        self._total: int = max(self._file.metadata.num_rows, 1)
        self._given = 0
        try:
            self._columns, self._readers = _columns_of(schema, limits.columns)
        except UnreadableFile:
            self.close()
            raise
        self._kinds = [_kind(field.type) for field in schema]

    @property
    def columns(self) -> tuple[str, ...]:
        return self._columns

    @property
    def kinds(self) -> dict[str, str]:
        return dict(zip(self._columns, self._kinds, strict=True))

    @property
    def position(self) -> float:
        return float(min(self._given / self._total, 1.0))

    def close(self) -> None:
        self._file.close()
        self._remove()

    def _remove(self) -> None:
        if self._unpacked is not None:
            self._unpacked.unlink(missing_ok=True)

    def _runs(self) -> Iterator[Run | Flaw]:
        for batch in self._batches():
            columns = [read(column) for read, column in zip(self._readers, batch.columns, strict=True)]
            records: list[tuple[Any, ...]] = []
            for values in zip(*columns, strict=True):
                if _NOT_TEXT in values or _NOT_FINITE in values:
                    yield Run([None] * len(records), records)
                    yield _flaw(dict(zip(self._columns, values, strict=True)))
                    records = []
                else:
                    records.append(values)
            yield Run([None] * len(records), records)
            self._given += batch.num_rows

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for group in range(self._file.num_row_groups):
            try:
                yield from self._file.iter_batches(_BATCH_ROWS, row_groups=[group])
            except (pa.ArrowException, OSError) as exc:
                raise UnreadableFile(
                    f"Row group {group + 1} of {self._file.num_row_groups} is damaged.", row=self._given + 1
                ) from exc


def _flaw(record: dict[str, Any]) -> Flaw:
    name = next(name for name, value in record.items() if value is _NOT_TEXT or value is _NOT_FINITE)
    raw = repr({key: value for key, value in record.items() if value is not _NOT_TEXT and value is not _NOT_FINITE})
    if record[name] is _NOT_TEXT:
        return Flaw(None, "INVALID_ENCODING", f"the value of {name!r} is no UTF-8", raw)
    return Flaw(None, "NOT_FINITE", f"the value of {name!r} is no finite number", raw)


def _unpack(source: ByteSource) -> Path:
    """A Parquet file is read from its end, so a gzipped one is unpacked beside the system's other scratch files."""
    with tempfile.NamedTemporaryFile(prefix="foundryops-", suffix=".parquet", delete=False) as out:
        try:
            with storage_errors():
                while content := source.read(_COPY_BYTES):
                    out.write(content)
        except BaseException:
            Path(out.name).unlink(missing_ok=True)
            source.close()
            raise
    return Path(out.name)


def _columns_of(schema: pa.Schema, most: int) -> tuple[tuple[str, ...], list[Callable[[pa.Array], list[Any]]]]:
    if len(schema) > most:
        raise UnreadableFile(f"The file has {len(schema)} columns; at most {most} are read.")
    if not len(schema):
        raise UnreadableFile("The file has no columns.")
    readers = [_reader(field.type) for field in schema]
    wrong = [field for field, read in zip(schema, readers, strict=True) if read is None]
    if wrong:
        listed = ", ".join(f"{field.name} ({field.type})" for field in wrong[:10])
        raise UnreadableFile(f"These columns hold no scalars: {listed}.", columns=[field.name for field in wrong])
    names = [name.strip() or f"column_{at}" for at, name in enumerate(schema.names, start=1)]
    return unique_names(names), [read for read in readers if read is not None]


def _reader(kind: pa.DataType) -> Callable[[pa.Array], list[Any]] | None:
    """How a column of a type becomes scalars; None when it cannot."""
    types = pa.types
    if types.is_dictionary(kind):
        inner = _reader(kind.value_type)
        return None if inner is None else lambda column: inner(column.dictionary_decode())
    if types.is_integer(kind) or types.is_boolean(kind) or types.is_null(kind) or _is_text(kind):
        return _plain
    if types.is_floating(kind):
        return _floats
    if types.is_timestamp(kind):
        return _timestamps
    if types.is_date(kind) or types.is_decimal(kind) or types.is_time(kind):
        return _texts
    return _bytes if types.is_binary(kind) or types.is_large_binary(kind) else None


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "bool"
    if pa.types.is_integer(kind) and kind != pa.uint64():
        return "int"
    return "float" if pa.types.is_floating(kind) else "string"


def _plain(column: pa.Array) -> list[Any]:
    try:
        values: list[Any] = column.to_pylist()
    except UnicodeDecodeError:
        return _bytes(column.cast(pa.large_binary()))
    return values


def _floats(column: pa.Array) -> list[Any]:
    """Not-a-number is what data frames write for a missing number; infinity is nobody's value."""
    return [_finite(value) for value in column.cast(pa.float64()).to_pylist()]


def _finite(value: float | None) -> Any:
    if value is None or math.isfinite(value):
        return value
    return None if math.isnan(value) else _NOT_FINITE


def _timestamps(column: pa.Array) -> list[Any]:
    """UTC, to the microsecond; a time without a zone is taken as UTC."""
    micros = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)
    texts = micros.cast(pa.timestamp("us")).cast(pa.string()).to_pylist()
    return [None if text is None else f"{text.replace(' ', 'T')}Z" for text in texts]


def _texts(column: pa.Array) -> list[Any]:
    values: list[Any] = column.cast(pa.string()).to_pylist()
    return values


def _bytes(column: pa.Array) -> list[Any]:
    return [_decoded(value) for value in column.to_pylist()]


def _decoded(value: bytes | None) -> Any:
    try:
        return None if value is None else value.decode("utf-8")
    except UnicodeDecodeError:
        return _NOT_TEXT
