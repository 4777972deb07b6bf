"""Counts terms in bounded memory: sorted tables of hashes, written out when they grow, merged a slice at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from app.matching.frequencies import Counts, Hashes, TermFrequencies, count_hashes, merge_counts

_BUFFER_HASHES = 2_000_000
"""16 MB of hashes before they are sorted and counted."""
_TABLE_ENTRIES = 3_000_000
"""36 MB of counted terms, and three times that while merging, before a table goes to disk."""
_MERGE_SLICES = 64
_SLICE_BITS = np.uint64(64 - 6)
"""Slices split the range of hashes evenly: 2**6 of them."""


class TermCounter:
    """Counts the terms of a share of the records; `finish` gives the files of its tables."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._pending: list[Hashes] = []
        self._pending_hashes = 0
        self._table: tuple[Hashes, Counts] = merge_counts([])
        self._written: list[Path] = []

    def add(self, terms: Iterable[int]) -> None:
        """Adds the terms of some records, hashed; a term that stands in a record is given once for it."""
        hashes = np.fromiter(terms, np.uint64)
        self._pending.append(hashes)
        self._pending_hashes += len(hashes)
        if self._pending_hashes >= _BUFFER_HASHES:
            self._compact()

    def finish(self) -> list[Path]:
        self._compact()
        self._write()
        return self._written

    def _compact(self) -> None:
        if not self._pending:
            return
        counted = count_hashes(np.concatenate(self._pending))
        self._pending, self._pending_hashes = [], 0
        self._table = merge_counts([self._table, counted])
        if len(self._table[0]) >= _TABLE_ENTRIES:
            self._write()

    def _write(self) -> None:
        if not len(self._table[0]):
            return
        path = self._base.with_name(f"{self._base.name}-{len(self._written)}.npz")
        np.savez(path, hashes=self._table[0], counts=self._table[1])
        self._written.append(path)
        self._table = merge_counts([])


def merge_tables(rows: int, paths: Sequence[Path]) -> TermFrequencies:
    """The document frequencies of a snapshot of `rows` records, from the tables of all its counters."""
    tables = [_load(path) for path in paths]
    bounds = np.arange(1, _MERGE_SLICES, dtype=np.uint64) << _SLICE_BITS
    cuts = [np.r_[0, np.searchsorted(hashes, bounds), len(hashes)] for hashes, _ in tables]
    kept: list[TermFrequencies] = []
    for at in range(_MERGE_SLICES):
        part = [(h[c[at] : c[at + 1]], n[c[at] : c[at + 1]]) for (h, n), c in zip(tables, cuts, strict=True)]
        kept.append(TermFrequencies.from_counts(rows, *merge_counts(part)))
    return TermFrequencies(
        rows, np.concatenate([part.hashes for part in kept]), np.concatenate([part.counts for part in kept])
    )


def _load(path: Path) -> tuple[Hashes, Counts]:
    with np.load(path) as table:
        return table["hashes"], table["counts"]
