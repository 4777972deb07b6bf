"""`python -m bench.quality.train --sets FOLDER`: fits the models of the profiles, weights and calibrator, on labelled sets.

Starts engines of its own; half an hour on two cores. The sets' families are left out in turn for the calibrator.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.bootstrap import build
from app.config import Settings
from app.embedded.stack import EngineStack
from bench.quality.calibration import calibrate
from bench.quality.collect import TrainingRows, activated, collect, with_strangers
from bench.quality.fit import Floats, best_log_odds, fit
from bench.quality.sets import INCOMPLETE, family_of, find_sets, read_set

SHARES = {"listing_abbrev": 0.3, "name_bench_opensanctions": 0.1, "beer": 0.0}
"""Sets with wrong or missing gold teach little; all others count the same."""
EMPHASIS: dict[str, dict[str, float]] = {"general": {}, "leads": {"finance_": 3.0, "gen_": 4.0, "universities_": 2.0}}
"""The models that are fitted, and how many times more than others sets count for one, by how their names begin.

A lead names its company whole and gives its place; a raw affiliation names one organisation inside another.
"""
_SMALL_SHARE = 0.12
"""Each of a folder's many little sets (`autofj/…`)."""
_DROP = 0.4
_GENERATED = "gen_"
_GENERATED_STRANGERS = 0.5
"""A generated master is large and full of namesakes; its queries all have an answer, so more of them are taken out."""


async def _collect_all(folder: Path, queries: int, scratch: Path, stack: EngineStack) -> list[TrainingRows]:
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
        for name, path in find_sets(folder, []).items():
            labelled = read_set(path, name)
            bundle = await activated(services, organisation_id, labelled)
            found.append(await collect(services, bundle, labelled, queries))
            if len(labelled.fields) > 1:
                found.append(await collect(services, bundle, labelled, queries // 2, _DROP))
            print(name, found[-1].rows, flush=True)
        return found
    finally:
        await services.close()


def train(rows: list[TrainingRows], labels: Sequence[str]) -> list[dict[str, Any]]:
    """The content of each model's file; `labels` are `name@version`, the first of the model that all families were left out of.

    A model that emphasises sets shares its calibrator: one of its own would double the time.
    """
    rows = [with_strangers(one, _GENERATED_STRANGERS) if one.name.startswith(_GENERATED) else one for one in rows]
    calibration = calibrate(_held_back(rows, labels[0]))
    return [
        {"name": label, "competition": 1.0, **fit(rows, _shares(rows, label)), "calibration": calibration}
        for label in labels
    ]


def _held_back(rows: Sequence[TrainingRows], label: str) -> list[tuple[Floats, npt.NDArray[np.bool_]]]:
    """What the weights say of every set when they have not seen its family."""
    found = []
    for family in sorted({family_of(one.name) for one in rows}):
        model = fit([one for one in rows if family_of(one.name) != family], _shares(rows, label))
        tested = [one for one in rows if family_of(one.name) == family and one.name not in INCOMPLETE]
        found += [best_log_odds(model, one) for one in tested]
    return found


def _shares(rows: Sequence[TrainingRows], label: str) -> dict[str, float]:
    """How much each set counts for a model."""
    emphasis = EMPHASIS[label.partition("@")[0]]
    names = {one.name for one in rows}
    return {
        name: SHARES.get(name, _SMALL_SHARE if "/" in name else 1.0)
        * next((times for prefix, times in emphasis.items() if name.startswith(prefix)), 1.0)
        for name in names
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=800)
    parser.add_argument("--models", default="general@5,leads@1", help="names and versions, by commas")
    parser.add_argument("--out", type=Path, default=Path("app/profiles"), help="folder of the models' files")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, EngineStack(Path(folder) / "engines") as stack:
        rows = asyncio.run(_collect_all(chosen.sets, chosen.queries, Path(folder), stack))
    for model in train(rows, chosen.models.split(",")):
        path = chosen.out / f"{model['name'].partition('@')[0]}.json"
        path.write_text(json.dumps(model, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
