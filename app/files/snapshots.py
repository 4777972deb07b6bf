"""Snapshots on disk: Parquet parts and a manifest that names them; a snapshot shares its parents' parts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

SEQ = "_seq"
DELETED = "_deleted"
_GROUP_ROWS = 100_000
ARROW_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True, slots=True)
class Part:
    key: str
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot is made of; `parts` is the whole chain, oldest first; `rows` are its current records."""

    snapshot_id: str
    dataset_id: str
    organisation_id: str
    parent_id: str | None
    fields: dict[str, str]
    primary_key: str | None
    parts: tuple[Part, ...]
    rows: int

    def to_bytes(self) -> bytes:
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2)

    @classmethod
    def from_bytes(cls, content: bytes) -> Manifest:
        data: dict[str, Any] = orjson.loads(content)
        return cls(**{**data, "parts": tuple(Part(**part) for part in data["parts"])})


def snapshot_folder(organisation_id: str, dataset_id: str, snapshot_id: str) -> str:
    return f"snapshots/{organisation_id}/{dataset_id}/{snapshot_id}"


def arrow_schema(fields: dict[str, str]) -> pa.Schema:
    """The columns of a part: the dataset's fields, then the running number and the deletion mark."""
    columns = [pa.field(name, ARROW_TYPES[kind]) for name, kind in fields.items()]
    return pa.schema([*columns, pa.field(SEQ, pa.int64(), False), pa.field(DELETED, pa.bool_(), False)])


class PartWriter:
    """Writes a part batch by batch: one row group is packed by a thread of its own while the next is gathered."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0
        self._packer = ThreadPoolExecutor(1, "part-writer")
        self._packing: Future[None] | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        self._batches.append(batch)
        self._rows += batch.num_rows
        if self._rows >= _GROUP_ROWS:
            self._flush()

    def close(self) -> str:
        """The part is whole now; its sha256."""
        try:
            if self._batches:
                self._flush()
            self._wait()
        finally:
            self._packer.shutdown()
        self._writer.close()
        with self._path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _flush(self) -> None:
        self._wait()
        table = pa.Table.from_batches(self._batches)
        self._packing = self._packer.submit(self._writer.write_table, table, row_group_size=_GROUP_ROWS)
        self._batches, self._rows = [], 0

    def _wait(self) -> None:
        """Raises what the packing of the last row group raised."""
        if self._packing is not None:
            packing, self._packing = self._packing, None
            packing.result()


def write_part(table: pa.Table, path: Path) -> str:
    """Writes a part and returns its sha256."""
    pq.write_table(table, path, compression="zstd", row_group_size=_GROUP_ROWS)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class SnapshotRows:
    """The current records of a snapshot, oldest first, with `_seq`; memory is bounded by a batch and the keys of all rows."""

    def __init__(self, root: Path, manifest: Manifest) -> None:
        self._root = root
        self._manifest = manifest

    @cached_property
    def _current(self) -> npt.NDArray[np.int64] | None:
        return None if self._manifest.primary_key is None else current_seqs(self._root, self._manifest)

    def batches(self, batch_rows: int) -> Iterator[pa.RecordBatch]:
        columns = [*self._manifest.fields, SEQ]
        current = self._current
        for part in self._manifest.parts:
            file = pq.ParquetFile(self._root / part.key, memory_map=False, pre_buffer=False)
            for batch in file.iter_batches(batch_rows, columns=columns):
                kept = batch if current is None else batch.filter(_is_current(batch, current))
                if kept.num_rows:
                    yield kept


def current_seqs(root: Path, manifest: Manifest) -> npt.NDArray[np.int64]:
    """Sorted running numbers of the rows that hold: the last of each primary key, unless it deletes."""
    key = str(manifest.primary_key)
    tables = [pq.read_table(root / part.key, columns=[key, SEQ, DELETED]) for part in manifest.parts]
    if not tables:
        return np.empty(0, np.int64)
    rows = pa.concat_tables(tables)
    last = rows.select([key, SEQ]).group_by(key).aggregate([(SEQ, "max")])[f"{SEQ}_max"]
    deleted = rows.filter(rows[DELETED])[SEQ]
    alive = pc.filter(last, pc.invert(pc.is_in(last, value_set=deleted.combine_chunks())))
    return np.sort(alive.to_numpy())


def key_hashes(keys: Sequence[Any], deleted: Sequence[bool]) -> npt.NDArray[np.uint64]:
    """One number a row: 63 bits of its primary key's hash, and the deletion mark as the lowest bit."""
    digest = xxhash.xxh3_64_intdigest
    hashes = np.fromiter((digest(str(key).encode("utf-8", "surrogatepass")) for key in keys), np.uint64, len(keys))
    return (hashes & ~np.uint64(1)) | np.asarray(deleted, np.uint64)


def count_current(parts: Sequence[npt.NDArray[np.uint64]]) -> int:
    """How many records hold: distinct keys whose last row does not delete. 16 bytes of memory a row."""
    rows = np.concatenate(parts)[::-1] if parts else np.empty(0, np.uint64)
    _, last = np.unique(rows & ~np.uint64(1), return_index=True)
    return int(np.count_nonzero((rows[last] & np.uint64(1)) == 0))


def keys_file(part: Part) -> str:
    """The key of the file that holds a part's `key_hashes`."""
    return f"{part.key}.keys.npy"


def _is_current(batch: pa.RecordBatch, current: npt.NDArray[np.int64]) -> pa.Array:
    seqs = batch.column(batch.schema.get_field_index(SEQ)).to_numpy()
    if not len(current):
        return pa.array(np.zeros(len(seqs), bool))
    at = np.minimum(np.searchsorted(current, seqs), len(current) - 1)
    return pa.array(current[at] == seqs)
