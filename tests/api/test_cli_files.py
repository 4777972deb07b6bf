"""The commands that move files, against a live server whose jobs are done at once."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from app.cli import build
from tests.api.conftest import COMPANIES, SCHEMA, Api
from tests.api.test_datasets import dataset
from tests.live import live


class _AtOnce:
    """A job queue whose worker is this process."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._running: set[asyncio.Task[Any]] = set()

    async def wake(self, job_id: str, kind: str, attempt: int = 0) -> None:
        services = self._api.services
        work = services.lane.drain() if kind == "match_files" else services.runner.run(job_id)
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)


@pytest.fixture
async def server(api: Api, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    monkeypatch.setattr(api.services.jobs, "_queue", _AtOnce(api))
    transport: Any = api.client._transport
    async with live(transport.app) as base_url:
        yield base_url


async def run(server: str, api: Api, *arguments: str) -> Result:
    command = [*arguments, "--url", server, "--api-key", api.key]
    return await asyncio.to_thread(CliRunner().invoke, build(), command)


@pytest.fixture
def companies_file(tmp_path: Path) -> Path:
    path = tmp_path / "companies.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(SCHEMA))
        writer.writeheader()
        writer.writerows(COMPANIES)
    return path


def _same(one: Path, other: Path) -> bool:
    return one.read_bytes() == other.read_bytes()


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_a_file_is_uploaded_and_its_key_printed(api: Api, server: str, companies_file: Path) -> None:
    result = await run(server, api, "upload", str(companies_file))
    assert result.exit_code == 0, result.output
    storage_key = result.output.split()[-1]
    found = await api.services.uploads.local_path(api.organisation_id, storage_key, "dataset")
    assert _same(found, companies_file)


async def test_a_file_becomes_an_active_snapshot_and_leads_are_matched_against_it(
    api: Api, server: str, companies_file: Path, tmp_path: Path
) -> None:
    dataset_id = await dataset(api, SCHEMA, "account_id")
    result = await run(server, api, "ingest", str(companies_file), "--dataset", dataset_id, "--activate")
    assert result.exit_code == 0, result.output
    assert f"{len(COMPANIES)} rows accepted, 0 rejected" in result.output
    snapshot_id = (await api.call("GET", f"/datasets/{dataset_id}")).json()["active_snapshot_id"]
    leads = tmp_path / "leads.csv"
    leads.write_text("Firm,Web\nGlobex Corporation,globex.com\nNobody knows this,\n", "utf-8")
    out = tmp_path / "results.csv"
    options = ("--snapshot", snapshot_id, "--out", str(out), "--map", "Firm=name", "--map", "Web=website")
    result = await run(server, api, "match", str(leads), *options)
    assert result.exit_code == 0, result.output
    rows = _rows(out)
    assert [row["Firm"] for row in rows] == ["Globex Corporation", "Nobody knows this"]
    assert rows[0]["match_record_id"] == "a3"
    assert _names(tmp_path) == {"companies.csv", "leads.csv", "results.csv"}


async def test_an_error_of_the_server_is_told_in_plain_words(api: Api, server: str, companies_file: Path) -> None:
    result = await run(server, api, "ingest", str(companies_file), "--dataset", "ds_none")
    assert result.exit_code == 1
    assert "DATASET_NOT_FOUND: There is no dataset ds_none." in " ".join(result.output.split())
    dataset_id = await dataset(api, {"other": "string"})
    result = await run(server, api, "ingest", str(companies_file), "--dataset", dataset_id)
    assert result.exit_code == 1
    assert "is no field of the dataset" in " ".join(result.output.split())


async def test_a_map_without_an_equals_sign_is_refused(api: Api, server: str, companies_file: Path) -> None:
    result = await run(server, api, "ingest", str(companies_file), "--dataset", "ds_x", "--map", "Firm")
    assert result.exit_code == 2
