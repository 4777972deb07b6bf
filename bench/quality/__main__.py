"""`python -m bench.quality --sets FOLDER [name …]`: loads sets into the running stack, matches their queries, prints figures."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from app.client import Client
from app.profiles import find_profile
from bench.quality.figures import Outcome, figures
from bench.quality.sets import LabelledSet, among_strangers, find_sets, profile_of, read_set, shown

RESULTS = Path(__file__).parent.parent / "results" / "quality.json"
COLUMNS = (
    "hit_at_1",
    "hit_at_10",
    "recall_at_50",
    "precision",
    "recall",
    "f1",
    "recall_at_precision_99",
    "no_match_unlinked",
    "ece",
    "brier",
)
_TOP = 50
_PAIRS = 1_000
_PAIR_GROUP = "schema"
"""Where a set says what its queries are, pairs are counted for each kind too."""


def main() -> None:
    parser = asking(__doc__)
    parser.add_argument("--strangers", type=Path, help="generated folder whose master is added to every set's")
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    found: dict[str, Any] = {}
    with Client.from_connection(Path("var/connection.json")) as client:
        for name, folder in find_sets(chosen.sets, chosen.names).items():
            profile = chosen.profile or profile_of(name)
            labelled = read_set(folder, name)
            if chosen.strangers:
                labelled = among_strangers(labelled, chosen.strangers)
            dataset_id, snapshot_id = load(client, labelled)
            threshold = find_profile(profile).match_threshold
            outcome = measure(client, snapshot_id, labelled, labelled.sample(chosen.queries), profile)
            found[name] = {"profile": find_profile(profile).label, "master": len(labelled.master)}
            found[name] |= figures(outcome, threshold)
            if labelled.pairs:
                found[name]["pairs_f1"] = pairs_f1(client, snapshot_id, labelled, profile)
            client.call("DELETE", f"/datasets/{dataset_id}")
            print(name, {column: found[name][column] for column in COLUMNS}, flush=True)
    chosen.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    _show(found)


def asking(description: str | None) -> argparse.ArgumentParser:
    """The arguments of a command that asks sets of the running stack: which sets, how many queries, with which profile."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--sets", type=Path, required=True, help="folder of labelled sets")
    parser.add_argument("--queries", type=int, default=1_000, help="queries a set, sampled")
    parser.add_argument("--profile", help="for all sets; balanced, and leads_to_accounts for leads, when left out")
    parser.add_argument("names", nargs="*")
    return parser


def measure(
    client: Client, snapshot_id: str, labelled: LabelledSet, queries: Sequence[dict[str, str]], profile: str
) -> Outcome:
    """Matches the queries one by one against the set's master."""
    rows = [
        _outcome(client, snapshot_id, query, labelled.answers.get(query["id"], set()), profile) for query in queries
    ]
    score, right, rank, answerable = (np.array(column) for column in zip(*rows, strict=True))
    return Outcome(score, right, rank, answerable)


def pairs_f1(client: Client, snapshot_id: str, labelled: LabelledSet, profile: str) -> dict[str, float]:
    """F1 of the decisions on labelled pairs, over all and by kind; a pair is asked for, whether retrieval finds it or not."""
    queries = {query["id"]: query for query in labelled.queries}
    counts: dict[str, list[int]] = {}
    for query_id, record_id, same in labelled.pairs[:_PAIRS]:
        query = queries[query_id]
        body = {"snapshot_id": snapshot_id, "record": shown(query), "record_id": record_id}
        answer = client.call("POST", "/match/explain", {**body, "options": {"profile": profile}})
        linked = answer["decision"] == "match"
        for group in {"all", query.get(_PAIR_GROUP) or "all"}:
            count = counts.setdefault(group, [0, 0, 0])
            count[0] += linked and same
            count[1] += linked
            count[2] += same
    return {group: round(2 * both / max(linked + same, 1), 4) for group, (both, linked, same) in counts.items()}


def load(client: Client, labelled: LabelledSet) -> tuple[str, str]:
    """Creates and activates the set's master; the ids of the dataset and the snapshot."""
    schema = {"id": "string"} | dict.fromkeys(labelled.fields, "string")
    body = {"name": labelled.name, "schema": schema, "primary_key": "id"}
    dataset_id: str = client.call("POST", "/datasets", body)["dataset_id"]
    records = [{name: row[name] or None for name in schema} for row in labelled.master]
    snapshot_id = client.append(dataset_id, records)
    job = client.call("POST", f"/datasets/{dataset_id}/activate", {"snapshot_id": snapshot_id})
    client.wait(job["job_id"])
    return dataset_id, snapshot_id


def candidates(client: Client, snapshot_id: str, query: dict[str, str], profile: str) -> list[dict[str, Any]]:
    """Every candidate of a query, best first; none of a query without a filled field."""
    record = shown(query)
    if not record:
        return []
    body = {
        "snapshot_id": snapshot_id,
        "record": record,
        "options": {"profile": profile, "threshold": 0, "top_n": _TOP},
    }
    matches: list[dict[str, Any]] = client.call("POST", "/match/record", body)["matches"]
    return matches


def _outcome(
    client: Client, snapshot_id: str, query: dict[str, str], answers: set[str], profile: str
) -> tuple[float, bool, int, bool]:
    matches = candidates(client, snapshot_id, query, profile)
    rank = next((i for i, match in enumerate(matches, start=1) if match["record_id"] in answers), 0)
    best = matches[0]["score"] if matches else 0.0
    return best, rank == 1, rank, bool(answers)


def _show(found: dict[str, Any]) -> None:
    table = Table("set", *COLUMNS)
    for name, row in found.items():
        table.add_row(name, *("" if row[c] is None else f"{row[c]:.3f}" for c in COLUMNS))
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
