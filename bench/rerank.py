"""Measures what one match costs this process, stage by stage, without the engine's time: CPU µs a query.

Run on a stack that is up: `python -m bench.rerank`. The master and the leads are the bundled sample's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson

from app.matching.compare import compare
from app.matching.score import score
from app.ports import Retrieved
from app.sample import LEAD_FIELDS, leads, organisations
from app.services.match_answers import answer_of
from app.services.match_ranking import Pool, ranked_all, ranked_in_turn
from app.services.match_records import Asked, MatchCall, MatchOptions, read_record
from app.services.memory import settle_memory
from bench.deployment import loaded

RESULTS = Path(__file__).parent / "results" / "rerank.json"
PROFILE = "leads_to_accounts"
ROUNDS = 3
"""The fastest of several rounds counts: the others shared the machine."""
GROUP = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=1_000)
    parser.add_argument("--keep", type=Path, help="folder to keep the loaded sample in")
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    settle_memory()
    figures = asyncio.run(_measure(chosen.leads, chosen.keep))
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    print(json.dumps(figures, indent=2))


async def _measure(count: int, keep: Path | None) -> dict[str, Any]:
    records = [{name: lead[name] for name in LEAD_FIELDS if lead[name]} for lead in leads()[:count]]
    async with loaded(organisations(), "account_id", keep) as (services, target):
        call = MatchCall.of(target, MatchOptions(profile=PROFILE))
        asked = [read_record(record, call) for record in records]
        found: list[list[Retrieved]] = []
        for at in range(0, len(asked), GROUP):
            plans = [one.query.plan for one in asked[at : at + GROUP]]
            found += await services.match.index.retrieve_many(target.index, plans, call.profile.candidates)
        return _stages(call, records, asked, found)


def _stages(
    call: MatchCall, records: Sequence[dict[str, Any]], asked: Sequence[Asked], found: Sequence[list[Retrieved]]
) -> dict[str, Any]:
    bundle, slots = call.target.bundle, call.slots
    ordinals = [[one.ordinal for one in candidates] for candidates in found]
    forms = [bundle.forms.read_many(some) for some in ordinals]
    parsed = [[orjson.loads(form) for form in some] for some in forms]
    compared = [
        compare(slots, one.query.form, some, bundle.frequencies) for one, some in zip(asked, parsed, strict=True)
    ]
    pools = [Pool(one, candidates) for one, candidates in zip(asked, found, strict=True)]
    ranked = ranked_all(call, pools)
    at = range(len(asked))
    stages: dict[str, Callable[[int], object]] = {
        "read_record": lambda i: read_record(records[i], call),
        "read_forms": lambda i: bundle.forms.read_many(ordinals[i]),
        "parse_forms": lambda i: [orjson.loads(form) for form in forms[i]],
        "compare": lambda i: compare(slots, asked[i].query.form, parsed[i], bundle.frequencies),
        "score": lambda i: score(compared[i], call.profile.model, bundle.frequencies.rows),
        "rank": lambda i: ranked_all(call, pools[i : i + 1]),
        "rank_in_turn": lambda i: ranked_in_turn(call, pools[i : i + 1]),
        "answer": lambda i: answer_of(call, ranked[i]),
    }

    def groups(i: int) -> object:
        return ranked_all(call, pools[i : i + GROUP])

    return {
        "queries": len(asked),
        "candidates_mean": round(statistics.mean(map(len, found)), 1),
        "cpu_us": {name: round(min(_cpu_us(run, at) for _ in range(ROUNDS)), 1) for name, run in stages.items()}
        | {"rank_in_groups": round(min(_cpu_us(groups, at[::GROUP]) for _ in range(ROUNDS)) / GROUP, 1)},
        "about": "rank = read_forms + parse_forms + compare + score + ordering, of all candidates; rank_in_groups = rank, "
        "in groups of 50; rank_in_turn = what a match does: the ten best retrieved, then the others where those settle nothing",
    }


def _cpu_us(run: Callable[[int], object], at: Sequence[int]) -> float:
    """Mean CPU time of one call."""
    started = time.process_time()
    for i in at:
        run(i)
    return (time.process_time() - started) / max(len(at), 1) * 1e6


if __name__ == "__main__":
    main()
