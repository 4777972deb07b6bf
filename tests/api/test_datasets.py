"""Datasets and snapshots: what is appended, what is rejected, what serves."""

from __future__ import annotations

import gzip
from typing import Any

import orjson

from tests.api.conftest import COMPANIES, SCHEMA, Api

PEOPLE = {"customer_id": "int", "name": "string", "email": "string", "created_at": "timestamp"}


async def dataset(api: Api, schema: dict[str, str], primary_key: str | None = None, **more: Any) -> str:
    body = {"name": "A dataset", "schema": schema, "primary_key": primary_key, **more}
    response = await api.call("POST", "/datasets", body)
    assert response.status_code == 201, response.text
    created: str = response.json()["dataset_id"]
    return created


async def append(api: Api, dataset_id: str, *records: dict[str, Any]) -> dict[str, Any]:
    response = await api.call("POST", f"/datasets/{dataset_id}/append", {"records": list(records)})
    assert response.status_code == 201, response.text
    summary: dict[str, Any] = response.json()
    return summary


async def activate(api: Api, dataset_id: str, snapshot_id: str) -> dict[str, Any]:
    response = await api.call("POST", f"/datasets/{dataset_id}/activate", {"snapshot_id": snapshot_id})
    assert response.status_code == 202, response.text
    return await api.run_job(response.json()["job_id"])


async def names(api: Api, snapshot_id: str, company: str) -> list[str]:
    body = {"snapshot_id": snapshot_id, "record": {"company": company}, "options": {"threshold": 0.0, "top_n": 50}}
    matches = (await api.call("POST", "/match/record", body)).json()["matches"]
    return [match["record"]["name"] for match in matches]


async def test_the_published_example_gets_the_published_summary(api: Api) -> None:
    dataset_id = await dataset(api, PEOPLE)
    summary = await append(
        api,
        dataset_id,
        {"customer_id": 1, "name": "Acme", "email": "info@acme.com", "created_at": "2024-01-01T00:00:00Z"},
        {"customer_id": 2, "name": "Globex", "email": "info@globex.com", "created_at": "2024-01-02T00:00:00Z"},
    )
    assert (summary["accepted"], summary["rejected"]) == (2, 0)
    assert summary["coercions"] == {"timestamp": 2}
    assert summary["null_pct"]["email"] == 0.0


async def test_a_row_that_cannot_be_coerced_is_rejected_with_its_reasons(api: Api) -> None:
    dataset_id = await dataset(api, PEOPLE)
    summary = await append(
        api,
        dataset_id,
        {"customer_id": "12.5", "name": "Acme", "created_at": "2024"},
        {"customer_id": 2, "extra": 1},
        {"name": "Ok"},
    )
    assert (summary["accepted"], summary["rejected"]) == (1, 2)
    response = await api.call("GET", f"/datasets/{dataset_id}/snapshots/{summary['snapshot_id']}/rejects")
    rejects = [orjson.loads(line) for line in gzip.decompress(response.content).splitlines()]
    assert [reject["row"] for reject in rejects] == [1, 2]
    assert {error["code"] for error in rejects[0]["errors"]} == {"NOT_INT", "INVALID_TIMESTAMP"}
    assert rejects[1]["errors"][0]["code"] == "UNKNOWN_FIELD"


async def test_a_later_row_replaces_and_a_deletion_removes(api: Api) -> None:
    dataset_id = await dataset(api, SCHEMA, "account_id")
    first = await append(api, dataset_id, *COMPANIES)
    await append(api, dataset_id, {"account_id": "a3", "name": "Initech Corporation"})
    last = await append(api, dataset_id, {"account_id": "a5", "_deleted": True})
    snapshot = (await api.call("GET", f"/datasets/{dataset_id}/snapshots/{last['snapshot_id']}")).json()
    assert snapshot["rows"] == len(COMPANIES) - 1
    assert (await activate(api, dataset_id, last["snapshot_id"]))["status"] == "completed"
    assert "Initech Corporation" in await names(api, last["snapshot_id"], "Initech")
    assert "Globex Corporation" not in await names(api, last["snapshot_id"], "Globex Corporation")
    assert "National Bank of Egypt" not in await names(api, last["snapshot_id"], "National Bank of Egypt")
    inactive = await api.call("POST", "/match/record", {"snapshot_id": first["snapshot_id"], "record": {"name": "x"}})
    assert inactive.status_code == 409
    assert "activate" in inactive.json()["error"]["message"]


