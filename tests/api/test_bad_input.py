"""Whatever is sent, the answer is the contract's: a clear error with its envelope, or a correct result; never a 500."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Api

Snapshot = tuple[str, str]


def record_body(companies: Snapshot, record: Any, **options: Any) -> dict[str, Any]:
    return {"snapshot_id": companies[1], "record": record, "options": options}


@pytest.mark.parametrize(
    ("record", "status"),
    [
        ({}, 422),
        ({"company": ""}, 422),
        ({"company": None}, 422),
        ({"company": "   "}, 422),
        ({"company": ["Globex"]}, 422),
        ({"company": {"a": 1}}, 422),
        ([], 422),
        ("Globex", 422),
        ({"company": "!!!"}, 422),
        ({"company": "x" * 100_000}, 200),
        ({"company": "Glo\x00bex\x07"}, 200),
        ({"company": "شركة الاتصالات"}, 200),
        ({"company": "🏭 Globex 𝔊𝔩𝔬𝔟𝔢𝔵"}, 200),
        ({"company": 12345}, 200),
        ({"company": True}, 200),
        ({"company": 1e300}, 200),
        ({"company": "Globex", "website": "http://[::1"}, 200),
        ({"company": "Globex", "email": "@@@"}, 200),
        ({"company": "Globex", "country": "?"}, 200),
        ({"" if False else " ": "Globex", "company": "Globex"}, 200),
    ],
)
async def test_a_record_of_any_kind(api: Api, companies: Snapshot, record: Any, status: int) -> None:
    response = await api.call("POST", "/match/record", record_body(companies, record))
    assert response.status_code == status, response.text
    if status != 200:
        assert response.json()["error"]["code"] == "INVALID_SCHEMA"


@pytest.mark.parametrize(
    "options",
    [
        {"threshold": 1.5},
        {"threshold": "high"},
        {"top_n": 0},
        {"top_n": 51},
        {"top_n": 2.5},
        {"profile": "nope"},
        {"profile": "balanced@99"},
        {"unknown": 1},
        {"field_map": {"company": "no_such_field"}},
        {"strict": "yes"},
    ],
)
async def test_a_wrong_option_is_named(api: Api, companies: Snapshot, options: dict[str, Any]) -> None:
    response = await api.call("POST", "/match/record", record_body(companies, {"company": "Globex"}, **options))
    assert response.status_code == 422, response.text
    assert next(iter(options)) in response.json()["error"]["details"]["field"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"snapshot_id": NaN}',
        b'{"record": {"a": "\\ud800"}}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    ],
)
async def test_a_body_that_is_no_json(api: Api, raw: bytes) -> None:
    response = await api.client.post("/api/v2/match/record", content=raw, headers={"Content-Type": "application/json"})
    assert response.status_code in (400, 422), response.text
    assert response.json()["error"]["code"] in ("INVALID_REQUEST", "INVALID_SCHEMA")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/datasets", {"name": "A\0", "schema": {"id": "string"}}),
        ("/datasets", {"name": "A", "schema": {"i\0d": "string"}}),
        ("/match/batch", {"snapshot_id": "dss_1", "records": [{"company": "Glo\0bex"}]}),
        ("/match/batch", {"snapshot_id": "dss_1", "records": [{"com\0pany": "Globex"}]}),
        ("/match/record", {"snapshot_id": "dss\0", "record": {"company": "Globex"}}),
        ("/match/record", {"snapshot_id": "dss_1", "record": {"company": "A"}, "options": {"profile": "\0"}}),
        ("/datasets/ds_1/append", {"source_key": "sk\0"}),
        ("/datasets/ds_1/labels", {"labels": [{"record": {"company": ["\0"]}, "record_id": "a", "match": True}]}),
        ("/datasets/d%00s/labels", {"labels": [{"record": {"company": "A"}, "record_id": "a", "match": True}]}),
    ],
)
async def test_a_text_with_a_nul_is_refused_where_it_would_be_kept(api: Api, path: str, body: dict[str, Any]) -> None:
    """PostgreSQL takes no NUL, and one in the JSON of a job would break every question about the jobs' JSON."""
    response = await api.call("POST", path, body)
    assert response.status_code == 422, response.text
    assert "U+0000" in response.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/jobs/job%00", "/datasets?cursor=%00", "/standing-decisions?record_id=a%00"])
