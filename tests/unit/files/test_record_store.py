"""The row store gives back what was written, in any order asked for, whatever blocks it came in."""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from app.files.record_store import Block, RecordStore, SegmentWriter, join_segments


def stored(blobs: list[bytes], folder: Path, segments: int, block_rows: int) -> RecordStore:
    """Written in turns by several writers, a block each."""
    writers = [(folder / f"segment-{at}", SegmentWriter(folder / f"segment-{at}")) for at in range(segments)]
    blocks: list[list[Block]] = [[] for _ in writers]
    for turn, first in enumerate(range(0, len(blobs), block_rows)):
        at = turn % segments
        blocks[at].append(writers[at][1].append(first, blobs[first : first + block_rows]))
    for _, writer in writers:
        writer.close()
    join_segments([(base, found) for (base, _), found in zip(writers, blocks, strict=True)], folder / "rows")
    return RecordStore(folder / "rows")


@given(st.lists(st.binary(max_size=40), max_size=30), st.integers(1, 3), st.integers(1, 7), st.data())
def test_every_blob_is_read_as_it_was_written(
    blobs: list[bytes], segments: int, block_rows: int, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = stored(blobs, Path(folder), segments, block_rows)
        assert len(store) == len(blobs)
        asked = data.draw(st.lists(st.integers(0, len(blobs) - 1))) if blobs else []
        assert store.read_many(asked) == [blobs[ordinal] for ordinal in asked]
        assert store.digests().tolist() == [xxhash.xxh3_64_intdigest(blob) for blob in blobs]
        store.close()


@pytest.mark.parametrize("ordinals", [[-1], [2], [0, 2, 1]])
def test_an_ordinal_without_a_row_is_an_error(tmp_path: Path, ordinals: list[int]) -> None:
    store = stored([b"one", b"two"], tmp_path, 1, 2)
    with pytest.raises(IndexError):
        store.read_many(ordinals)
    store.close()


def test_a_store_may_be_closed_twice(tmp_path: Path) -> None:
    store = stored([b"one"], tmp_path, 1, 1)
    store.close()
    store.close()
    with pytest.raises(OSError, match="descriptor"):
        store.read(0)


def test_a_store_that_nobody_holds_gives_its_descriptors_back(tmp_path: Path) -> None:
    def held() -> list[Path]:
        targets = [descriptor.readlink() for descriptor in Path("/proc/self/fd").iterdir() if descriptor.is_symlink()]
        return [target for target in targets if target.is_relative_to(tmp_path)]

    store = stored([b"one"], tmp_path, 1, 1)
    assert held()
    del store
    gc.collect()
    assert not held()
