"""The bytes of a file, unpacked when it is gzipped, never more than a limit; and what kind of file they are."""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from app.errors import UnreadableFile
from app.files.blocks import FileFormat

_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"
_HEAD_BYTES = 64 * 1024
_FOREIGN = (
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook; save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook; save the sheet as CSV"),
    (b"%PDF", "a PDF document"),
    (b"\x28\xb5\x2f\xfd", "packed with Zstandard; send it as it is or gzipped"),
    (_GZIP, "packed twice with gzip"),
    (b"BZh", "packed with bzip2; send it as it is or gzipped"),
    (b"\xfd7zXZ", "packed with xz; send it as it is or gzipped"),
    (b"Obj\x01", "an Avro file; send CSV, NDJSON or Parquet"),
    (b"ORC", "an ORC file; send CSV, NDJSON or Parquet"),
    (b"ARROW1", "an Arrow file; send CSV, NDJSON or Parquet"),
    (b"SQLite format 3", "an SQLite database; send CSV, NDJSON or Parquet"),
    (b"\x89PNG", "a picture"),
)
_MARKUP = re.compile(rb"\s*<(!doctype|html|\?xml)", re.IGNORECASE)
_JSON_ARRAY = re.compile(rb"\s*\[\s*([{\]]|$)")


class ByteSource:
    """Reads forward through a file; raises UnreadableFile where its gzip data breaks or unpacks to too much."""

    def __init__(self, path: Path, unpacked_limit_bytes: int) -> None:
        self._raw: BinaryIO = path.open("rb")
        self._size = path.stat().st_size
        self._limit = unpacked_limit_bytes
        self.is_packed = self._raw.read(2) == _GZIP
        self._raw.seek(0)
        self._file = cast(BinaryIO, gzip.GzipFile(fileobj=self._raw)) if self.is_packed else self._raw
        self._read_bytes = 0
        self.head = b""
        self._head_given = False
        try:
            self.head = self.read(_HEAD_BYTES)
        except BaseException:
            self.close()
            raise

    def read(self, size: int) -> bytes:
        """At most `size` bytes more, the head's first; b"" at the end."""
        if self.head and not self._head_given:
            self._head_given = True
            return self.head
        try:
            content = self._file.read(size)
        except EOFError as exc:
            raise self._broken("The gzip data ends too early: the file is cut off.") from exc
        except (OSError, zlib.error) as exc:
            if not self.is_packed:
                raise
            raise self._broken("The gzip data is damaged.") from exc
        self._read_bytes += len(content)
        if self.is_packed and self._read_bytes > self._limit:
            raise self._broken(f"The gzip data unpacks to more than {self._limit} bytes.")
        return content

    @property
    def position(self) -> float:
        """The share of the file, as it is stored, that has been read."""
        return min(self._raw.tell() / self._size, 1.0) if self._size else 1.0

    def close(self) -> None:
        self._file.close()
        self._raw.close()

    def _broken(self, message: str) -> UnreadableFile:
        return UnreadableFile(message, byte=self._read_bytes)


def refuse_foreign(head: bytes) -> None:
    """Raises UnreadableFile for an empty file and for kinds that are never read, saying what it is."""
    if not head.strip():
        raise UnreadableFile("The file is empty.", byte=0)
    for magic, what in _FOREIGN:
        if head.startswith(magic):
            raise UnreadableFile(f"The file is {what}.", byte=0)
    if _MARKUP.match(head):
        raise UnreadableFile("The file is HTML or XML; send CSV, NDJSON or Parquet.", byte=0)


def format_of(head: bytes) -> FileFormat:
    """The format that the first bytes show; raises UnreadableFile for a JSON array."""
    if head.startswith(_PARQUET):
        return FileFormat.PARQUET
    text = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe")
    if _JSON_ARRAY.match(text):
        raise UnreadableFile("The file is a JSON array; send NDJSON, one object a line.", byte=0)
    lines = [line.lstrip() for line in text.splitlines()[:20] if line.strip()]
    objects = sum(line.startswith(b"{") for line in lines)
    return FileFormat.NDJSON if 2 * objects >= max(len(lines), 1) else FileFormat.CSV
