"""Row-oriented store of byte strings by ordinal: what reranking and answers read, a few microseconds a record.

`<name>.bin` holds the blobs one after another, `<name>.idx` the n + 1 little-endian uint64 offsets. Blobs are read with
`pread`, never mapped: they would count as resident memory of every process that ever touched them. The offsets are mapped.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash

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
        self._offsets = np.asarray(np.memmap(base.with_suffix(".idx"), "<u8", "r"))
        self._bin = os.open(base.with_suffix(".bin"), os.O_RDONLY | os.O_CLOEXEC)
        self._give_back = weakref.finalize(self, os.close, self._bin)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def read(self, ordinal: int) -> bytes:
        """The blob of one ordinal; raises IndexError when there is none."""
        return self.read_many([ordinal])[0]

    def read_many(self, ordinals: Sequence[int]) -> list[bytes]:
        """The blobs in the order asked for; raises IndexError when one of them is none."""
        if not ordinals:
            return []
        if not 0 <= min(ordinals) <= max(ordinals) < len(self):
            raise IndexError(f"ordinals {min(ordinals)} to {max(ordinals)} of {len(self)} rows")
        pread, blobs = os.pread, self._bin
        starts = np.fromiter(ordinals, np.intp, len(ordinals))
        spans = zip(self._offsets[starts].tolist(), self._offsets[starts + 1].tolist(), strict=True)
        return [pread(blobs, end - start, start) for start, end in spans]

    def digests(self) -> npt.NDArray[np.uint64]:
        """A 64-bit hash of each blob, by ordinal, read from end to end."""
        rows = len(self)
        found = np.empty(rows, np.uint64)
        digest = xxhash.xxh3_64_intdigest
        for first in range(0, rows, _SCAN_ROWS):
            ends = self._offsets[first : first + _SCAN_ROWS + 1]
            start = int(ends[0])
            blobs = memoryview(os.pread(self._bin, int(ends[-1]) - start, start))
            at = (ends - ends[0]).tolist()
            found[first : first + len(at) - 1] = [digest(blobs[a:b]) for a, b in pairwise(at)]
        return found

    def close(self) -> None:
        """Reads no more; without it, files are given back when nobody holds the store any more."""
        self._give_back()
        self._bin = -1
