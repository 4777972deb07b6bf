"""Every dependency is pinned to one version, and nothing in the lock points at a host."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
LINES = [
    line
    for line in (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    if line.strip() and not line.startswith("#")
]
PINNED = re.compile(r"([a-z0-9][a-z0-9._-]*)(?:\[[a-z0-9,_-]+\])?==[0-9][A-Za-z0-9.!+]*(?: ; .+)?")


def test_every_line_of_the_lock_is_one_exact_version() -> None:
    assert [line for line in LINES if not PINNED.fullmatch(line)] == []


def test_the_lock_holds_every_dependency_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {_name(line) for line in LINES}
    assert {_name(requirement) for requirement in wanted} <= names


def test_every_dependency_of_the_project_has_an_upper_bound() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert [requirement for requirement in wanted if ",<" not in requirement] == []


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found[0]).lower()
