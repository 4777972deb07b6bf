"""Services in this process on a running stack's engines, with a master loaded: for benchmarks that look inside a match."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from app.bootstrap import Services, build
from app.config import Settings
from app.services.match_targets import MatchTarget

CONNECTION = Path("var/connection.json")
_KEPT = "loaded.json"
_APPEND_RECORDS = 20_000
_SEARCH_TIMEOUT_MS = 30_000
_INDEX_PREFIX = "bench"


@asynccontextmanager
async def loaded(
    master: Sequence[dict[str, Any]], primary_key: str, keep: Path | None = None
) -> AsyncIterator[tuple[Services, MatchTarget]]:
    """The services and the activated master; with `keep`, a folder that has it already is used again."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = keep or Path(temporary)
        services = await build(_settings(folder))
        try:
            known = folder / _KEPT
            if not known.exists():
                known.write_text(json.dumps(await _load(services, master, primary_key)))
            found = json.loads(known.read_text())
            yield services, await services.match.resolve(found["owner"], found["snapshot_id"], None)
            if keep is None:
                await services.delete_dataset(found["owner"], found["dataset_id"])
        finally:
            await services.close()


def _settings(folder: Path) -> Settings:
    connection = json.loads(CONNECTION.read_text("utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    return Settings(
        var_dir=folder,
        database_url=f"sqlite+aiosqlite:///{folder}/foundryops.db",
        store_dir=folder / "files",
        opensearch_url=connection["opensearch_url"],
        redis_url=connection["redis_url"],
        index_prefix=_INDEX_PREFIX,
        opensearch_timeout_ms=_SEARCH_TIMEOUT_MS,
    )


async def _load(services: Services, master: Sequence[dict[str, Any]], primary_key: str) -> dict[str, str]:
    owner = await services.keys.create_organisation("Benchmark")
    schema = dict.fromkeys(master[0], "string")
    dataset_id = (await services.datasets.create(owner, "Benchmark", schema, primary_key, {}))["dataset_id"]
    snapshot_id = ""
    for at in range(0, len(master), _APPEND_RECORDS):
        appended = await services.datasets.append(owner, dataset_id, master[at : at + _APPEND_RECORDS])
        snapshot_id = appended["snapshot_id"]
    job = await services.jobs.create(owner, "activate", {"dataset_id": dataset_id, "snapshot_id": snapshot_id})
    await services.runner.run(job["job_id"])
    await services.match.resolve(owner, snapshot_id, None)  # raises when the activation failed
    return {"owner": owner, "dataset_id": dataset_id, "snapshot_id": snapshot_id}
