"""Measures the way of a CSV file into a snapshot: rows/s and peak memory of a process that does nothing else.

`python -m bench.ingest --rows 1000000`; needs no engine. The time runs from opening the file to the linked snapshot.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import multiprocessing
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from app.bootstrap import build
from app.config import Settings
from app.services.file_append import AppendRequest
from app.services.uploads import upload_key
from bench.generator import generate

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--file", type=Path, help="a CSV file with an `id` column instead of a generated one")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="foundryops-bench-") as scratch:
        file = chosen.file or _generated(chosen.rows, Path(scratch) / "master.csv")
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            figures = pool.apply(_measure, (file, Path(scratch)))
    out = chosen.out or RESULTS / f"ingest-{figures['rows']}.json"
    out.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    print(json.dumps(figures, indent=2))


def _generated(rows: int, path: Path) -> Path:
    master, _ = generate(rows, 1, seed=1)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["id", *master[0].record])
        writer.writeheader()
        writer.writerows({"id": company.id, **company.record} for company in master)
    return path


def _measure(file: Path, scratch: Path) -> dict[str, Any]:
    return asyncio.run(_ingest(file, scratch)) | {"file_mb": round(file.stat().st_size / 1e6, 1)}


async def _ingest(file: Path, scratch: Path) -> dict[str, Any]:
    with file.open(encoding="utf-8", newline="") as lines:
        fields = dict.fromkeys(next(csv.reader(lines)), "string")
    settings = Settings(
        var_dir=scratch, database_url=f"sqlite+aiosqlite:///{scratch}/bench.db", store_dir=scratch / "files"
    )
    services = await build(settings)
    try:
        organisation_id = await services.keys.create_organisation("bench")
        dataset = await services.datasets.create(organisation_id, "bench", fields, "id", {})
        granted = await services.uploads.presign(organisation_id, "dataset", "http://127.0.0.1")
        target = settings.store_dir / upload_key(organisation_id, granted["storage_key"])
        target.parent.mkdir(parents=True)
        os.link(file, target)
        idle_mb = _peak_mb()
        request = AppendRequest(granted["storage_key"], None, {})
        job = await services.file_appends.submit(organisation_id, dataset["dataset_id"], request)
        started, cpu = time.perf_counter(), time.process_time()
        await services.runner.run(job["job_id"])
        spent, worked = time.perf_counter() - started, time.process_time() - cpu
        result = (await services.jobs.get(organisation_id, job["job_id"]))["result"]
    finally:
        await services.close()
    rows = result["accepted"] + result["rejected"]
    return {
        "rows": rows,
        "seconds": round(spent, 2),
        "cpu_seconds": round(worked, 2),
        "rows_per_second": round(rows / spent),
        "rows_per_cpu_second": round(rows / worked),
        "rejected": result["rejected"],
        "idle_mb": idle_mb,
        "peak_mb": _peak_mb(),
        "load_at_start": round(os.getloadavg()[0], 1),
    }


def _peak_mb() -> int:
    """Of this process alone: `getrusage` would count what its parent held when it was started."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main()
