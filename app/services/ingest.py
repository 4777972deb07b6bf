"""Coerces a list of records into a Parquet part, a data-quality summary and rejects."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from app.files.snapshots import DELETED, SEQ
from app.services.coercion import coerce_row


@dataclass(slots=True)
class Ingested:
    """What became of the records of one append."""

    rows: list[dict[str, Any]]
    rejects: list[dict[str, Any]]
    coercions: dict[str, int]
    null_pct: dict[str, float]

    @property
    def accepted(self) -> int:
        return len(self.rows)

    def keys(self, primary_key: str) -> tuple[list[Any], list[bool]]:
        """Primary keys and deletion marks of the accepted rows."""
        return [row[primary_key] for row in self.rows], [row[DELETED] for row in self.rows]

    def table(self, schema: pa.Schema, first: int) -> pa.Table:
        """The accepted rows, numbered from `first`."""
        numbers = np.arange(first, first + self.accepted)
        columns = [
            pa.array(numbers) if field.name == SEQ else pa.array([row[field.name] for row in self.rows], field.type)
            for field in schema
        ]
        return pa.Table.from_arrays(columns, schema=schema)


def ingest(records: Sequence[Mapping[str, Any]], fields: Mapping[str, str], primary_key: str | None) -> Ingested:
    """Coerces every record; a rejected one keeps its place (`row`, from 1) and all of its reasons."""
    rows: list[dict[str, Any]] = []
    rejects: list[dict[str, Any]] = []
    coercions: Counter[str] = Counter()
    for number, record in enumerate(records, start=1):
        row, changed, found = coerce_row(record, fields, primary_key)
        if row is None:
            rejects.append({"row": number, "line": None, "record": record, "errors": found.errors})
        else:
            rows.append(row)
            coercions.update(changed)
    kept = [row for row in rows if not row[DELETED]]
    null_pct = {
        name: round(100.0 * sum(row[name] in (None, "") for row in kept) / len(kept), 2) if kept else 0.0
        for name in fields
    }
    return Ingested(rows, rejects, dict(sorted(coercions.items())), null_pct)


def write_rejects(rejects: Sequence[Mapping[str, Any]]) -> bytes:
    """The rejects artefact: one JSON object a line, compressed; the same rejects give the same bytes."""
    lines = b"".join(orjson.dumps(reject) + b"\n" for reject in rejects)
    return gzip.compress(lines, mtime=0)
