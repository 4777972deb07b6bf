"""One real stack, started by the command, for all tests of this folder; a test that ends it leaves it for the next to start."""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis

PARTS = ("opensearch", "valkey", "api", "worker")


def wait_until(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    """Polls; fails the test when the condition does not come true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain"
        time.sleep(0.05)


@dataclass
class Stack:
    """Drives `foundryops-server` in a folder of its own, on a path without any Java."""

    var: Path
    env: dict[str, str]
    up_output: str = field(default="")

    def command(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "app.cli", *arguments],
            env={**self.env, **extra},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def up(self) -> None:
        done = self.command("up", "--detach")
        assert done.returncode == 0, done.stdout + done.stderr
        self.up_output = done.stdout

    def is_up(self) -> bool:
        return self.command("status").returncode == 0

    @property
    def connection(self) -> dict[str, Any]:
        content = json.loads((self.var / "connection.json").read_text())
        assert isinstance(content, dict)
        return content

    @property
    def pids(self) -> dict[str, int]:
        return dict(self.connection["pids"])

    def valkey(self) -> redis.Redis:
        return redis.Redis.from_url(self.connection["redis_url"])

    def request(self, url_name: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON of one call to the part whose URL has that name, with the development key."""
        address = urlsplit(self.connection[url_name])
        assert address.hostname
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.connection.get('api_key')}"}
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()


def somebody_listening() -> socket.socket:
    """A server on a port that the system gives no outgoing connection, so that its neighbours stay free while a stack starts."""
    while True:
        try:
            return socket.create_server(("127.0.0.1", random.randrange(20_000, 30_000)))
        except OSError:
            continue


@pytest.fixture(scope="session")
def stack_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The command in a folder; `java` is not on its path, and its API port is taken by somebody else."""
    home = tmp_path_factory.mktemp("stack")
    with somebody_listening() as somebody, somebody_listening() as free:
        valkey_port = free.getsockname()[1]
        free.close()
        kept = {name: os.environ[name] for name in ("HOME", "XDG_CACHE_HOME", "PYTHONPATH") if name in os.environ}
        env = kept | {
            "PATH": str(Path(sys.executable).parent),
            "FOUNDRYOPS_VAR_DIR": str(home / "var"),
            "FOUNDRYOPS_EMBEDDED_HEAP_MB": "512",
            "FOUNDRYOPS_EMBEDDED_VALKEY_PORT": str(valkey_port),
            "FOUNDRYOPS_API_PORT": str(somebody.getsockname()[1]),
        }
        assert shutil.which("java", path=env["PATH"]) is None
        stack = Stack(home / "var", env)
        yield stack
        stack.command("down")


@pytest.fixture
def stack(stack_folder: Stack) -> Stack:
    """The stack, running and ready."""
    if not stack_folder.is_up():
        stack_folder.up()
    wait_until(lambda: stack_folder.connection["state"] == "ready")
    return stack_folder
