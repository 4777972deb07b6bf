"""The outermost layer: security headers on every answer, and requests that are refused before they come in."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from app.config import Settings
from app.main import create_app
from tests.api.conftest import Api


@pytest.mark.parametrize("path", ["/health/live", "/api/v2/datasets", "/api/v2/nothing", "/docs", "/openapi.json"])
async def test_every_answer_has_security_headers(api: Api, path: str) -> None:
    headers = (await api.client.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "strict-transport-security" not in headers


async def test_the_documentation_is_whole_without_any_other_host(api: Api) -> None:
    page = await api.client.get("/docs")
    assert page.status_code == 200
    assert not re.search(r"(src|href)=.(https?:)?//", page.text)
    for asset in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        found = await api.client.get(f"/{asset}")
        assert found.status_code == 200, asset
        assert found.content
    assert "<script>" not in page.text, "the content security policy allows no inline script"
    assert (await api.client.get("/docs/passwd")).status_code == 404


async def test_a_compressed_body_is_refused_and_says_why(api: Api) -> None:
    body = gzip.compress(b'{"name": "a", "schema": {"b": "string"}}')
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    response = await api.client.post("/api/v2/datasets", content=body, headers=headers)
    assert response.status_code == 415
    assert response.json()["error"]["code"] == "UNSUPPORTED_MEDIA_TYPE"


@pytest.fixture
async def named_host(make_settings: Callable[[Path], Settings], tmp_path: Path) -> httpx2.AsyncClient:
    changed = {"allowed_hosts": ["api.acme.com"], "public_base_url": "https://api.acme.com"}
    edge = create_app(make_settings(tmp_path).model_copy(update=changed))
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=edge), base_url="https://api.acme.com")


async def test_only_configured_hosts_are_answered_for(named_host: httpx2.AsyncClient) -> None:
    assert (await named_host.get("/docs")).status_code == 200
    refused = await named_host.get("/docs", headers={"Host": "evil.example"})
    assert refused.status_code == 400
    assert refused.json()["error"]["details"] == {"field": "Host"}


async def test_a_service_behind_https_says_so(named_host: httpx2.AsyncClient) -> None:
    assert "max-age=" in (await named_host.get("/docs")).headers["strict-transport-security"]
