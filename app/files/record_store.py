"""Row-oriented store of byte strings by ordinal: what reranking and answers read, a few microseconds a record.

`<name>.bin` holds the blobs one after another, `<name>.idx` the n + 1 little-endian uint64 offsets. Both are read with
`pread`, never mapped: a mapped file would count as resident memory of every process that ever touched it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from struct import Struct

import numpy as np
import numpy.typing as npt
import xxhash

_SPAN = Struct("<QQ")
_OFFSET_BYTES = 8
_COPY_BYTES = 8 * 1024 * 1024
_SCAN_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Block:
    """A run of consecutive ordinals within one segment file."""

    first_ordinal: int
    rows: int
    rows_before: int
    offset: int
    size_bytes: int


class SegmentWriter:
    """Appends blocks in any order of ordinals; one writer per build process and store."""

    def __init__(self, base: Path) -> None:
        self._bin = base.with_suffix(".bin").open("wb")
        self._lengths = base.with_suffix(".len").open("wb")
        self._rows = 0
        self._offset = 0

    def append(self, first_ordinal: int, blobs: Sequence[bytes]) -> Block:
        lengths = np.fromiter(map(len, blobs), np.uint32, len(blobs))
        self._bin.write(b"".join(blobs))
        self._lengths.write(lengths.astype("<u4").tobytes())
        block = Block(first_ordinal, len(blobs), self._rows, self._offset, int(lengths.sum(dtype=np.int64)))
        self._rows += block.rows
        self._offset += block.size_bytes
        return block

    def close(self) -> None:
        self._bin.close()
        self._lengths.close()


def join_segments(segments: Sequence[tuple[Path, Sequence[Block]]], target: Path) -> int:
    """Writes `target`.bin and .idx from the segments' blocks in order of ordinal; the number of rows.

    The blocks must cover the ordinals from 0 without a gap or overlap; raises ValueError otherwise.
    """
    ordered = sorted(
        ((block, base) for base, blocks in segments for block in blocks), key=lambda pair: pair[0].first_ordinal
    )
    rows = 0
    with target.with_suffix(".bin").open("wb") as blobs, target.with_suffix(".idx").open("wb") as index:
        index.write(bytes(_OFFSET_BYTES))
        end = np.uint64(0)
        for block, base in ordered:
            if block.first_ordinal != rows:
                raise ValueError(f"ordinal {rows} expected, the next block starts at {block.first_ordinal}")
            for piece in _pieces(base.with_suffix(".bin"), block):
                blobs.write(piece)
            lengths = np.fromfile(base.with_suffix(".len"), "<u4", block.rows, offset=block.rows_before * 4)
            ends = np.cumsum(lengths, dtype=np.uint64) + end
            index.write(ends.astype("<u8").tobytes())
            end = ends[-1]
            rows += block.rows
    return rows


def _pieces(path: Path, block: Block) -> Iterator[bytes]:
    with path.open("rb") as source:
        source.seek(block.offset)
        left = block.size_bytes
        while left:
            piece = source.read(min(left, _COPY_BYTES))
            if not piece:
                raise ValueError(f"{path.name} ends {left} bytes early")
            left -= len(piece)
            yield piece


class RecordStore:
    """Reads blobs by ordinal; safe to share between threads."""

    def __init__(self, base: Path) -> None:
        index = base.with_suffix(".idx")
        self._rows = index.stat().st_size // _OFFSET_BYTES - 1
        self._bin = os.open(base.with_suffix(".bin"), os.O_RDONLY | os.O_CLOEXEC)
        self._idx = os.open(index, os.O_RDONLY | os.O_CLOEXEC)

    def __len__(self) -> int:
        return self._rows

    def read(self, ordinal: int) -> bytes:
        """The blob of one ordinal; raises IndexError when there is none."""
        return self.read_many([ordinal])[0]

    def read_many(self, ordinals: Sequence[int]) -> list[bytes]:
        """The blobs in the order asked for; raises IndexError when one of them is none."""
        pread, span_of, rows, index, blobs = os.pread, _SPAN.unpack, self._rows, self._idx, self._bin
        found = []
        for ordinal in ordinals:
            if not 0 <= ordinal < rows:
                raise IndexError(ordinal)
            start, end = span_of(pread(index, 2 * _OFFSET_BYTES, ordinal * _OFFSET_BYTES))
            found.append(pread(blobs, end - start, start))
        return found

    def digests(self) -> npt.NDArray[np.uint64]:
        """A 64-bit hash of each blob, by ordinal, read from end to end."""
        found = np.empty(self._rows, np.uint64)
        digest = xxhash.xxh3_64_intdigest
        for first in range(0, self._rows, _SCAN_ROWS):
            rows = min(_SCAN_ROWS, self._rows - first)
            spans = os.pread(self._idx, (rows + 1) * _OFFSET_BYTES, first * _OFFSET_BYTES)
            ends = np.frombuffer(spans, "<u8")
            start = int(ends[0])
            blobs = memoryview(os.pread(self._bin, int(ends[-1]) - start, start))
            at = (ends - ends[0]).tolist()
            found[first : first + rows] = [digest(blobs[a:b]) for a, b in pairwise(at)]
        return found

    def close(self) -> None:
        """Gives the two file descriptors back; closing twice does nothing."""
        for descriptor in (self._bin, self._idx):
            if descriptor >= 0:
                os.close(descriptor)
        self._bin = self._idx = -1
