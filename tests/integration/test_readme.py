"""The README's walk with curl, run as it stands against a server and a worker."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.config import Settings

ROOT = Path(__file__).parent.parent.parent
WALK = re.compile(r"<!-- walk -->\n```bash\n(.*?)```", re.DOTALL)
_READY_S = 60.0


@contextmanager
def running(arguments: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-m", *arguments], env=environment, cwd=ROOT)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def served(make_settings: Callable[[Path], Settings], tmp_path: Path) -> Iterator[Path]:
    """A folder with `var/connection.json` of a server and a worker that are up."""
    settings = make_settings(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    names = ("database_url", "redis_url", "opensearch_url", "index_prefix", "store_dir")
    environment = os.environ | {f"FOUNDRYOPS_{name.upper()}": str(getattr(settings, name)) for name in names}
    made = subprocess.run(
        [sys.executable, "-m", "app.cli.prepare"], env=environment, cwd=ROOT, capture_output=True, check=True
    )
    base_url = f"http://127.0.0.1:{port}"
    (tmp_path / "var").mkdir()
    connection = {"base_url": base_url, "api_key": json.loads(made.stdout)["api_key"]}
    (tmp_path / "var" / "connection.json").write_text(json.dumps(connection))
    api = ["uvicorn", "app.main:create_app", "--factory", "--port", str(port), "--log-level", "warning"]
    with running(api, environment), running(["workers"], environment):
        _wait_for(f"{base_url}/health/ready")
        yield tmp_path


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + _READY_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def test_the_walk_ends_with_the_right_account(served: Path) -> None:
    found = WALK.search((ROOT / "README.md").read_text("utf-8"))
    assert found is not None
    done = subprocess.run(["bash", "-c", found[1]], cwd=served, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    answer = json.loads(done.stdout)
    assert answer["decision"] == "match"
    assert answer["matches"][0]["record"]["account_name"] == "Acme Widgets GmbH"
    assert "DOMAIN_EXACT" in [reason["code"] for reason in answer["matches"][0]["reasons"]]
