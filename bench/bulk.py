"""Measures match_all in this process: records a second, how many the first retrieval settles, and what that changes.

Run on a stack that is up: `python -m bench.bulk` on the bundled sample, or `--folder DIR` with master.csv and queries.csv.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt

from app.bootstrap import Services
from app.errors import FoundryOpsError
from app.profiles import find_profile
from app.sample import LEAD_FIELDS, leads, organisations
from app.services.match import MatchOptions
from app.services.match_targets import MatchTarget
from bench.deployment import loaded
from bench.run import HIDDEN, read_folder

RESULTS = Path(__file__).parent / "results"
WARM_UP = 300
CHUNK = 250
Record = dict[str, Any]
Seconds = npt.NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--keep", type=Path, help="folder to keep the loaded master in")
    parser.add_argument("--records", type=int, default=2_000)
    parser.add_argument("--profile", default="leads_to_accounts")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    if chosen.folder:
        master, queries, _ = read_folder(chosen.folder)
        records = [{k: v for k, v in query.items() if v and k not in HIDDEN} for query in queries]
    else:
        master = organisations()
        records = [{name: lead[name] for name in LEAD_FIELDS if lead[name]} for lead in leads()]
    figures = {"records": len(master)} | asyncio.run(
        _measure(master, records[: chosen.records], MatchOptions(profile=chosen.profile), chosen.keep)
    )
    out = chosen.out or RESULTS / f"bulk-{len(master)}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    print(json.dumps(figures, indent=2))


async def _measure(
    master: Sequence[Record], records: Sequence[Record], options: MatchOptions, keep: Path | None
) -> dict[str, Any]:
    async with loaded(master, next(iter(master[0])), keep) as (services, target):
        await services.match.match_all(target, records[:WARM_UP], options)
        taken: dict[str, Seconds] = {"first": np.zeros(2), "full": np.zeros(2)}
        answers: dict[str, list[Record | FoundryOpsError]] = {"first": [], "full": []}
        full = replace(find_profile(options.profile), first=None)
        for at in range(0, len(records), CHUNK):  # in turns, so that both meet the machine as it is
            chunk = records[at : at + CHUNK]
            taken["first"] += await _timed(services, target, chunk, options, answers["first"])
            with mock.patch("app.services.match_records.find_profile", return_value=full):
                taken["full"] += await _timed(services, target, chunk, options, answers["full"])
    pairs = [
        (one, other)
        for one, other in zip(answers["first"], answers["full"], strict=True)
        if isinstance(one, dict) and isinstance(other, dict)
    ]
    return {
        "matched": len(records),
        "records_per_s": {name: round(len(records) / spent[0], 1) for name, spent in taken.items()},
        "own_cpu_ms_per_record": {name: round(spent[1] / len(records) * 1000, 2) for name, spent in taken.items()},
        **_compared(pairs),
    }


async def _timed(
    services: Services,
    target: MatchTarget,
    records: Sequence[Record],
    options: MatchOptions,
    answers: list[Record | FoundryOpsError],
) -> Seconds:
    """Wall and CPU time of this process."""
    started = np.array([time.perf_counter(), time.process_time()])
    answers += await services.match.match_all(target, records, options)
    spent: Seconds = np.array([time.perf_counter(), time.process_time()]) - started
    return spent


def _compared(pairs: Sequence[tuple[Record, Record]]) -> dict[str, Any]:
    """What the first retrieval changes against the full plan; scores of records that are linked in both."""
    best = [(one["matches"][0], other["matches"][0]) for one, other in pairs if one["matches"] and other["matches"]]
    changes = np.array([abs(one["score"] - other["score"]) for one, other in best])
    settled = sum(one["candidates_considered"] != other["candidates_considered"] for one, other in pairs)
    return {
        "settled_share_at_least": round(settled / len(pairs), 3),
        "decisions_changed": sum(one["decision"] != other["decision"] for one, other in pairs),
        "best_changed": sum(one["record_id"] != other["record_id"] for one, other in best),
        "score_change_mean": round(float(changes.mean()), 6),
        "score_change_p99": round(float(np.quantile(changes, 0.99)), 6),
        "score_change_max": round(float(changes.max()), 6),
    }


if __name__ == "__main__":
    main()
