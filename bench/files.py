"""Measures file jobs on a stack that is up: rate from upload to artefact, workers' memory, match/record beside them.

Each file has the machine to itself; then one of the first one's size runs beside somebody who asks now and then, and one
beside somebody who asks again at once.

`python -m bench.files --records 1000000 --leads 10000,100000` loads a generated master; `--snapshot dss_…` uses one that
is there, `--folder DIR` takes master.csv and queries.csv from a folder, the queries again and again until there are enough.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import math
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psutil

from app.client import ApiFailure, Client
from bench.run import CONNECTION, HIDDEN, RESULTS, _load, _made, _request, read_folder

_SAMPLE_S = 0.5
_IDLE_REQUESTS = 600
_BESIDE_WAIT_S = 0.2
"""Between two match/record requests while a file runs: somebody who works, not a load test."""
_MIB = 2**20
Record = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--leads", default="10000,100000", help="rows of each file, by commas")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--snapshot")
    parser.add_argument("--format", default="csv", choices=["csv", "ndjson", "parquet"])
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    master, leads, _ = read_folder(chosen.folder) if chosen.folder else _made(chosen.records, 1)
    connection = json.loads(CONNECTION.read_text("utf-8"))
    figures: dict[str, Any] = {"records": len(master)}
    with Client(connection["base_url"], connection["api_key"]) as client:
        snapshot_id = chosen.snapshot or _load(client, master, figures)
        del master
        bodies = [_request(snapshot_id, lead) for lead in leads]
        _latencies(client, bodies, itertools.repeat(0.0, _IDLE_REQUESTS))  # warm
        # A request after a pause is slower than one after another: each is compared with its like.
        for name, wait_s in (("match_record_idle", 0.0), ("match_record_idle_with_pauses", _BESIDE_WAIT_S)):
            figures[name] = _cuts(_latencies(client, bodies, itertools.repeat(wait_s, _IDLE_REQUESTS)))
        sizes = [int(rows) for rows in chosen.leads.split(",")]
        figures["files"] = [
            _measured(client, connection, snapshot_id, leads, rows, chosen.format, wait_s)
            for rows, wait_s in (*((rows, None) for rows in sizes), (sizes[0], _BESIDE_WAIT_S), (sizes[0], 0.0))
        ]
    out = chosen.out or RESULTS / f"files-{figures['records']}.json"
    out.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    print(json.dumps(figures, indent=2))


def _measured(
    client: Client,
    connection: Record,
    snapshot_id: str,
    leads: Sequence[Record],
    rows: int,
    output_format: str,
    wait_s: float | None,
) -> Record:
    """One file from its upload to the last byte of its artefact; with `wait_s`, match/record is asked all the while."""
    bodies = [_request(snapshot_id, lead) for lead in leads]
    workers = [pid for name, pid in connection["pids"].items() if name.startswith("worker")]
    with tempfile.TemporaryDirectory() as folder, _Watch.over(workers) as watch:
        source = Path(folder) / "leads.csv"
        write_leads(source, leads, rows)
        started = time.perf_counter()
        key = upload_file(client, source)
        uploaded = time.perf_counter()
        body: Record = {"snapshot_id": snapshot_id, "source_key": key, "output_format": output_format}
        body["options"] = {"profile": "leads_to_accounts", "top_n": 1}
        job = client.call("POST", "/match/files", body)
        asked: AbstractContextManager[list[float]] = (
            nullcontext([]) if wait_s is None else _asking(connection, bodies, wait_s)
        )
        with asked as beside:
            done = client.wait(job["job_id"])
            matched = time.perf_counter()
        size = _download(connection, done["results_url"])
        finished = time.perf_counter()
    return {
        "rows": rows,
        "upload_s": round(uploaded - started, 2),
        "job_s": round(matched - uploaded, 2),
        "download_s": round(finished - matched, 2),
        "rows_per_s": round(rows / (finished - started), 1),
        "result_bytes": size,
        "result": {name: done["result"][name] for name in ("rows", "results", "matched", "rejected")},
        "worker_cpu_s": watch.cpu_s,
        "worker_resident_mb": watch.resident_mb(),
        "match_record_beside": None if wait_s is None else {"wait_s": wait_s, **_cuts(beside)},
    }


def write_leads(path: Path, leads: Sequence[Record], rows: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(
            file, [name for name in leads[0] if name == "id" or name not in HIDDEN], extrasaction="ignore"
        )
        writer.writeheader()
        writer.writerows(itertools.islice(itertools.cycle(leads), rows))


def upload_file(client: Client, path: Path) -> str:
    granted = client.call("POST", "/uploads/presign?purpose=match")
    with path.open("rb") as file:
        httpx2.put(granted["upload_url"], content=file, timeout=600).raise_for_status()
    return str(granted["storage_key"])


def _download(connection: Record, place: str) -> int:
    headers = {"Authorization": f"Bearer {connection['api_key']}"}
    with httpx2.stream("GET", f"{connection['base_url']}{place}", headers=headers, timeout=600) as answer:
        answer.raise_for_status()
        return sum(len(block) for block in answer.iter_bytes())


def _latencies(client: Client, bodies: Sequence[Record], waits: Iterator[float]) -> list[float]:
    took_ms = []
    for body, wait_s in zip(itertools.cycle(bodies), waits, strict=False):
        started = time.perf_counter()
        try:
            client.call("POST", "/match/record", body)
            took_ms.append((time.perf_counter() - started) * 1000)
        except ApiFailure:
            took_ms.append(math.inf)
        time.sleep(wait_s)
    return took_ms


@contextmanager
def _asking(connection: Record, bodies: Sequence[Record], wait_s: float) -> Iterator[list[float]]:
    """Asks on a thread until the block ends; what each answer took is in the list then."""
    stop = threading.Event()
    took_ms: list[float] = []

    def ask() -> None:
        waits = iter(lambda: None if stop.is_set() else wait_s, None)
        with Client(connection["base_url"], connection["api_key"]) as client:
            took_ms.extend(_latencies(client, bodies, waits))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield took_ms
    finally:
        stop.set()
        thread.join()


def _cuts(took_ms: Sequence[float]) -> Record:
    if len(took_ms) < 2:
        return {"requests": len(took_ms)}
    answered = [one for one in took_ms if one < math.inf]
    cuts = statistics.quantiles(answered, n=100)
    refused = len(took_ms) - len(answered)
    return {"requests": len(took_ms), "refused": refused, "p50_ms": round(cuts[49], 2), "p95_ms": round(cuts[94], 2)}


@dataclass
class _Watch:
    """Samples what processes hold in memory, on a thread."""

    processes: list[psutil.Process]
    samples: list[int] = field(default_factory=list)
    """Resident bytes of the largest of them, in order of time."""
    cpu_s: float = 0.0
    _ended: threading.Event = field(default_factory=threading.Event)

    @classmethod
    @contextmanager
    def over(cls, pids: Sequence[int]) -> Iterator[_Watch]:
        watch = cls([psutil.Process(pid) for pid in pids])
        before = watch._cpu()
        thread = threading.Thread(target=watch._sample)
        thread.start()
        try:
            yield watch
        finally:
            watch._ended.set()
            thread.join()
            watch.cpu_s = round(watch._cpu() - before, 1)

    def resident_mb(self) -> Record:
        """The most, and the median of each tenth of the time."""
        tenth = max(len(self.samples) // 10, 1)
        parts = [self.samples[at : at + tenth] for at in range(0, len(self.samples), tenth)]
        over_time = [round(statistics.median(part) / _MIB) for part in parts]
        return {"max": round(max(self.samples) / _MIB), "over_time": over_time}

    def _sample(self) -> None:
        while not self._ended.wait(_SAMPLE_S):
            self.samples.append(max(process.memory_info().rss for process in self.processes))

    def _cpu(self) -> float:
        return sum(process.cpu_times().user + process.cpu_times().system for process in self.processes)


if __name__ == "__main__":
    main()