async def test_the_older_snapshot_stays_for_rollback(api: Api) -> None:
    dataset_id = await dataset(api, SCHEMA, "account_id")
    first = (await append(api, dataset_id, *COMPANIES))["snapshot_id"]
    await activate(api, dataset_id, first)
    second = (await append(api, dataset_id, {"account_id": "n", "name": "Newcomer Ltd"}))["snapshot_id"]
    await activate(api, dataset_id, second)
    shown = (await api.call("GET", f"/datasets/{dataset_id}")).json()
    assert (shown["active_snapshot_id"], shown["rows"]) == (second, len(COMPANIES) + 1)
    assert "Newcomer Ltd" not in await names(api, first, "Newcomer")
    back = await activate(api, dataset_id, first)
    assert back["result"]["reused_index"] is True
    assert (await api.call("GET", f"/datasets/{dataset_id}")).json()["active_snapshot_id"] == first


async def test_without_a_primary_key_rows_add_up(api: Api) -> None:
    dataset_id = await dataset(api, {"name": "string"})
    await append(api, dataset_id, {"name": "Acme"}, {"name": "Acme"})
    last = await append(api, dataset_id, {"name": "Acme"})
    snapshot = (await api.call("GET", f"/datasets/{dataset_id}/snapshots/{last['snapshot_id']}")).json()
    assert snapshot["rows"] == 3


async def test_a_snapshot_without_records_fails_its_activation_plainly(api: Api) -> None:
    dataset_id = await dataset(api, SCHEMA, "account_id")
    empty = await append(api, dataset_id, {"name": "no key"})
    job = await activate(api, dataset_id, empty["snapshot_id"])
    assert job["status"] == "failed"
    assert "no records" in job["error"]["message"]


async def test_roles_are_inferred_and_can_be_set(api: Api) -> None:
    schema = {"id": "string", "account_name": "string", "website": "string", "code": "string"}
    dataset_id = await dataset(api, schema, "id", roles={"code": "text"})
    roles = (await api.call("GET", f"/datasets/{dataset_id}")).json()["roles"]
    assert roles["account_name"] == "organization_name"
    assert roles["website"] == "domain"
    assert roles["code"] == "text"


async def test_a_deleted_dataset_is_gone_with_its_snapshots(api: Api) -> None:
    dataset_id = await dataset(api, SCHEMA, "account_id")
    snapshot_id = (await append(api, dataset_id, *COMPANIES))["snapshot_id"]
    await activate(api, dataset_id, snapshot_id)
    assert (await api.call("DELETE", f"/datasets/{dataset_id}")).status_code == 204
    assert (await api.call("GET", f"/datasets/{dataset_id}")).status_code == 404
    match = await api.call("POST", "/match/record", {"dataset_id": dataset_id, "record": {"name": "Acme"}})
    assert match.status_code == 404
    assert dataset_id not in [row["dataset_id"] for row in (await api.call("GET", "/datasets")).json()["data"]]


async def test_lists_are_paged_by_cursor(api: Api) -> None:
    for _ in range(3):
        await dataset(api, {"name": "string"})
    seen: list[str] = []
    cursor = None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await api.client.get("/api/v2/datasets", params=params)).json()
        seen += [row["dataset_id"] for row in page["data"]]
        cursor = page["next_cursor"]
        if not page["has_more"]:
            break
    assert len(seen) == len(set(seen)) >= 3
    assert seen == sorted(seen, reverse=True)
    assert (await api.client.get("/api/v2/datasets", params={"cursor": "%%%"})).status_code == 400


async def test_a_schema_that_makes_no_sense_is_refused(api: Api) -> None:
    for schema, more in (
        ({}, {}),
        ({"a": "text"}, {}),
        ({"_a": "string"}, {}),
        ({"a": "string"}, {"primary_key": "b"}),
        ({"a": "string"}, {"roles": {"a": "nonsense"}}),
    ):
        response = await api.call("POST", "/datasets", {"name": "x", "schema": schema, **more})
        assert response.status_code == 422, (schema, more)
