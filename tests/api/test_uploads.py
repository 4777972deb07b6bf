"""Uploads: a signed URL takes one file of a bounded size, once, and nothing half."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import pytest
from sqlalchemy import update

from app.db.upload_models import Upload
from app.errors import ArtifactExpired, Conflict, InvalidSchema, UploadNotFound
from app.services.uploads import UploadRules, upload_key
from tests.api.conftest import Api
from tests.live import live

CONTENT = b"id,name\n1,Acme\n"


async def presign(api: Api, purpose: str = "dataset") -> dict[str, Any]:
    response = await api.call("POST", f"/uploads/presign?purpose={purpose}")
    assert response.status_code == 200, response.text
    granted: dict[str, Any] = response.json()
    return granted


async def put(api: Api, url: str, content: Any) -> httpx2.Response:
    """As anybody would: the URL alone, no key."""
    parts = urlsplit(url)
    transport = api.client._transport
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as anybody:
        return await anybody.put(f"{parts.path}?{parts.query}", content=content)


def changed(url: str, **values: Any) -> str:
    parts = urlsplit(url)
    return parts._replace(query=urlencode(dict(parse_qsl(parts.query)) | values)).geturl()


async def pieces(count: int, size: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * size


async def test_a_file_sent_to_its_url_is_stored_as_it_was_sent(api: Api) -> None:
    granted = await presign(api)
    assert granted["max_bytes"] == api.services.settings.upload_limit_bytes
    response = await put(api, granted["upload_url"], CONTENT)
    assert response.json() == {"storage_key": granted["storage_key"], "size_bytes": len(CONTENT)}
    found = await api.services.uploads.local_path(api.organisation_id, granted["storage_key"], "dataset")
    assert found.read_bytes() == CONTENT
    row = await api.services.uploads.check(api.organisation_id, granted["storage_key"], "dataset")
    assert (row.state, row.size_bytes) == ("stored", len(CONTENT))
    assert row.expires_at.timestamp() - time.time() > api.services.settings.uploads_kept_hours * 3600 - 60


async def test_a_url_takes_one_file(api: Api) -> None:
    granted = await presign(api)
    await put(api, granted["upload_url"], CONTENT)
    second = await put(api, granted["upload_url"], b"other")
    assert (second.status_code, second.json()["error"]["code"]) == (409, "CONFLICT")
    found = await api.services.uploads.local_path(api.organisation_id, granted["storage_key"], "dataset")
    assert found.read_bytes() == CONTENT


async def test_of_two_files_sent_at_once_one_is_kept(api: Api) -> None:
    granted = await presign(api)
    answers = await asyncio.gather(*(put(api, granted["upload_url"], pieces(9, 300_000)) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


@pytest.mark.parametrize(
    "change", [{"max_bytes": 10**15}, {"expires": 10**10}, {"organisation_id": "org_x"}, {"signature": "0"}]
)
async def test_a_changed_url_is_refused(api: Api, change: dict[str, Any]) -> None:
    granted = await presign(api)
    response = await put(api, changed(granted["upload_url"], **change), CONTENT)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "FORBIDDEN")


async def test_a_url_is_for_its_own_key(api: Api) -> None:
    one, other = await presign(api), await presign(api)
    response = await put(api, one["upload_url"].replace(one["storage_key"], other["storage_key"]), CONTENT)
    assert response.status_code == 403


async def test_an_expired_url_is_refused(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    granted = await presign(api)
    later = time.time() + api.services.settings.upload_url_lifetime_s + 1
    monkeypatch.setattr("app.services.upload_urls.time.time", lambda: later)
    response = await put(api, granted["upload_url"], CONTENT)
    assert response.status_code == 403
    assert "expired" in response.json()["error"]["message"]


async def test_a_file_over_the_limit_is_refused_while_it_streams_and_leaves_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.services.uploads, "_rules", UploadRules(1_000_000, 60, timedelta(minutes=1)))
    granted = await presign(api)
    response = await put(api, granted["upload_url"], pieces(11, 100_000))
    assert (response.status_code, response.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert response.json()["error"]["details"] == {"limit": 1_000_000, "received": 1_100_000}
    folder = api.services.settings.store_dir / "uploads" / api.organisation_id
    assert not list(folder.glob(".incoming-*"))
    with pytest.raises(Conflict, match="Nothing has been sent"):
        await api.services.uploads.check(api.organisation_id, granted["storage_key"], "dataset")
    again = await put(api, granted["upload_url"], pieces(10, 100_000))
    assert again.status_code == 200


async def test_a_crash_after_the_file_was_stored_loses_nothing(api: Api) -> None:
    granted = await presign(api)
    await api.services.datasets._store.put_bytes(upload_key(api.organisation_id, granted["storage_key"]), CONTENT)
    row = await api.services.uploads.check(api.organisation_id, granted["storage_key"], "dataset")
    assert (row.state, row.size_bytes) == ("stored", len(CONTENT))


async def test_an_upload_is_its_organisations_and_of_its_purpose(api: Api) -> None:
    granted = await presign(api, "match")
    await put(api, granted["upload_url"], CONTENT)
    with pytest.raises(UploadNotFound):
        await api.services.uploads.check("org_other", granted["storage_key"], "match")
    with pytest.raises(InvalidSchema, match="purpose 'match'"):
        await api.services.uploads.check(api.organisation_id, granted["storage_key"], "dataset")


async def test_presign_needs_its_scope_and_a_known_purpose(api: Api) -> None:
    assert (await api.call("POST", "/uploads/presign?purpose=other")).status_code == 422
    assert (await api.call("POST", "/uploads/presign")).status_code == 422
    _, key = await api.services.keys.create(api.organisation_id, "reader", ["datasets:read"])
    headers = {"Authorization": f"Bearer {key}"}
    response = await api.call("POST", "/uploads/presign?purpose=match", headers=headers)
    assert (response.status_code, response.json()["error"]["details"]["scope"]) == (403, "uploads:write")


async def test_a_full_store_is_said(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    granted = await presign(api)

    def full(file: int, content: memoryview) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.files.incoming.os.write", full)
    response = await put(api, granted["upload_url"], CONTENT)
    assert (response.status_code, response.json()["error"]["code"]) == (507, "STORAGE_FULL")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_plain_curl_uploads_a_file_and_a_cut_connection_leaves_the_url_usable(api: Api, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789" * 300_000)
    granted = await presign(api)
    transport: Any = api.client._transport
    async with live(transport.app) as base_url:
        url = granted["upload_url"].replace("http://test", base_url)
        await _cut_off(url)
        curl = await asyncio.create_subprocess_exec(
            "curl", "-sS", "-X", "PUT", url, "-T", str(path), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await curl.communicate()
    assert b'"size_bytes":3000000' in out
    found = await api.services.uploads.local_path(api.organisation_id, granted["storage_key"], "dataset")
    assert found.read_bytes() == path.read_bytes()
    assert not list(found.parent.glob(".incoming-*"))


async def _cut_off(url: str) -> None:
    parts = urlsplit(url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: test\r\nContent-Length: 3000000\r\n\r\n"
    writer.write(head.encode() + b"x" * 1_500_000)
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def test_an_upload_whose_time_is_over_is_gone(api: Api) -> None:
    granted = await presign(api)
    await put(api, granted["upload_url"], CONTENT)
    async with api.services.db.begin() as session:
        await session.execute(update(Upload).where(Upload.id == granted["storage_key"]).values(state="expired"))
    with pytest.raises(ArtifactExpired):
        await api.services.uploads.check(api.organisation_id, granted["storage_key"], "dataset")
