"""Builds the bundled sample from a folder with master.csv, queries.csv and gold.csv of accounts and leads.

usage: python scripts/build_sample.py FOLDER
"""

from __future__ import annotations

import csv
import random
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

TARGET = Path(__file__).parent.parent / "app" / "sample"
ACCOUNT_FIELDS = ("name", "domain", "city", "state", "postcode", "country", "industry")
LEAD_FIELDS = ("company", "contact_first", "contact_last", "email", "city", "country")
LEADS = 2_000
SEED = 20260101


def main(folder: Path) -> None:
    gold: dict[str, list[str]] = {}
    for row in _rows(folder / "gold.csv"):
        gold.setdefault(row["query_id"], []).append(row["master_id"])
    accounts = [
        {"account_id": row["id"], **{f: row[f] or None for f in ACCOUNT_FIELDS}} for row in _rows(folder / "master.csv")
    ]
    leads = list(_rows(folder / "queries.csv"))
    random.Random(SEED).shuffle(leads)  # noqa: S311 - a sample, not a secret
    chosen = [
        {"lead_id": row["id"], **{f: row[f] or None for f in LEAD_FIELDS}, "answers": gold.get(row["id"], [])}
        for row in leads[:LEADS]
    ]
    _write(accounts, "organisations.parquet")
    _write(chosen, "leads.parquet")


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _write(rows: list[dict[str, object]], name: str) -> None:
    pq.write_table(pa.Table.from_pylist(rows), TARGET / name, compression="zstd", compression_level=19)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
