"""`python -m bench.quality.train --sets FOLDER`: fits the models of the profiles, weights and calibrator, on labelled sets.

Starts engines of its own; an hour on two cores. The sets' families are left out in turn for the calibrator, and `--report`
says how good the answers are then. A generated master is a set whose folder's name begins with `gen_`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from app.bootstrap import build
from app.config import Settings
from app.embedded.stack import EngineStack
from bench.quality.calibration import Calibration
from bench.quality.collect import (
    TrainingRows,
    activated,
    collect,
    collect_pairs,
    ways_to_name_a_person,
)
from bench.quality.fit import Taught, expecting, fit
from bench.quality.left_out import LeftOut, left_out, report
from bench.quality.sets import INCOMPLETE, family_of, find_sets, read_set

SHARES = {"listing_abbrev": 0.3, "name_bench_opensanctions": 0.1, "beer": 0.1}
"""A set with wrong gold teaches little, and so do a few pairs; all others count the same."""
REFINED = {"leads": {"finance_": 1.0, "gen_": 1.5, "universities_": 0.5}}
"""Models that are the general one, fitted further on some sets: how much each set counts, by how its name begins.

A lead names its company whole and gives its place; a raw affiliation names one organisation inside another.
"""
_TIMES = {"finance_": 3, "gen_": 4, "universities_": 2}
"""Of the sets that a model is refined on so many times more queries are taken."""
_SMALL_SHARE = 0.12
"""Each of a folder's many little sets (`autofj/…`)."""
_DROP = 0.4
_DROP_OTHERS = 0.7
"""Where a person has one name left of several: the others had made it say little, and often it is all that a list has."""
_GENERATED = "gen_"
_STRANGERS = 0.2
"""So much of each query's weight is without its own record while weights are fitted."""
_GENERATED_STRANGERS = 0.5
"""A generated master is large and full of namesakes, and each of its queries has an answer."""
REPORT = Path(__file__).parent.parent / "results" / "quality-left-out.json"
_UNANSWERED = 0.12
"""The share of records without a right candidate that the prior expects: as many as in the sets as they come."""


async def _collect_all(sets: Mapping[str, Path], queries: int, scratch: Path, stack: EngineStack) -> list[TrainingRows]:
    settings = Settings(
        database_url=f"sqlite+aiosqlite:///{scratch}/train.db",
        store_dir=scratch / "files",
        opensearch_url=stack.opensearch_url,
        redis_url=stack.redis_url,
        index_prefix="train",
        opensearch_timeout_ms=60_000,
    )
    services = await build(settings)
    try:
        organisation_id = await services.keys.create_organisation("Training")
        found: list[TrainingRows] = []
        for name, path in sets.items():
            labelled = read_set(path, name)
            bundle = await activated(services, organisation_id, labelled)
            count = round(queries * _of(_TIMES, name, 1))
            if name in INCOMPLETE:
                found.append(collect_pairs(bundle, labelled))
            else:
                found.append(await collect(services, bundle, labelled, count))
                if len(labelled.fields) > 1:
                    found.append(await collect(services, bundle, labelled, count // 2, _DROP))
                ways = ways_to_name_a_person(labelled)
                if ways:
                    found.append(await collect(services, bundle, labelled, count, _DROP_OTHERS, ways))
            print(name, found[-1].rows, flush=True)
        return found
    finally:
        await services.close()


def train(rows: list[TrainingRows], held_back: Sequence[LeftOut], labels: Sequence[str]) -> list[dict[str, Any]]:
    """The content of each model's file; `labels` are `name@version`, the general model's first.

    All share the calibration, which is fitted with families of data left out in turn.
    """
    calibration = Calibration.fitted([one.best for one in held_back])._asdict()
    general = _fitted(rows, _shares(rows))
    fitted = [general, *(_refined(rows, label, general) for label in labels[1:])]
    return [
        {"name": label, "competition": 1.0, **model, "calibration": calibration}
        for label, model in zip(labels, fitted, strict=True)
    ]


def _fitted(
    rows: Sequence[TrainingRows], share: Mapping[str, float], towards: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    taught = Taught(rows, share, {one.name: _strangers(one.name) for one in rows})
    return expecting(_UNANSWERED, fit(taught, towards), taught)


def _refined(rows: Sequence[TrainingRows], label: str, general: Mapping[str, Any]) -> dict[str, Any]:
    counts = REFINED[label.partition("@")[0]]
    share = {one.name: _of(counts, one.name, 0.0) for one in rows}
    return _fitted([one for one in rows if share[one.name]], share, general)


def _strangers(name: str) -> float:
    """A set of pairs has its own."""
    if name in INCOMPLETE:
        return 0.0
    return _GENERATED_STRANGERS if name.startswith(_GENERATED) else _STRANGERS


def hold_back(rows: Sequence[TrainingRows]) -> list[LeftOut]:
    """What the weights say of every set, as it comes, when they have not seen its family; a family on each core."""
    families = sorted({family_of(one.name) for one in rows})
    others = [[one for one in rows if family_of(one.name) != family] for family in families]
    found = []
    with ProcessPoolExecutor() as pool:
        for family, model in zip(families, pool.map(_fitted, others, map(_shares, others)), strict=True):
            tested = [one for one in rows if family_of(one.name) == family and one.name not in INCOMPLETE]
            found += [left_out(model, one) for one in tested]
    return found


def _shares(rows: Sequence[TrainingRows]) -> dict[str, float]:
    """How much each set counts for the general model."""
    return {one.name: SHARES.get(one.name, _SMALL_SHARE if "/" in one.name else 1.0) for one in rows}


def _of(by_prefix: Mapping[str, float], name: str, otherwise: float) -> float:
    return next((value for prefix, value in by_prefix.items() if name.startswith(prefix)), otherwise)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--models", default="general@13,leads@9", help="names and versions, by commas")
    parser.add_argument("--out", type=Path, default=Path("app/profiles"), help="folder of the models' files")
    parser.add_argument(
        "--report", type=Path, default=REPORT, help="figures of each set by weights that never saw its family"
    )
    chosen = parser.parse_args()
    sets = find_sets(chosen.sets, [])
    with tempfile.TemporaryDirectory() as folder, EngineStack(Path(folder) / "engines") as stack:
        rows = asyncio.run(_collect_all(sets, chosen.queries, Path(folder), stack))
    held_back = hold_back(rows)
    labels = chosen.models.split(",")
    chosen.report.write_text(json.dumps(report(held_back, labels[0]), indent=1) + "\n", "utf-8")
    for model in train(rows, held_back, labels):
        path = chosen.out / f"{model['name'].partition('@')[0]}.json"
        path.write_text(json.dumps(model, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
