"""The files beside an index: comparable forms, readable records, ids and term frequencies of one snapshot.

`indices/<physical index>/` in the file store; `meta.json` is written last, so a bundle that has one is whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import orjson
import xxhash

from app.files.record_store import RecordStore
from app.matching.frequencies import TermFrequencies
from app.matching.prepare import NORMALISER_VERSION
from app.matching.schema import MatchSchema

META = "meta.json"
FILES = (
    "forms.bin",
    "forms.idx",
    "records.bin",
    "records.idx",
    "ids.npy",
    "id_ordinals.npy",
    "terms.npy",
    "term_counts.npy",
    META,
)
_MAPPED_TERMS_BYTES = 64 * 1024 * 1024
"""Larger tables are mapped: a lookup touches a few pages of them, loading them would cost every process their size."""


@dataclass(frozen=True, slots=True)
class BundleMeta:
    """What a process must know before it reads a bundle."""

    index: str
    snapshot_id: str
    rows: int
    template_digest: str
    normaliser_version: str
    fields: list[dict[str, str]]

    @property
    def is_outdated(self) -> bool:
        """Whether its values were normalised otherwise than queries are now."""
        return self.normaliser_version != NORMALISER_VERSION

    def to_bytes(self) -> bytes:
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2)

    @classmethod
    def from_bytes(cls, content: bytes) -> BundleMeta:
        loaded: dict[str, Any] = orjson.loads(content)
        return cls(**loaded)


class Bundle:
    """An open bundle; cheap to keep, close it when its index is retired."""

    def __init__(self, meta: BundleMeta, folder: Path) -> None:
        self.meta = meta
        self.schema = MatchSchema.from_json(list(meta.fields))
        self.frequencies = read_frequencies(meta.rows, folder)
        self.forms = RecordStore(folder / "forms")
        self.records = RecordStore(folder / "records")
        self._id_hashes = np.load(folder / "ids.npy", mmap_mode="r")
        self._id_ordinals = np.load(folder / "id_ordinals.npy", mmap_mode="r")

    @classmethod
    def open(cls, folder: Path) -> Bundle:
        """Opens the bundle in a folder; raises FileNotFoundError when it is not whole."""
        return cls(BundleMeta.from_bytes((folder / META).read_bytes()), folder)

    def ordinal_of(self, record_id: str) -> int | None:
        """The ordinal of a record id; None when the snapshot has no such record."""
        wanted = np.uint64(xxhash.xxh3_64_intdigest(record_id.encode()))
        first = int(np.searchsorted(self._id_hashes, wanted, "left"))
        last = int(np.searchsorted(self._id_hashes, wanted, "right"))
        for ordinal in self._id_ordinals[first:last].tolist():
            if orjson.loads(self.records.read(ordinal))["record_id"] == record_id:
                return int(ordinal)
        return None

    def ids(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint32]]:
        """The hashes of all record ids, sorted, and the ordinal of each."""
        return self._id_hashes, self._id_ordinals

    def close(self) -> None:
        self.forms.close()
        self.records.close()


def hash_ids(record_ids: Sequence[str]) -> npt.NDArray[np.uint64]:
    digest = xxhash.xxh3_64_intdigest
    return np.fromiter((digest(one.encode()) for one in record_ids), np.uint64, len(record_ids))


def write_ids(hashes: npt.NDArray[np.uint64], folder: Path) -> None:
    """`hashes[i]` is the hash of the id of ordinal i."""
    order = np.argsort(hashes, kind="stable").astype(np.uint32)
    np.save(folder / "ids.npy", hashes[order])
    np.save(folder / "id_ordinals.npy", order)


def write_frequencies(frequencies: TermFrequencies, folder: Path) -> None:
    np.save(folder / "terms.npy", frequencies.hashes)
    np.save(folder / "term_counts.npy", frequencies.counts)


def read_frequencies(rows: int, folder: Path) -> TermFrequencies:
    terms = folder / "terms.npy"
    mode: Literal["r"] | None = "r" if terms.stat().st_size > _MAPPED_TERMS_BYTES else None
    return TermFrequencies(rows, np.load(terms, mmap_mode=mode), np.load(folder / "term_counts.npy", mmap_mode=mode))
