"""The API and the workers as parts of the stack: this interpreter, told by environment where everything is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from app.embedded.machine import Say, choose_port
from app.embedded.opensearch import get_json
from app.embedded.part import Launch, PartSpec, python_command

Environment = Callable[[], Mapping[str, str]]
# A worker that lives this long has read its settings and imported its tasks.
WORKER_SETTLE_S = 1.5


class ApiPart(PartSpec):
    name = "api"

    def __init__(self, host: str, port: int, environment: Environment, say: Say) -> None:
        self.host = host
        self.port = port
        self._environment = environment
        self._say = say

    @property
    def base_url(self) -> str:
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - compared, not bound
        return f"http://{host}:{self.port}"

    def launch(self) -> Launch:
        self.port = choose_port("the api", self.port, self._say)
        command = python_command("-m", "uvicorn", "app.main:create_app", "--factory")
        address = ["--host", self.host, "--port", str(self.port)]
        manners = ["--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", "10"]
        return Launch([*command, *address, *manners], {**self._environment(), "FOUNDRYOPS_API_PORT": str(self.port)})

    def is_ready(self, pid: int) -> bool:
        return get_json(self.port, "/health/ready") is not None


class WorkerPart(PartSpec):
    def __init__(self, name: str, environment: Environment) -> None:
        self.name = name
        self._environment = environment
        self._started_at = 0.0

    def launch(self) -> Launch:
        self._started_at = time.monotonic()
        return Launch(python_command("-m", "workers"), self._environment())

    def is_ready(self, pid: int) -> bool:
        return time.monotonic() - self._started_at > WORKER_SETTLE_S
