"""Every mutation over HTTP leaves its event, with the key that did it and the request's ids."""

from __future__ import annotations

from typing import Any

import orjson

from tests.api.conftest import COMPANIES, SCHEMA, Api


async def events(api: Api, **filters: str) -> list[dict[str, Any]]:
    response = await api.call("GET", "/audit/events", params=filters)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["data"]
    return found


async def test_a_dataset_s_life_is_audited_from_creation_to_deletion(api: Api) -> None:
    body = {"name": "Audited", "schema": SCHEMA, "primary_key": "account_id"}
    created = await api.call("POST", "/datasets", body, headers={"X-Correlation-Id": "audit-1"})
    dataset_id = created.json()["dataset_id"]
    appended = (await api.call("POST", f"/datasets/{dataset_id}/append", {"records": COMPANIES})).json()
    snapshot = {"snapshot_id": appended["snapshot_id"]}
    asked = await api.call("POST", f"/datasets/{dataset_id}/activate", snapshot)
    await api.run_job(asked.json()["job_id"])
    await api.call("DELETE", f"/datasets/{dataset_id}")

    found = await events(api, resource=dataset_id)
    actions = ["dataset.delete", "dataset.activate", "dataset.append", "dataset.create"]
    assert [event["action"] for event in found] == actions
    first, activated = found[-1], found[1]
    key_id = (await api.services.keys.authenticate(api.key)).key_id
    assert {event["actor"] for event in found} == {key_id}
    assert (first["request_id"], first["correlation_id"]) == (created.headers["x-request-id"], "audit-1")
    assert activated["request_id"] == asked.headers["x-request-id"], "the worker acts for the request that asked"
    [requested] = await events(api, resource=asked.json()["job_id"])
    assert (requested["action"], requested["details"]["dataset_id"]) == ("job.create", dataset_id)


async def test_cancelling_a_job_twice_is_one_event(api: Api, companies: tuple[str, str]) -> None:
    body = {"snapshot_id": companies[1], "records": [{"name": "Acme"}]}
    job_id = (await api.call("POST", "/match/batch", body)).json()["job_id"]
    for _ in range(2):
        assert (await api.call("POST", f"/jobs/{job_id}/cancel")).status_code == 200
    assert [event["action"] for event in await events(api, resource=job_id)] == ["job.cancel", "job.create"]


async def test_an_upload_is_told_from_its_url_to_its_file(api: Api) -> None:
    storage_key = await api.uploaded(b"name\nAcme\n")
    found = await events(api, resource=storage_key)
    assert [(event["action"], event["details"]) for event in found] == [
        ("upload.receive", {"size_bytes": 10}),
        ("upload.presign", {"purpose": "match"}),
    ]


async def test_no_event_holds_a_value_of_a_record(api: Api, companies: tuple[str, str]) -> None:
    exported = await api.call("GET", "/audit/events", headers={"Accept": "application/x-ndjson"})
    assert exported.headers["content-type"].startswith("application/x-ndjson")
    assert [orjson.loads(line)["seq"] for line in exported.content.splitlines()][:2] == [1, 2]
    assert b"acme" not in exported.content.lower()


async def test_another_organisation_sees_none_of_our_events(api: Api) -> None:
    other = await api.services.keys.create_organisation("Curious")
    _, key = await api.services.keys.create(other, "curious", ["audit:read"])
    response = await api.call("GET", "/audit/events", headers={"Authorization": f"Bearer {key}"})
    assert {event["organisation_id"] for event in response.json()["data"]} == {other}


async def test_a_cursor_that_is_no_number_is_a_bad_request(api: Api) -> None:
    response = await api.call("GET", "/audit/events", params={"cursor": "YWJj"})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "INVALID_REQUEST")