async def test_an_address_with_a_nul_is_refused(api: Api, path: str) -> None:
    response = await api.call("GET", path)
    assert (response.status_code, response.json()["error"]["code"]) == (422, "INVALID_SCHEMA")


async def test_a_body_over_its_limit(api: Api, companies: Snapshot) -> None:
    response = await api.call("POST", "/match/record", record_body(companies, {"company": "x" * 200_000}))
    assert response.status_code == 413
    details = response.json()["error"]["details"]
    assert details["limit"] == 128 * 1024
    assert details["received"] > details["limit"]


async def test_a_batch_of_too_many_records(api: Api, companies: Snapshot) -> None:
    body = {"snapshot_id": companies[1], "records": [{"company": "a"}] * 101}
    response = await api.call("POST", "/match/batch", body)
    assert response.status_code == 413
    assert response.json()["error"]["details"] == {"limit": 100, "received": 101}


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        ({"snapshot_id": "dss_01J8X9Y2Z3A4B5C6D7E8F9G0H1"}, 404, "SNAPSHOT_NOT_FOUND"),
        ({"snapshot_id": "nonsense"}, 404, "SNAPSHOT_NOT_FOUND"),
        ({"dataset_id": "ds_01J8X9Y2Z3A4B5C6D7E8F9G0H1"}, 404, "DATASET_NOT_FOUND"),
        ({}, 422, "INVALID_SCHEMA"),
        ({"dataset_id": "a", "snapshot_id": "b"}, 422, "INVALID_SCHEMA"),
    ],
)
async def test_a_target_that_is_not_there(api: Api, target: dict[str, str], status: int, code: str) -> None:
    response = await api.call("POST", "/match/record", {**target, "record": {"company": "Globex"}})
    assert response.status_code == status
    assert response.json()["error"]["code"] == code


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/v2/nothing", 404), ("PUT", "/api/v2/datasets", 405), ("GET", "/nothing", 404)],
)
async def test_the_frameworks_errors_have_our_envelope(api: Api, method: str, path: str, status: int) -> None:
    response = await api.client.request(method, path)
    assert response.status_code == status
    body = response.json()
    assert set(body) == {"error", "correlation_id", "request_id"}
    assert response.headers["x-request-id"] == body["request_id"]


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer nonsense", "Basic dXNlcjpwYXNz"])
async def test_no_valid_key_is_unauthorized(api: Api, header: str | None) -> None:
    headers = {"Authorization": header} if header is not None else {"Authorization": ""}
    response = await api.client.get("/api/v2/datasets", headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["error"]["code"] == "UNAUTHORIZED"


async def test_a_missing_scope_is_named(api: Api) -> None:
    _, key = await api.services.keys.create(api.organisation_id, "reader", ["datasets:read"])
    headers = {"Authorization": f"Bearer {key}"}
    response = await api.call("POST", "/match/record", {"snapshot_id": "x", "record": {"a": "b"}}, headers=headers)
    assert response.status_code == 403
    assert response.json()["error"]["details"]["scope"] == "match:run"


async def test_another_organisations_snapshot_is_not_found(api: Api, companies: Snapshot) -> None:
    other = await api.services.keys.create_organisation("Other")
    _, key = await api.services.keys.create(other, "other")
    headers = {"Authorization": f"Bearer {key}"}
    response = await api.call(
        "POST", "/match/record", {"snapshot_id": companies[1], "record": {"company": "Globex"}}, headers=headers
    )
    assert response.status_code == 404
    assert (await api.call("GET", f"/datasets/{companies[0]}", headers=headers)).status_code == 404


async def test_a_correlation_id_is_echoed_and_a_wrong_one_replaced(api: Api) -> None:
    good = await api.client.get("/health/live", headers={"X-Correlation-Id": "abc-1.2_3"})
    assert good.headers["x-correlation-id"] == "abc-1.2_3"
    bad = await api.client.get("/health/live", headers={"X-Correlation-Id": "a b"})
    assert bad.headers["x-correlation-id"] != "a b"
