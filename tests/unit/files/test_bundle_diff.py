"""Which records two bundles differ in: by id and comparable form, wherever they stand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.files.bundle import META, Bundle, BundleMeta, hash_ids, write_frequencies, write_ids
from app.files.bundle_diff import difference
from app.files.record_store import RecordStore, SegmentWriter, join_segments
from app.matching.frequencies import TermFrequencies


def stored(blobs: list[bytes], base: Path) -> None:
    writer = SegmentWriter(base.with_name(f"{base.name}-segment"))
    block = writer.append(0, blobs)
    writer.close()
    join_segments([(base.with_name(f"{base.name}-segment"), [block])], base)


def bundle(records: Mapping[str, str], folder: Path) -> Bundle:
    """Of ids with their forms, in this order."""
    folder.mkdir()
    stored([form.encode() for form in records.values()], folder / "forms")
    stored([record_id.encode() for record_id in records], folder / "records")
    write_ids(hash_ids(list(records)), folder)
    write_frequencies(TermFrequencies(len(records), np.empty(0, np.uint64), np.empty(0, np.uint32)), folder)
    (folder / META).write_bytes(BundleMeta("i", "dss", len(records), "t", "n", []).to_bytes())
    return Bundle.open(folder)


def test_added_changed_and_removed_records_are_told_apart_from_moved_ones(tmp_path: Path) -> None:
    before = bundle({"a": "1", "b": "2", "c": "3", "d": "4"}, tmp_path / "before")
    after = bundle({"d": "4", "a": "1", "b": "changed", "e": "5", "f": "6"}, tmp_path / "after")
    found = difference(before, after)
    assert (found.touched, found.added_or_changed, found.removed) == ([range(2, 5)], 3, 1)


def test_equal_snapshots_do_not_differ(tmp_path: Path) -> None:
    one, other = (bundle({"a": "1", "b": "2"}, tmp_path / name) for name in ("one", "other"))
    found = difference(one, other)
    assert (found.touched, found.added_or_changed, found.removed) == ([], 0, 0)


RECORDS = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("12"), min_size=1)


@given(RECORDS, RECORDS)
def test_the_difference_is_that_of_the_two_mappings(
    tmp_path_factory: object, earlier: dict[str, str], later: dict[str, str]
) -> None:
    folder = Path(tmp_path_factory.mktemp("diff"))  # type: ignore[attr-defined]
    found = difference(bundle(earlier, folder / "before"), bundle(later, folder / "after"))
    touched = [at for at, (name, form) in enumerate(later.items()) if earlier.get(name) != form]
    assert [ordinal for run in found.touched for ordinal in run] == touched
    assert all(one.stop < other.start for one, other in zip(found.touched, found.touched[1:], strict=False))
    assert found.removed == len(earlier.keys() - later.keys())


def test_a_store_digests_each_blob(tmp_path: Path) -> None:
    stored([b"one", b"", b"two", b"one"], tmp_path / "forms")
    first, empty, second, again = RecordStore(tmp_path / "forms").digests().tolist()
    assert first == again
    assert len({first, empty, second}) == 3
