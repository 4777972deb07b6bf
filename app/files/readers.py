"""Opens an input file for reading record by record, whatever its format, encoding and packing."""

from __future__ import annotations

from pathlib import Path

from app.files.blocks import BadRow, Block, FileFormat, ReaderLimits, RecordReader, Scalar
from app.files.csv_reader import CsvReader
from app.files.ndjson_reader import NdjsonReader
from app.files.parquet_reader import ParquetReader
from app.files.source import ByteSource, format_of, refuse_foreign

__all__ = ["BadRow", "Block", "FileFormat", "ReaderLimits", "RecordReader", "Scalar", "open_reader"]

_DEFAULT_LIMITS = ReaderLimits()


def open_reader(path: Path, format: FileFormat | None = None, limits: ReaderLimits = _DEFAULT_LIMITS) -> RecordReader:
    """A reader at the first row; the format is seen from the bytes when it is not given.

    Raises UnreadableFile, here for what the beginning shows and from `blocks` for what comes later.
    """
    source = ByteSource(path, limits.unpacked_bytes)
    try:
        refuse_foreign(source.head)
        chosen = format or format_of(source.head)
        if chosen is FileFormat.PARQUET:
            return ParquetReader(source, path, limits)
        return CsvReader(source, limits) if chosen is FileFormat.CSV else NdjsonReader(source, limits)
    except BaseException:
        source.close()
        raise
