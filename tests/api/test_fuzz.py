"""Generated requests against every operation, over real HTTP: no 5xx, no undocumented status, answers as documented.

A few examples an operation in `make test`; `make fuzz` asks for thousands (FOUNDRYOPS_FUZZ_EXAMPLES an operation).
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.bootstrap import Services
from app.config import Settings
from app.main import create_app
from tests.api.conftest import COMPANIES, SCHEMA

T = TypeVar("T")

EXAMPLES = int(os.environ.get("FOUNDRYOPS_FUZZ_EXAMPLES", "6"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
_PATIENCE_S = 240

schema = schemathesis.openapi.from_dict(create_app(Settings(var_dir=Path("var"))).application.openapi())
sent = count()


class Server(threading.Thread):
    """The application under uvicorn, in a loop of its own."""

    def __init__(self, configured: Settings) -> None:
        super().__init__(daemon=True)
        self._edge = create_app(configured)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(self._edge, log_config=None, lifespan="on", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._loop = asyncio.new_event_loop()
        self.real: dict[str, str] = {}
        self.headers: dict[str, str] = {}

    def run(self) -> None:
        self._loop.run_until_complete(self._server.serve([self._socket]))

    @property
    def services(self) -> Services:
        found: Services = self._edge.application.state.services
        return found

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_S)

    def stop(self) -> None:
        self._server.should_exit = True
        self.join(_PATIENCE_S)
        self._loop.close()

    def furnish(self) -> None:
        """An organisation with an active dataset and a finished job, so that generated requests find something."""
        organisation_id = self.do(self.services.keys.create_organisation("Fuzz"))
        _, key = self.do(self.services.keys.create(organisation_id, "fuzz"))
        self.headers = {"Authorization": f"Bearer {key}"}
        with httpx2.Client(base_url=f"{self.url}/api/v2", headers=self.headers, timeout=60) as client:
            body = {"name": "Accounts", "schema": SCHEMA, "primary_key": "account_id"}
            dataset_id = client.post("/datasets", json=body).json()["dataset_id"]
            appended = client.post(f"/datasets/{dataset_id}/append", json={"records": [*COMPANIES, {"account_id": []}]})
            snapshot_id = appended.json()["snapshot_id"]
            job = client.post(f"/datasets/{dataset_id}/activate", json={"snapshot_id": snapshot_id}).json()
            self.do(self.services.runner.run(job["job_id"]))
            batch = {"snapshot_id": snapshot_id, "records": [{"company": "Globex"}]}
            job = client.post("/match/batch", json=batch).json()
            self.do(self.services.runner.run(job["job_id"]))
        self.real = {"dataset_id": dataset_id, "snapshot_id": snapshot_id, "job_id": job["job_id"]}


@pytest.fixture(scope="module")
def server(make_settings: Callable[[Path], Settings], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(make_settings(tmp_path_factory.mktemp("fuzz")))
    running.start()
    assert httpx2.get(f"{running.url}/health/live", timeout=_PATIENCE_S).status_code == 200
    running.furnish()
    yield running
    running.stop()


def aim(case: schemathesis.Case, real: dict[str, str]) -> None:
    """Points every other request at what is there, unless it would be gone for the rest."""
    if next(sent) % 2 and case.method != "DELETE":
        for name in case.path_parameters:
            case.path_parameters[name] = real.get(name, case.path_parameters[name])
        if isinstance(case.body, dict):
            for name in real.keys() & case.body.keys():
                case.body[name] = real[name]


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES < 50,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_whatever_is_sent_the_answer_is_a_documented_one(case: schemathesis.Case, server: Server) -> None:
    aim(case, server.real)
    case.call_and_validate(base_url=server.url, headers=server.headers, checks=CHECKS, timeout=30)
