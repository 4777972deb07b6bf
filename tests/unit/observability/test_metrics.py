"""Metrics of several processes in one answer, and what they cost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

COUNT = """
from app.observability.metrics import REQUESTS_RUNNING, WORKER_SEEN, INDEX_RECORDS
INDEX_RECORDS.inc(21); REQUESTS_RUNNING.inc(); WORKER_SEEN.set(1)
"""
SHOW = """
import sys
from app.observability.metrics import exposition
sys.stdout.write(exposition().decode())
"""


def run(code: str, folder: Path) -> str:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_processes_that_share_a_folder_are_scraped_as_one(tmp_path: Path) -> None:
    run(COUNT, tmp_path)
    run(COUNT, tmp_path)
    shown = run(SHOW, tmp_path).splitlines()
    assert "foundryops_index_records_total 42.0" in shown


def test_what_a_process_said_of_itself_ends_with_it(tmp_path: Path) -> None:
    run(COUNT, tmp_path)
    shown = run(SHOW, tmp_path).splitlines()
    assert not [line for line in shown if line.startswith("foundryops_requests_running ") and not line.endswith(" 0.0")]
    assert "foundryops_worker_seen 1.0" in shown, "the last word of a process that lives on elsewhere stays"


def test_a_process_alone_shows_its_own() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    code = COUNT + SHOW
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert "foundryops_requests_running 1.0" in done.stdout.splitlines()
