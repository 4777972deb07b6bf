"""The bundled sample: real organisations, and leads whose right answers are known."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import Any

import pyarrow.parquet as pq

ACCOUNT_SCHEMA = dict.fromkeys(
    ("account_id", "name", "domain", "city", "state", "postcode", "country", "industry"), "string"
)
LEAD_FIELDS = ("company", "contact_first", "contact_last", "email", "city", "country")


def organisations() -> list[dict[str, Any]]:
    """26,381 records with the fields of ACCOUNT_SCHEMA; see ATTRIBUTION.md."""
    return _read("organisations.parquet")


def leads() -> list[dict[str, Any]]:
    """2,000 leads: `lead_id`, LEAD_FIELDS and `answers`, the account ids that are right (none for one lead in six)."""
    return _read("leads.parquet")


def _read(name: str) -> list[dict[str, Any]]:
    with as_file(files("app.sample") / name) as path:
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return rows
