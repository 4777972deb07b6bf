"""Idempotency keys over HTTP: replayed byte for byte, bound to their request, and one effect in all."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from app.db.models import JobRow
from app.services import jobs
from tests.api.conftest import SCHEMA, Api

BODY = {"name": "Once", "schema": SCHEMA}


async def create(api: Api, key: str, body: dict[str, Any] = BODY, header: str = "Idempotency-Key") -> httpx2.Response:
    return await api.call("POST", "/datasets", body, headers={header: key})


async def count(api: Api, name: str) -> int:
    listed = (await api.call("GET", "/datasets", params={"limit": 1000})).json()["data"]
    return sum(dataset["name"] == name for dataset in listed)


def code(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


async def test_the_same_request_is_answered_again_and_not_done_again(api: Api) -> None:
    body = {**BODY, "name": "Replayed"}
    first = await create(api, "replay-1", body)
    again = await create(api, "replay-1", body, "X-Idempotency-Key")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert await count(api, "Replayed") == 1


async def test_the_same_key_with_another_body_is_refused(api: Api) -> None:
    await create(api, "other-body")
    assert code(await create(api, "other-body", {**BODY, "name": "Other"})) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_the_same_key_and_body_for_another_dataset_is_refused(api: Api) -> None:
    headers, body = {"Idempotency-Key": "other-path"}, {"records": [{"name": "Acme"}]}
    ids = [(await create(api, f"path-{n}")).json()["dataset_id"] for n in range(2)]
    assert (await api.call("POST", f"/datasets/{ids[0]}/append", body, headers=headers)).status_code == 201
    second = await api.call("POST", f"/datasets/{ids[1]}/append", body, headers=headers)
    assert code(second) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_a_key_belongs_to_its_organisation_and_route(api: Api) -> None:
    first = await create(api, "mine")
    other = await api.services.keys.create_organisation("Other")
    _, key = await api.services.keys.create(other, "other")
    headers = {"Idempotency-Key": "mine", "Authorization": f"Bearer {key}"}
    theirs = await api.call("POST", "/datasets", BODY, headers=headers)
    assert theirs.status_code == 201
    assert theirs.json()["dataset_id"] != first.json()["dataset_id"]


async def test_two_different_keys_in_one_request_are_refused(api: Api) -> None:
    headers = {"Idempotency-Key": "a", "X-Idempotency-Key": "b"}
    assert code(await api.call("POST", "/datasets", BODY, headers=headers)) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_a_key_that_is_empty_or_too_long_is_refused(api: Api, key: str) -> None:
    assert code(await create(api, key)) == (400, "INVALID_REQUEST")


async def test_concurrent_requests_with_one_key_have_one_effect(api: Api) -> None:
    body = {**BODY, "name": "Raced"}
    answers = await asyncio.gather(*(create(api, "race", body) for _ in range(8)))
    made = [answer for answer in answers if answer.status_code == 201]
    assert len({answer.content for answer in made}) == 1
    refused = [answer for answer in answers if answer not in made]
    assert all(code(answer) == (409, "IDEMPOTENCY_IN_PROGRESS") and answer.headers["retry-after"] for answer in refused)
    assert await count(api, "Raced") == 1


async def test_a_request_that_failed_gives_its_key_back(api: Api) -> None:
    assert (await create(api, "fixed", {"name": "No schema"})).status_code == 422
    assert (await create(api, "fixed", BODY)).status_code == 201


async def test_a_match_is_replayed_too(api: Api, companies: tuple[str, str]) -> None:
    body = {"snapshot_id": companies[1], "record": {"name": "Acme Widgets"}}
    headers = {"Idempotency-Key": "match"}
    first, again = [await api.call("POST", "/match/record", body, headers=headers) for _ in range(2)]
    assert first.content == again.content
    assert again.headers["idempotency-replayed"] == "true"


async def test_an_append_is_done_once_with_its_audit_event(api: Api) -> None:
    dataset_id = (await create(api, "for-append")).json()["dataset_id"]
    headers, body = {"Idempotency-Key": "append"}, {"records": [{"name": "Acme"}]}
    first, again = [await api.call("POST", f"/datasets/{dataset_id}/append", body, headers=headers) for _ in range(2)]
    assert first.content == again.content
    snapshots = (await api.call("GET", f"/datasets/{dataset_id}/snapshots")).json()["data"]
    events = await api.call("GET", "/audit/events", params={"resource": dataset_id, "action": "dataset.append"})
    assert (len(snapshots), len(events.json()["data"])) == (1, 1)


async def test_a_job_s_worker_is_woken_after_its_commit(
    api: Api, companies: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[bool] = []
    wake = jobs.JobService._wake

    async def checked(self: jobs.JobService, job_id: str, kind: str) -> None:
        async with api.services.db.begin() as session:
            found.append(await session.get(JobRow, job_id) is not None)
        await wake(self, job_id, kind)

    monkeypatch.setattr(jobs.JobService, "_wake", checked)
    body = {"snapshot_id": companies[1], "records": [{"name": "Acme"}]}
    accepted = await api.call("POST", "/match/batch", body, headers={"Idempotency-Key": "batch"})
    assert (accepted.status_code, found) == (202, [True])


async def test_effects_without_a_kept_answer_are_undone(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: Any) -> None:
        raise OSError("the disk is full")

    body = {**BODY, "name": "Half"}
    with monkeypatch.context() as patched:
        patched.setattr(api.services.idempotency, "finish", fails)
        assert (await create(api, "half", body)).status_code == 500
    assert await count(api, "Half") == 0
    assert (await create(api, "half", body)).status_code == 201


async def test_a_key_without_the_scope_replays_nothing(api: Api) -> None:
    await create(api, "scoped")
    _, reader = await api.services.keys.create(api.organisation_id, "reader", ["datasets:read"])
    headers = {"Idempotency-Key": "scoped", "Authorization": f"Bearer {reader}"}
    assert code(await api.call("POST", "/datasets", BODY, headers=headers)) == (403, "FORBIDDEN")
