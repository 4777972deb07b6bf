"""Processes that start at the same moment all find the newest schema, made once."""

from __future__ import annotations

import asyncio
import secrets
import sys
from pathlib import Path

import pytest

from tests.postgres import WHY_NOT, new_database

_PROCESSES = 4
_MIGRATE = "import asyncio, sys; from app.db.session import Database; asyncio.run(Database(sys.argv[1]).migrate())"


async def migrated(url: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _MIGRATE, url, cwd=Path.cwd(), stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    return process.returncode, said.decode()[-500:]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_processes_may_migrate_at_the_same_moment(kind: str, postgres_url: str | None, tmp_path: Path) -> None:
    if kind == "postgresql" and postgres_url is None:
        pytest.skip(WHY_NOT)
    url = f"sqlite+aiosqlite:///{tmp_path}/foundryops.db"
    if kind == "postgresql" and postgres_url is not None:
        url = new_database(postgres_url, f"t{secrets.token_hex(6)}")
    outcomes = await asyncio.gather(*(migrated(url) for _ in range(_PROCESSES)))
    assert [code for code, _ in outcomes] == [0] * _PROCESSES, outcomes
