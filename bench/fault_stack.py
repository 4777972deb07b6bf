"""The running stack as the fault runs see it: asked with patience while parts of it are away, and taken apart by process id."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from app.client import Client
from app.config import Settings
from bench.run import CONNECTION

PATIENCE_S = 600.0
POLL_S = 0.1
ENDED = ("completed", "failed", "cancelled")
_ANSWER_S = 60.0
_FINAL = frozenset({400, 401, 403, 404, 410, 413, 422})
_Found = TypeVar("_Found")


@dataclass
class FaultStack:
    """A stack with a master, a file on it, and what that file's result is when nothing happens."""

    snapshot_id: str
    dataset_id: str
    source_key: str
    expected: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    """By output format, result and rejects."""
    took_s: float = PATIENCE_S
    """The fastest undisturbed job, from its submission to its end."""

    def submit(self, output_format: str, key: str) -> str:
        """The job's id; sent with an idempotency key, so that it can be asked for again without a second job."""
        options = {"profile": "leads_to_accounts", "top_n": 3}
        body: dict[str, Any] = {"snapshot_id": self.snapshot_id, "source_key": self.source_key, "options": options}
        body["output_format"] = output_format
        return str(patiently(lambda: _ask("POST", "/api/v2/match/files", key, body).json())["job_id"])

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = patiently(lambda: _ask("GET", f"/api/v2/jobs/{job_id}").json())
        return found

    def ended(self, job_id: str) -> dict[str, Any]:
        """The job when it has ended, however; TimeoutError when it does not."""
        return until(lambda: job if (job := self.job(job_id))["status"] in ENDED else None, f"{job_id} did not end")

    def artefacts(self, job: dict[str, Any]) -> tuple[bytes, bytes]:
        """Result and rejects of a completed job."""
        return self._content(job["results_url"]), self._content(job["rejects_url"])

    def _content(self, place: str) -> bytes:
        return patiently(lambda: _ask("GET", place).content)

    @classmethod
    def loaded(cls, master: Sequence[Mapping[str, Any]], source: Path) -> FaultStack:
        """On the running stack, with the master activated and the file uploaded."""
        body = {"name": "Faults", "schema": dict.fromkeys(master[0], "string"), "primary_key": "id"}
        with Client.from_connection(CONNECTION) as client:
            dataset_id = client.call("POST", "/datasets", body)["dataset_id"]
            snapshot_id = client.append(dataset_id, master)
            _activate(client, dataset_id, snapshot_id)
            return cls(snapshot_id, dataset_id, client.upload(source, "match"))

    def activate_more(self, number: int) -> None:
        """Appends a company to the master and activates the new snapshot; raises ApiFailure when that fails."""
        company = {"id": f"more-{number}-{time.time_ns()}", "name": "Another Company Ltd."}
        with Client.from_connection(CONNECTION) as client:
            _activate(client, self.dataset_id, client.append(self.dataset_id, [company]))

    def activate_again(self) -> None:
        """The jobs' own snapshot, whose index goes once newer ones are active and no job needs it."""
        with Client.from_connection(CONNECTION) as client:
            _activate(client, self.dataset_id, self.snapshot_id)


def _activate(client: Client, dataset_id: str, snapshot_id: str) -> None:
    client.wait(client.call("POST", f"/datasets/{dataset_id}/activate", {"snapshot_id": snapshot_id})["job_id"])


def connection() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(CONNECTION.read_text("utf-8"))
    return found


def parts(kind: str) -> list[str]:
    """Names of the running parts of a kind, such as `worker` and `worker_2`."""
    return [name for name in connection()["pids"] if name.startswith(kind)]


def send(name: str, number: signal.Signals) -> None:
    os.kill(connection()["pids"][name], number)


def end(name: str, number: signal.Signals = signal.SIGKILL) -> None:
    """Ends one part and waits until it has a successor."""
    before = connection()["pids"][name]
    os.kill(before, number)
    until(lambda: connection()["pids"].get(name) not in (before, None), f"{name} was not started again")


def wait_ready() -> None:
    """Until all parts run and answer."""
    until(lambda: connection()["state"] == "ready", "the stack did not become ready")


def store_folder() -> Path | None:
    """The stack's local file store; None when it keeps its files elsewhere."""
    chosen = Settings()
    if chosen.store_url is not None:
        return None
    return chosen.store_dir if "store_dir" in chosen.model_fields_set else CONNECTION.parent / "files"


def until(ask: Callable[[], _Found | None], otherwise: str) -> _Found:
    """The first answer that says something; raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := ask()):
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(POLL_S)
    return found


def patiently(ask: Callable[[], _Found]) -> _Found:
    """Asks again while the API is away or busy; raises what it answered to a request that cannot be right."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return ask()
        except httpx2.HTTPError as exc:
            if _is_final(exc) or time.monotonic() > deadline:
                raise
            time.sleep(POLL_S)


def _is_final(exc: httpx2.HTTPError) -> bool:
    return isinstance(exc, httpx2.HTTPStatusError) and exc.response.status_code in _FINAL


def _ask(method: str, path: str, key: str | None = None, body: Any = None) -> httpx2.Response:
    """Raises httpx2.HTTPError when nothing answers, and for every answer but a 2xx."""
    found = connection()
    sent = {"Authorization": f"Bearer {found['api_key']}"} | ({"Idempotency-Key": key} if key else {})
    url = f"{found['base_url']}{path}"
    answer = httpx2.request(method, url, headers=sent, json=body, timeout=_ANSWER_S, follow_redirects=True)
    return answer.raise_for_status()
