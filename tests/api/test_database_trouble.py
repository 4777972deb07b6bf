"""A database that cannot be written to: a clear answer, and all is well once it can."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from app.config import Settings
from tests.api.conftest import SCHEMA, serving

BODY = {"name": "Accounts", "schema": SCHEMA, "primary_key": "account_id"}


async def test_a_database_that_another_process_holds_is_503_and_nothing_is_changed(
    make_settings: Callable[[Path], Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.db.session._BUSY_TIMEOUT_MS", 50)
    url = f"sqlite+aiosqlite:///{tmp_path}/held.db"
    settings = make_settings(tmp_path).model_copy(update={"database_url": url})
    async with serving(settings) as api:
        with closing(sqlite3.connect(tmp_path / "held.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            refused = await api.call("POST", "/datasets", BODY)
            other.execute("ROLLBACK")
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "UNAVAILABLE"
        assert int(refused.headers["Retry-After"]) > 0
        assert (await api.call("GET", "/datasets")).json()["data"] == []
        assert (await api.call("POST", "/datasets", BODY)).status_code == 201


async def test_a_database_whose_disk_is_full_is_507_and_nothing_is_changed(
    make_settings: Callable[[Path], Settings], tmp_path: Path
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/full.db"
    settings = make_settings(tmp_path).model_copy(update={"database_url": url})
    async with serving(settings) as api:
        async with api.services.db.engine.connect() as connection:
            pages = (await connection.exec_driver_sql("PRAGMA page_count")).scalar_one()
            await connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        body = {**BODY, "name": "A" * 200, "schema": SCHEMA | {f"field_{i:03}": "string" for i in range(190)}}
        answers = [await api.call("POST", "/datasets", body) for _ in range(20)]
        refused = next(answer for answer in answers if answer.status_code != 201)
        assert (refused.status_code, refused.json()["error"]["code"]) == (507, "STORAGE_FULL")
