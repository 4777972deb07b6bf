"""A small client of our own API, for the demo and the benchmarks: one connection, jobs waited for, errors in plain words."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

_TIMEOUT_S = 120.0
_POLL_S = 0.1
_APPEND_RECORDS = 5_000
_PART_BYTES = 1024 * 1024


class ApiFailure(Exception):
    """The API answered with an error, or not at all."""


class Client:
    """Speaks to `base_url` with an API key; close it, or use it in a `with` block."""

    def __init__(self, base_url: str, api_key: str) -> None:
        self.base_url = base_url.rstrip("/")
        self._http = httpx2.Client(
            base_url=f"{self.base_url}/api/v2",
            headers={"Authorization": f"Bearer {api_key}"},
            timeout=_TIMEOUT_S,
        )

    @classmethod
    def from_connection(cls, path: Path) -> Self:
        """Connects to the embedded stack whose `connection.json` is at `path`; raises ApiFailure when there is none."""
        try:
            connection = json.loads(path.read_text("utf-8"))
        except FileNotFoundError as exc:
            raise ApiFailure(f"{path} is not there: start the stack with `foundryops-server up --detach`.") from exc
        return cls(connection["base_url"], connection["api_key"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of a 2xx answer; raises ApiFailure with the error's own message otherwise."""
        try:
            response = self._http.request(method, path, json=body)
        except httpx2.HTTPError as exc:
            raise ApiFailure(f"{method} {path}: no answer ({exc}).") from exc
        if response.is_success:
            return response.json() if response.content else None
        raise ApiFailure(f"{method} {path}: {_error_of(response)}")

    def append(
        self,
        dataset_id: str,
        records: Sequence[Mapping[str, Any]],
        progress: Callable[[int], None] = lambda done: None,
    ) -> str:
        """Appends in parts; the id of the last snapshot."""
        snapshot_id = ""
        for start in range(0, len(records), _APPEND_RECORDS):
            part = records[start : start + _APPEND_RECORDS]
            snapshot_id = self.call("POST", f"/datasets/{dataset_id}/append", {"records": part})["snapshot_id"]
            progress(start + len(part))
        return snapshot_id

    def upload(
        self, path: Path, purpose: str, progress: Callable[[float, float], None] = lambda done, total: None
    ) -> str:
        """Sends a file to a URL of its own; its storage key. Raises ApiFailure."""
        granted: dict[str, Any] = self.call("POST", f"/uploads/presign?purpose={purpose}")
        size = path.stat().st_size

        def body() -> Iterator[bytes]:
            done = 0
            progress(done, size)
            with path.open("rb") as file:
                while part := file.read(_PART_BYTES):
                    yield part
                    done += len(part)
                    progress(done, size)

        # The URL is all it takes; our key must not go to whoever keeps the files.
        headers = {"Content-Length": str(size)}
        try:
            response = httpx2.put(granted["upload_url"], content=body(), headers=headers, timeout=_TIMEOUT_S)
        except httpx2.HTTPError as exc:
            raise ApiFailure(f"{path}: the upload broke off ({exc}).") from exc
        if not response.is_success:
            raise ApiFailure(f"{path}: {_error_of(response)}")
        return str(granted["storage_key"])

    def download(
        self, url_path: str, target: Path, progress: Callable[[float, float], None] = lambda done, total: None
    ) -> None:
        """Writes what a URL of ours answers, or leads to, into a file that appears whole; raises ApiFailure."""
        part = target.with_name(f".{target.name}.part")
        done = 0
        try:
            with self._http.stream("GET", f"{self.base_url}{url_path}", follow_redirects=True) as response:
                if not response.is_success:
                    response.read()
                    raise ApiFailure(f"GET {url_path}: {_error_of(response)}")
                total = int(response.headers.get("content-length", 0))
                with part.open("wb") as file:
                    for content in response.iter_bytes():
                        file.write(content)
                        done += len(content)
                        progress(done, total)
            part.replace(target)
        except httpx2.HTTPError as exc:
            raise ApiFailure(f"GET {url_path}: the answer broke off ({exc}).") from exc
        finally:
            part.unlink(missing_ok=True)

    def wait(self, job_id: str, progress: Callable[[int, int], None] = lambda done, total: None) -> dict[str, Any]:
        """The job when it has completed; raises ApiFailure when it ended otherwise."""
        while True:
            job: dict[str, Any] = self.call("GET", f"/jobs/{job_id}")
            progress(job["progress"]["processed"], job["progress"]["total"])
            if job["status"] == "completed":
                return job
            if job["status"] in ("failed", "cancelled"):
                raise ApiFailure(f"Job {job_id} {job['status']}: {job['error']}")
            time.sleep(_POLL_S)


def _error_of(response: httpx2.Response) -> str:
    try:
        error = response.json()["error"]
    except (ValueError, KeyError):
        return f"{response.status_code}: {response.text[:200]}"
    return f"{error['code']}: {error['message']}"
