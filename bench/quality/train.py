"""`python -m bench.quality.train --sets FOLDER --out app/profiles/general.json`: fits weights and calibrator on labelled sets.

Starts engines of its own; ten minutes on two cores. The sets' families are left out in turn for the calibrator.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from app.bootstrap import build
from app.config import Settings
from app.embedded.stack import EngineStack
from bench.quality.calibration import calibrate
from bench.quality.collect import TrainingRows, activated, collect, with_strangers
from bench.quality.fit import best_log_odds, fit
from bench.quality.sets import INCOMPLETE, family_of, find_sets, read_set

SHARES = {"listing_abbrev": 0.3, "name_bench_opensanctions": 0.1, "beer": 0.0}
"""Sets with wrong or missing gold teach little; all others count the same."""
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


def train(rows: list[TrainingRows], name: str) -> dict[str, Any]:
    """The model file's content."""
    names = {one.name for one in rows}
    rows = [with_strangers(one, _GENERATED_STRANGERS) if one.name.startswith(_GENERATED) else one for one in rows]
    shares = {n: SHARES.get(n, _SMALL_SHARE if "/" in n else 1.0) for n in names}
    held_back = []
    for family in sorted({family_of(n) for n in names}):
        model = fit([one for one in rows if family_of(one.name) != family], shares)
        tested = [one for one in rows if family_of(one.name) == family and one.name not in INCOMPLETE]
        held_back += [best_log_odds(model, one) for one in tested]
    return {"name": name, "competition": 1.0, **fit(rows, shares), "calibration": calibrate(held_back)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=800)
    parser.add_argument("--name", default="general@5")
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, EngineStack(Path(folder) / "engines") as stack:
        rows = asyncio.run(_collect_all(chosen.sets, chosen.queries, Path(folder), stack))
    chosen.out.write_text(json.dumps(train(rows, chosen.name), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
