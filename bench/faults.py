"""Breaks a running stack while it matches files, again and again; each result must be the undisturbed run's, byte for byte.

`make faults`, or `python -m bench.faults --leads 5000 --kills 20` on a stack that is up; ends with an error at a difference.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import redis

from app.client import ApiFailure, Client
from bench.files import upload_file, write_leads
from bench.run import CONNECTION, _load, _made

_STOPPED_S = 20.0
_PATIENCE_S = 600.0
_POLL_S = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--leads", type=int, default=5_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    master, leads, _ = _made(chosen.records, chosen.seed)
    rng = random.Random(chosen.seed)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "leads.csv"
        write_leads(source, leads, chosen.leads)
        with Client.from_connection(CONNECTION) as client:
            bench = _Bench(client, _load(client, master, {}), upload_file(client, source))
        bench.expected = bench.artefacts(bench.submit())
        took = [_timed(lambda: bench.artefacts(bench.submit()))]
        faults: list[tuple[str, Callable[[], None]]] = [
            *[(f"worker killed, {i + 1} of {chosen.kills}", lambda: _kill("worker")) for i in range(chosen.kills)],
            ("queue killed", lambda: _kill("valkey")),
            ("queue emptied and killed", _forget_queue),
            ("API killed", lambda: _kill("api")),
            ("search engine stopped for 20 s", _stop_search),
            ("search engine killed", lambda: _kill("opensearch")),
        ]
        for name, fault in faults:
            job_id = bench.submit()
            time.sleep(rng.uniform(0.0, took[0]))
            fault()
            same = bench.artefacts(job_id) == bench.expected
            print(f"{name}: {'the same bytes' if same else 'DIFFERENT'}", flush=True)
            if not same:
                raise SystemExit(1)


@dataclass
class _Bench:
    client: Client
    snapshot_id: str
    source_key: str
    expected: tuple[bytes, bytes] = (b"", b"")

    def submit(self) -> str:
        body = {"snapshot_id": self.snapshot_id, "source_key": self.source_key}
        job = _patiently(lambda: _call("POST", "/match/files", body))
        return str(job["job_id"])

    def artefacts(self, job_id: str) -> tuple[bytes, bytes]:
        """Result and rejects, once the job has completed; the API may be away meanwhile."""
        job = self._state(job_id)
        while job["status"] != "completed":
            if job["status"] in ("failed", "cancelled"):
                raise SystemExit(f"job {job_id} {job['status']}: {job['error']}")
            time.sleep(_POLL_S)
            job = self._state(job_id)
        return _patiently(lambda: _bytes(job["results_url"])), _patiently(lambda: _bytes(job["rejects_url"]))

    def _state(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = _patiently(lambda: _call("GET", f"/jobs/{job_id}"))
        return found


def _connection() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(CONNECTION.read_text("utf-8"))
    return found


def _call(method: str, path: str, body: Any = None) -> Any:
    with Client.from_connection(CONNECTION) as client:
        return client.call(method, path, body)


def _bytes(place: str) -> bytes:
    connection = _connection()
    headers = {"Authorization": f"Bearer {connection['api_key']}"}
    return httpx2.get(f"{connection['base_url']}{place}", headers=headers, timeout=60).raise_for_status().content


def _patiently(ask: Callable[[], Any]) -> Any:
    """Asks again while the API is away."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return ask()
        except (ApiFailure, httpx2.HTTPError):
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_S)


def _timed(run: Callable[[], object]) -> float:
    started = time.monotonic()
    run()
    return time.monotonic() - started


def _kill(part: str) -> None:
    """Kills one process of that kind and waits until connection.json names its successor."""
    names = [name for name in _connection()["pids"] if name.startswith(part)]
    name = random.choice(names)
    before = _connection()["pids"][name]
    os.kill(before, signal.SIGKILL)
    deadline = time.monotonic() + _PATIENCE_S
    while _connection()["pids"].get(name) in (before, None):
        if time.monotonic() > deadline:
            raise SystemExit(f"{name} was not started again")
        time.sleep(_POLL_S)


def _forget_queue() -> None:
    redis.Redis.from_url(_connection()["redis_url"]).flushall()
    _kill("valkey")


def _stop_search() -> None:
    pid = _connection()["pids"]["opensearch"]
    os.kill(pid, signal.SIGSTOP)
    time.sleep(_STOPPED_S)
    os.kill(pid, signal.SIGCONT)


if __name__ == "__main__":
    main()
