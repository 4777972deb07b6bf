"""Keys over HTTP: shown once, listed without their secret, rotated and revoked."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.api.conftest import Api


async def make(api: Api, **body: Any) -> dict[str, Any]:
    response = await api.call("POST", "/keys", {"name": "made", **body})
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


async def as_key(api: Api, plain: str, method: str, path: str, body: Any = None) -> httpx2.Response:
    return await api.call(method, path, body, headers={"Authorization": f"Bearer {plain}"})


async def test_a_key_is_shown_once_and_works(api: Api) -> None:
    made = await make(api, role="viewer")
    assert (await as_key(api, made["key"], "GET", "/datasets")).status_code == 200
    listed = await api.call("GET", "/keys")
    assert made["key"] not in listed.text
    [shown] = [key for key in listed.json()["data"] if key["key_id"] == made["key_id"]]
    assert made["key"].startswith(shown["prefix"])
    assert (shown["role"], shown["status"]) == ("viewer", "active")


async def test_a_viewer_cannot_match_and_cannot_make_keys(api: Api) -> None:
    plain = (await make(api, role="viewer"))["key"]
    for path, body in (("/keys", {"name": "more", "role": "admin"}), ("/match/record", {})):
        refused = await as_key(api, plain, "POST", path, body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")


async def test_an_admin_of_keys_alone_cannot_make_itself_more(api: Api) -> None:
    plain = (await make(api, scopes=["keys:admin"]))["key"]
    refused = await as_key(api, plain, "POST", "/keys", {"name": "more", "role": "admin"})
    assert refused.status_code == 403
    assert refused.json()["error"]["details"]["scope"] == "audit:read"


async def test_a_revoked_key_is_refused_and_its_end_is_audited(api: Api) -> None:
    made = await make(api, role="viewer")
    assert (await as_key(api, made["key"], "GET", "/datasets")).status_code == 200
    for _ in range(2):
        assert (await api.call("DELETE", f"/keys/{made['key_id']}")).status_code == 204
    assert (await as_key(api, made["key"], "GET", "/datasets")).status_code == 401
    events = (await api.call("GET", "/audit/events", params={"resource": made["key_id"]})).json()["data"]
    assert [event["action"] for event in events] == ["key.revoke", "key.create"]


async def test_a_rotation_that_is_sent_again_shows_the_same_key(api: Api) -> None:
    made = await make(api, role="viewer")
    path, headers = f"/keys/{made['key_id']}/rotate", {"Idempotency-Key": "rotate-once"}
    first, again = [await api.call("POST", path, {"overlap_seconds": 60}, headers=headers) for _ in range(2)]
    assert (first.status_code, first.content) == (201, again.content)
    assert (await as_key(api, first.json()["key"], "GET", "/datasets")).status_code == 200
    assert (await as_key(api, made["key"], "GET", "/datasets")).status_code == 200
    assert (await api.call("POST", path)).status_code == 409


@pytest.mark.parametrize(
    "body",
    [
        {"name": "none"},
        {"name": "both", "role": "viewer", "scopes": ["match:run"]},
        {"name": "\x00", "role": "viewer"},
        {"name": "number", "role": "viewer", "expires_at": 4102444800},
        {"name": "no zone", "role": "viewer", "expires_at": "2030-01-01T00:00:00"},
        {"name": "far", "role": "viewer", "expires_at": "9999-12-31T23:59:59-12:00"},
        {"name": "past", "role": "viewer", "expires_at": "2020-01-01T00:00:00Z"},
    ],
    ids=lambda body: body["name"],
)
async def test_a_key_that_makes_no_sense_is_refused(api: Api, body: dict[str, Any]) -> None:
    refused = await api.call("POST", "/keys", body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "INVALID_SCHEMA")
