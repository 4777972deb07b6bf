"""Limits over HTTP: headers on every authenticated answer, and a refusal that says which limit and when to come back."""

from __future__ import annotations

import time

import httpx2
import pytest

from tests.api.conftest import Api

FREE_REQUESTS, FREE_SLOTS, FREE_JOBS = 60, 2, 2


@pytest.fixture
async def free(api: Api) -> Api:
    """A client of an organisation in the smallest tier."""
    organisation_id = await api.services.keys.create_organisation("Free")
    _, key = await api.services.keys.create(organisation_id, "free")
    await api.services.credits.set_tier(organisation_id, "free")
    headers = {"Authorization": f"Bearer {key}"}
    return Api(
        httpx2.AsyncClient(transport=api.client._transport, base_url="http://test", headers=headers),
        api.services,
        organisation_id,
        key,
    )


def rate_headers(answer: httpx2.Response) -> set[str]:
    names = {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit", "ratelimit-policy"}
    return names & {name.lower() for name in answer.headers}


async def test_every_authenticated_answer_says_where_the_limit_is(free: Api) -> None:
    for path, status in (("/datasets", 200), ("/datasets/nothing", 404), ("/jobs?limit=0", 422)):
        answer = await free.call("GET", path)
        assert answer.status_code == status
        assert len(rate_headers(answer)) == 5, path


async def test_an_answer_to_nobody_says_nothing_of_limits(free: Api) -> None:
    answer = await free.call("GET", "/datasets", headers={"Authorization": "Bearer fo_wrong"})
    assert answer.status_code == 401
    assert not rate_headers(answer)


async def test_headers_agree_with_each_other(free: Api) -> None:
    answer = await free.call("GET", "/datasets")
    left, reset = int(answer.headers["X-RateLimit-Remaining"]), int(answer.headers["X-RateLimit-Reset"])
    assert answer.headers["X-RateLimit-Limit"] == str(FREE_REQUESTS)
    assert answer.headers["RateLimit-Policy"] == f'"default";q={FREE_REQUESTS};w=60'
    assert answer.headers["RateLimit"].startswith(f'"default";r={left};t=')
    assert left < FREE_REQUESTS
    assert time.time() < reset < time.time() + 62


async def test_over_the_rate_is_429_with_when_to_come_back(free: Api) -> None:
    answers = [await free.call("GET", "/datasets") for _ in range(FREE_REQUESTS + 1)]
    assert [answer.status_code for answer in answers] == [200] * FREE_REQUESTS + [429]
    refused = answers[-1]
    error = refused.json()["error"]
    assert (error["code"], error["details"]["reason"]) == ("RATE_LIMIT", "rate")
    assert 1 <= int(refused.headers["Retry-After"]) <= 61
    assert refused.headers["X-Concurrency-Limit"] == str(FREE_SLOTS)
    assert refused.headers["X-Queue-Depth"] == "0"
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert len(rate_headers(refused)) == 5


async def test_over_the_concurrency_is_429_until_a_request_has_ended(free: Api) -> None:
    running = [await free.services.limits.admit(free.organisation_id) for _ in range(FREE_SLOTS)]
    refused = await free.call("GET", "/datasets")
    assert refused.status_code == 429
    assert refused.json()["error"]["details"]["reason"] == "concurrency"
    running[0].release()
    assert [(await free.call("GET", "/datasets")).status_code for _ in range(3)] == [200] * 3
    running[1].release()


async def test_over_the_queue_is_429_and_accepts_no_job(free: Api) -> None:
    schema = {"name": "string"}
    dataset_id = (await free.call("POST", "/datasets", {"name": "One", "schema": schema})).json()["dataset_id"]
    append = await free.call("POST", f"/datasets/{dataset_id}/append", {"records": [{"name": "Acme"}]})
    body = {"snapshot_id": append.json()["snapshot_id"]}
    answers = [await free.call("POST", f"/datasets/{dataset_id}/activate", body) for _ in range(FREE_JOBS + 1)]
    assert [answer.status_code for answer in answers] == [202] * FREE_JOBS + [429]
    assert answers[-1].json()["error"]["details"]["reason"] == "queue"
    assert answers[-1].headers["X-Queue-Depth"] == str(FREE_JOBS)
    assert len((await free.call("GET", "/jobs")).json()["data"]) == FREE_JOBS
