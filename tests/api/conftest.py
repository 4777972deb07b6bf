"""The whole application behind its ASGI door, with a worker's runner at hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.bootstrap import Services
from app.config import Settings
from app.main import create_app

COMPANIES = [
    {
        "account_id": "a1",
        "name": "Acme Widgets Inc.",
        "website": "https://www.acme.com",
        "city": "Boston",
        "country": "US",
    },
    {"account_id": "a2", "name": "Acme Widgets GmbH", "website": "acme.de", "city": "Berlin", "country": "DE"},
    {"account_id": "a3", "name": "Globex Corporation", "website": "globex.com", "city": "Springfield", "country": "US"},
    {
        "account_id": "a4",
        "name": "Müller & Söhne KG",
        "website": "mueller-soehne.de",
        "city": "München",
        "country": "DE",
    },
    {"account_id": "a5", "name": "National Bank of Egypt", "website": "nbe.com.eg", "city": "Cairo", "country": "EG"},
    {"account_id": "a6", "name": "株式会社東京電力", "website": "tepco.co.jp", "city": "Tokyo", "country": "JP"},
    {"account_id": "a7", "name": "Reia 12 Fund LP", "website": None, "city": "Luxembourg", "country": "LU"},
    {"account_id": "a8", "name": "Reia 13 Fund LP", "website": None, "city": "Luxembourg", "country": "LU"},
]
SCHEMA = dict.fromkeys(("account_id", "name", "website", "city", "country"), "string")


@dataclass
class Api:
    """A client with a key, and the services behind it."""

    client: httpx2.AsyncClient
    services: Services
    organisation_id: str
    key: str

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> httpx2.Response:
        return await self.client.request(method, f"/api/v2{path}", json=body, **options)

    async def run_job(self, job_id: str) -> dict[str, Any]:
        """Does a job as a worker would, and gives it back."""
        await self.services.runner.run(job_id)
        job: dict[str, Any] = (await self.call("GET", f"/jobs/{job_id}")).json()
        return job

    async def uploaded(self, content: bytes, purpose: str = "match") -> str:
        """The key of a file that was sent."""
        granted = (await self.call("POST", f"/uploads/presign?purpose={purpose}")).json()
        sent = await self.client.put(granted["upload_url"], content=content)
        assert sent.status_code == 200, sent.text
        return str(granted["storage_key"])

    async def activated(self, records: list[dict[str, Any]]) -> tuple[str, str]:
        """A dataset with the records, activated: its id and its snapshot's."""
        body = {"name": "Accounts", "schema": SCHEMA, "primary_key": "account_id"}
        dataset_id = (await self.call("POST", "/datasets", body)).json()["dataset_id"]
        appended = await self.call("POST", f"/datasets/{dataset_id}/append", {"records": records})
        snapshot_id = appended.json()["snapshot_id"]
        job = await self.call("POST", f"/datasets/{dataset_id}/activate", {"snapshot_id": snapshot_id})
        done = await self.run_job(job.json()["job_id"])
        assert done["status"] == "completed", done
        return dataset_id, snapshot_id


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Api]:
    """An application with these settings, and a key for all of it."""
    edge = create_app(settings)
    application = edge.application
    async with application.router.lifespan_context(application):
        services: Services = application.state.services
        organisation_id = await services.keys.create_organisation("Tests")
        _, key = await services.keys.create(organisation_id, "tests")
        transport = httpx2.ASGITransport(app=edge)
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://test", headers=headers, timeout=60
        ) as client:
            yield Api(client, services, organisation_id, key)


@pytest.fixture(scope="session")
async def api(
    make_settings: Callable[[Path], Settings], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Api]:
    async with serving(make_settings(tmp_path_factory.mktemp("api"))) as running:
        yield running


@pytest.fixture(scope="session")
async def companies(api: Api) -> tuple[str, str]:
    """Dataset and active snapshot of COMPANIES."""
    return await api.activated(COMPANIES)
