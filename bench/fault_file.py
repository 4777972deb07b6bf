"""The file that the fault runs match, and the proof that each of its rows came out exactly once."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle, islice, pairwise
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as parquet

ROW = "row"
"""The column that numbers the rows of the file, from 1."""
FORMATS = ("csv", "ndjson", "parquet")
_REJECTED_EVERY = 97
"""So often a row has a cell too many, which no reader takes."""


def write_numbered(path: Path, leads: Sequence[Mapping[str, Any]], rows: int) -> None:
    """A CSV of `rows` leads with their numbers; some of its rows cannot be read."""
    columns = [name for name in leads[0] if name != "id"]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([ROW, *columns])
        for number, lead in enumerate(islice(cycle(leads), rows), start=1):
            surplus = ["surplus"] if number % _REJECTED_EVERY == 0 else []
            writer.writerow([number, *(lead[name] for name in columns), *surplus])


def rows_amiss(output_format: str, results: bytes, rejects: bytes, rows: int) -> list[str]:
    """What is wrong with the rows of a job's artefacts, in words; nothing when each is there once and in order."""
    ranks = [(int(found[ROW]), str(found["match_rank"] or "")) for found in _read(output_format, results)]
    matched = [number for number, _ in ranks]
    rejected = [int(orjson.loads(line)[ROW]) for line in gzip.decompress(rejects).splitlines()]
    found = Counter(rejected) + Counter(set(matched))
    twice = sorted(number for number, count in found.items() if count > 1)
    amiss = {
        "missing": sorted(set(range(1, rows + 1)) - set(found)),
        "unknown": sorted(set(found) - set(range(1, rows + 1))),
        "twice": twice or sorted(number for (number, _), count in Counter(ranks).items() if count > 1),
        "out of order": [after for before, after in pairwise(matched) if after < before],
    }
    return [f"{len(numbers)} {what}, first {numbers[0]}" for what, numbers in amiss.items() if numbers]


def _read(output_format: str, content: bytes) -> Iterator[Mapping[str, Any]]:
    if output_format == "csv":
        yield from csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""))
    elif output_format == "ndjson":
        yield from (orjson.loads(line) for line in content.splitlines())
    else:
        yield from parquet.read_table(io.BytesIO(content), columns=[ROW, "match_rank"]).to_pylist()
