"""Credits over HTTP: headers by mode, refusals with a way to pay, jobs that hold and capture, usage that adds up."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from app.db.models import now
from app.errors import InsufficientCredits
from tests.api.conftest import COMPANIES, Api

RECORD = {"name": "Acme Widgets", "website": "acme.com"}
PRICE_OF_ACTIVATION = 10


@pytest.fixture
async def payer(api: Api) -> Api:
    """A client of an organisation of its own, in shadow mode and without credits, as every new one is."""
    organisation_id = await api.services.keys.create_organisation("Payer")
    _, key = await api.services.keys.create(organisation_id, "payer")
    headers = {"Authorization": f"Bearer {key}"}
    client = httpx2.AsyncClient(transport=api.client._transport, base_url="http://test", headers=headers, timeout=60)
    return Api(client, api.services, organisation_id, key)


async def enforce(payer: Api, credits: int) -> None:
    """As many credits as given are left, and they are all there are."""
    left = (await payer.call("GET", "/billing/balance")).json()["balance"]
    await payer.call("PUT", "/billing/mode", {"mode": "enforced"})
    assert (await payer.call("POST", "/billing/grants", {"credits": credits - left})).status_code == 201


async def balance(payer: Api) -> dict[str, Any]:
    answer: dict[str, Any] = (await payer.call("GET", "/billing/balance")).json()
    return answer


async def match(payer: Api, snapshot_id: str) -> httpx2.Response:
    return await payer.call("POST", "/match/record", {"snapshot_id": snapshot_id, "record": RECORD})


async def test_shadow_mode_counts_in_its_own_header_and_refuses_nothing(payer: Api) -> None:
    _, snapshot_id = await payer.activated(COMPANIES)
    before = await balance(payer)
    answers = [await match(payer, snapshot_id) for _ in range(2)]
    left = [int(answer.headers["X-Credits-Remaining-Simulated"]) for answer in answers]
    assert left == [before["available_simulated"] - 1, before["available_simulated"] - 2]
    assert left[1] < 0
    assert all("X-Credits-Remaining" not in answer.headers for answer in answers)


async def test_headers_go_on_from_the_balance_that_was_asked_for(payer: Api) -> None:
    """With nothing of its own to write, a process still learns what a job was charged elsewhere."""
    dataset_id, _ = await payer.activated(COMPANIES)
    added = await payer.call(
        "POST", f"/datasets/{dataset_id}/append", {"records": [{**COMPANIES[0], "account_id": "z"}]}
    )
    await balance(payer)
    snapshot_id = added.json()["snapshot_id"]
    accepted = await payer.call("POST", f"/datasets/{dataset_id}/activate", {"snapshot_id": snapshot_id})
    await payer.run_job(accepted.json()["job_id"])
    asked = await balance(payer)
    left = int((await match(payer, snapshot_id)).headers["X-Credits-Remaining-Simulated"])
    assert left == asked["available_simulated"] - 1


async def test_enforced_mode_takes_credits_and_refuses_with_a_way_to_pay(payer: Api) -> None:
    _, snapshot_id = await payer.activated(COMPANIES)
    await enforce(payer, 2)
    answers = [await match(payer, snapshot_id) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 402]
    assert [answer.headers["X-Credits-Remaining"] for answer in answers] == ["1", "0", "0"]
    assert all("X-Credits-Remaining-Simulated" not in answer.headers for answer in answers)
    error = answers[2].json()["error"]
    assert (error["code"], error["details"]) == ("INSUFFICIENT_CREDITS", {"required": 1, "available": 0})
    assert answers[2].headers["Link"] == '</api/v2/billing/grants>; rel="payment"'


async def test_an_answer_that_is_an_error_costs_nothing(payer: Api) -> None:
    _, snapshot_id = await payer.activated(COMPANIES)
    await enforce(payer, 5)
    refused = await payer.call("POST", "/match/record", {"snapshot_id": snapshot_id, "record": {"name": ""}})
    assert refused.status_code == 422
    assert (await balance(payer))["balance"] == 5


async def test_a_batch_holds_its_price_and_captures_it_when_it_completes(payer: Api) -> None:
    _, snapshot_id = await payer.activated(COMPANIES)
    await enforce(payer, 10)
    body = {"snapshot_id": snapshot_id, "records": [RECORD] * 6}
    accepted = await payer.call("POST", "/match/batch", body)
    assert accepted.status_code == 202
    assert [(await balance(payer))[part] for part in ("balance", "held", "available")] == [10, 6, 4]
    assert (await payer.call("POST", "/match/batch", body)).status_code == 402
    await payer.run_job(accepted.json()["job_id"])
    assert [(await balance(payer))[part] for part in ("balance", "held", "available")] == [4, 0, 4]


async def test_a_cancelled_batch_gives_everything_back(payer: Api) -> None:
    _, snapshot_id = await payer.activated(COMPANIES)
    await enforce(payer, 10)
    body = {"snapshot_id": snapshot_id, "records": [RECORD] * 6}
    job_id = (await payer.call("POST", "/match/batch", body)).json()["job_id"]
    await payer.call("POST", f"/jobs/{job_id}/cancel")
    assert [(await balance(payer))[part] for part in ("balance", "held")] == [10, 0]


async def test_a_failed_activation_gives_everything_back(payer: Api) -> None:
    schema = {"name": "int"}
    dataset_id = (await payer.call("POST", "/datasets", {"name": "Empty", "schema": schema})).json()["dataset_id"]
    appended = await payer.call("POST", f"/datasets/{dataset_id}/append", {"records": [{"name": "no number"}]})
    await enforce(payer, PRICE_OF_ACTIVATION)
    body = {"snapshot_id": appended.json()["snapshot_id"]}
    job_id = (await payer.call("POST", f"/datasets/{dataset_id}/activate", body)).json()["job_id"]
    assert (await balance(payer))["held"] == PRICE_OF_ACTIVATION
    assert (await payer.run_job(job_id))["status"] == "failed"
    assert [(await balance(payer))[part] for part in ("balance", "held")] == [PRICE_OF_ACTIVATION, 0]


async def test_records_that_a_job_finds_are_held_as_they_are_read(payer: Api) -> None:
    await enforce(payer, 2)
    job_id = (await payer.services.jobs.create(payer.organisation_id, "append", {}))["job_id"]
    assert (await balance(payer))["held"] == 0
    await payer.services.jobs.claim(job_id)
    await payer.services.jobs.progress(job_id, 900, 5000)
    assert (await balance(payer))["held"] == 1
    with pytest.raises(InsufficientCredits):
        await payer.services.jobs.progress(job_id, 2001, 5000)
    await payer.services.jobs.complete(job_id, {})
    assert [(await balance(payer))[part] for part in ("balance", "held")] == [1, 0]


async def test_usage_adds_up_by_day_and_by_operation(payer: Api) -> None:
    _, snapshot_id = await payer.activated(COMPANIES)
    await enforce(payer, 10)
    await match(payer, snapshot_id)
    by_operation = (await payer.call("GET", "/billing/usage?group_by=operation")).json()["data"]
    assert by_operation == [
        {"operation": "datasets.activate", "units": 1, "credits": 0, "credits_simulated": PRICE_OF_ACTIVATION},
        {"operation": "datasets.append", "units": len(COMPANIES), "credits": 0, "credits_simulated": 1},
        {"operation": "match.record", "units": 1, "credits": 1, "credits_simulated": 0},
    ]
    by_day = (await payer.call("GET", "/billing/usage")).json()
    assert by_day["to"] == now().date().isoformat()
    assert [(line["credits"], line["credits_simulated"]) for line in by_day["data"]] == [(1, 11)]


@pytest.mark.parametrize("span", ["from=2026-05-02&to=2026-05-01", "from=2020-01-01&to=2026-01-01", "from=May"])
async def test_a_span_that_is_none_is_refused(payer: Api, span: str) -> None:
    assert (await payer.call("GET", f"/billing/usage?{span}")).status_code == 422


async def test_the_first_day_of_all_is_a_day(payer: Api) -> None:
    assert (await payer.call("GET", "/billing/usage?to=0001-01-01")).json()["from"] == "0001-01-01"


async def test_billing_needs_its_scopes(payer: Api) -> None:
    _, key = await payer.services.keys.create(payer.organisation_id, "matcher", ["match:run"])
    headers = {"Authorization": f"Bearer {key}"}
    for method, path, body in (
        ("GET", "/billing/balance", None),
        ("GET", "/billing/usage", None),
        ("POST", "/billing/grants", {"credits": 1}),
        ("PUT", "/billing/mode", {"mode": "shadow"}),
    ):
        assert (await payer.call(method, path, body, headers=headers)).status_code == 403


async def test_grants_modes_and_tiers_stand_in_the_audit_trail(payer: Api) -> None:
    grant_id = (await payer.call("POST", "/billing/grants", {"credits": 5, "reason": "May"})).json()["grant_id"]
    await payer.call("PUT", "/billing/mode", {"mode": "enforced"})
    await payer.services.credits.set_tier(payer.organisation_id, "scale")
    events = (await payer.call("GET", "/audit/events?limit=3")).json()["data"]
    assert [(event["action"], event["resource"]) for event in reversed(events)] == [
        ("credits.grant", grant_id),
        ("billing.set_mode", payer.organisation_id),
        ("organisation.set_tier", payer.organisation_id),
    ]
