"""Standing decisions over HTTP: they hold at once, in every mode, and for the next snapshot too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.bootstrap import build
from tests.api.conftest import COMPANIES, Api

GLOBEX = {"company": "Globex Corp", "city": "Springfield"}
ACME = {"company": "Acme Widgets"}


@pytest.fixture(scope="module")
async def activated(api: Api) -> tuple[str, str]:
    return await api.activated(COMPANIES)


@pytest.fixture
async def dataset(api: Api, activated: tuple[str, str]) -> AsyncIterator[tuple[str, str]]:
    """Dataset and active snapshot of COMPANIES; what a test decides is withdrawn after it."""
    yield activated
    made = (await api.call("GET", f"/decisions/standing?dataset_id={activated[0]}")).json()["data"]
    for decision in made:
        await api.call("DELETE", f"/decisions/standing/{decision['decision_id']}")


async def decide(api: Api, dataset_id: str, record: dict[str, Any], record_id: str, verdict: str, **more: Any) -> str:
    body = {"dataset_id": dataset_id, "record": record, "record_id": record_id, "verdict": verdict, **more}
    made = await api.call("POST", "/decisions/standing", body)
    assert made.status_code == 201, made.text
    decision_id: str = made.json()["decision_id"]
    return decision_id


async def match(api: Api, dataset_id: str, record: dict[str, Any], **options: Any) -> dict[str, Any]:
    response = await api.call("POST", "/match/record", {"dataset_id": dataset_id, "record": record, "options": options})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def test_an_always_is_answered_first_although_retrieval_missed_it(api: Api, dataset: tuple[str, str]) -> None:
    decision_id = await decide(api, dataset[0], GLOBEX, "a5", "always", note="bought by the bank")
    answer = await match(api, dataset[0], GLOBEX)
    first = answer["matches"][0]
    assert (answer["decision"], first["record_id"], first["decision"], first["score"]) == ("match", "a5", "match", 1.0)
    chip = first["reasons"][0]
    assert (chip["code"], chip["decision_id"], chip["actor"][:4]) == ("STANDING_ALWAYS", decision_id, "key_")


async def test_an_always_leaves_the_others_their_places(api: Api, dataset: tuple[str, str]) -> None:
    before = await match(api, dataset[0], GLOBEX, threshold=0.0, top_n=50)
    await decide(api, dataset[0], GLOBEX, "a5", "always")
    after = await match(api, dataset[0], GLOBEX, threshold=0.0, top_n=50)
    assert {one["record_id"] for one in after["matches"]} == {one["record_id"] for one in before["matches"]} | {"a5"}


async def test_a_never_gives_its_place_and_its_odds_to_another(api: Api, dataset: tuple[str, str]) -> None:
    before = await match(api, dataset[0], ACME, threshold=0.0, top_n=2)
    gone, other = (one["record_id"] for one in before["matches"])
    await decide(api, dataset[0], ACME, gone, "never")
    after = await match(api, dataset[0], ACME, threshold=0.0, top_n=50)
    assert gone not in [one["record_id"] for one in after["matches"]]
    assert after["matches"][0]["record_id"] == other
    assert after["matches"][0]["score"] > before["matches"][1]["score"]


async def test_a_never_is_explained_as_opposed(api: Api, dataset: tuple[str, str]) -> None:
    await decide(api, dataset[0], GLOBEX, "a3", "never")
    body = {"dataset_id": dataset[0], "record": GLOBEX, "record_id": "a3"}
    answer = (await api.call("POST", "/match/explain", body)).json()
    assert (answer["decision"], answer["score"], answer["retrieved"]) == ("no_match", 0.0, True)
    assert (answer["reasons"][0]["code"], answer["reasons"][0]["effect"]) == ("STANDING_NEVER", "opposes")


@pytest.mark.parametrize("verdict", ["always", "never"])
async def test_weights_of_decided_pairs_add_up(api: Api, dataset: tuple[str, str], verdict: str) -> None:
    await decide(api, dataset[0], ACME, "a1", verdict)
    for record_id in ("a1", "a2", "a5"):
        body = {"dataset_id": dataset[0], "record": ACME, "record_id": record_id}
        answer = (await api.call("POST", "/match/explain", body)).json()
        total = answer["explanation"]["prior"] + sum(reason["weight"] for reason in answer["reasons"])
        assert total == pytest.approx(answer["explanation"]["match_weight"], abs=0.06)


async def test_a_decision_holds_for_every_record_that_compares_alike(api: Api, dataset: tuple[str, str]) -> None:
    await decide(api, dataset[0], {"company": "Globex Corp", "website": "www.globex.org"}, "a5", "always")
    same = {"Website": "http://GLOBEX.org/about", "account_name": "GLOBEX corp.", "shoe_size": "43"}
    assert (await match(api, dataset[0], same))["matches"][0]["record_id"] == "a5"
    assert (await match(api, dataset[0], GLOBEX))["matches"][0]["record_id"] == "a3"


async def test_a_colleague_of_a_decided_lead_is_the_same_to_the_leads_profile(
    api: Api, dataset: tuple[str, str]
) -> None:
    await decide(api, dataset[0], {"company": "Globex", "email": "jo@globex.org"}, "a5", "always")
    lead = {"company": "Globex", "email": "sam@globex.org", "first_name": "Sam"}
    answer = await match(api, dataset[0], lead, profile="leads_to_accounts")
    assert answer["matches"][0]["record_id"] == "a5"


async def test_a_batch_honours_them_as_single_requests_do(api: Api, dataset: tuple[str, str]) -> None:
    await decide(api, dataset[0], ACME, "a2", "never")
    body = {"dataset_id": dataset[0], "records": [ACME, GLOBEX], "options": {"threshold": 0.0}}
    job_id = (await api.call("POST", "/match/batch", body)).json()["job_id"]
    await api.run_job(job_id)
    results = (await api.call("GET", f"/jobs/{job_id}/results")).json()["results"]
    for record, result in zip((ACME, GLOBEX), results, strict=True):
        assert result["matches"] == (await match(api, dataset[0], record, threshold=0.0))["matches"]


async def test_another_process_sees_a_decision_made_here(api: Api, dataset: tuple[str, str]) -> None:
    other = await build(api.services.settings)
    try:
        target = await other.match.resolve(api.organisation_id, dataset[1], None)
        assert target.learned.decided == ()
        await decide(api, dataset[0], GLOBEX, "a5", "always")
        other.learned.forget(dataset[0])  # as if its half second were over
        target = await other.match.resolve(api.organisation_id, dataset[1], None)
        assert [one.decision.record_id for one in target.learned.decided] == ["a5"]
    finally:
        await other.close()


async def test_withdrawn_and_newer_decisions_change_the_answer(api: Api, dataset: tuple[str, str]) -> None:
    first = await decide(api, dataset[0], GLOBEX, "a5", "always")
    second = await decide(api, dataset[0], GLOBEX, "a6", "always")
    assert (await match(api, dataset[0], GLOBEX))["matches"][0]["record_id"] == "a6"
    await decide(api, dataset[0], GLOBEX, "a6", "never")
    assert (await match(api, dataset[0], GLOBEX))["matches"][0]["record_id"] == "a5"
    for decision_id in (first, second):
        assert (await api.call("DELETE", f"/decisions/standing/{decision_id}")).status_code == 204
    assert (await match(api, dataset[0], GLOBEX))["matches"][0]["record_id"] == "a3"
    assert (await api.call("DELETE", f"/decisions/standing/{first}")).status_code == 404


async def test_decisions_are_listed_by_dataset_record_and_verdict(api: Api, dataset: tuple[str, str]) -> None:
    always = await decide(api, dataset[0], GLOBEX, "a5", "always")
    never = await decide(api, dataset[0], ACME, "a1", "never", expires_at=_in(timedelta(days=1)))
    for query, expected in (("", [never, always]), ("&verdict=always", [always]), ("&record_id=a1", [never])):
        listed = (await api.call("GET", f"/decisions/standing?dataset_id={dataset[0]}{query}")).json()
        assert [one["decision_id"] for one in listed["data"]] == expected


async def test_decisions_leave_a_trail_without_the_records_values(api: Api, dataset: tuple[str, str]) -> None:
    decision_id = await decide(api, dataset[0], GLOBEX, "a5", "never")
    await api.call("DELETE", f"/decisions/standing/{decision_id}")
    events = (await api.call("GET", f"/audit/events?resource={decision_id}")).json()["data"]
    assert [event["action"] for event in events] == ["standing_decision.delete", "standing_decision.create"]
    assert events[0]["details"] == {"dataset_id": dataset[0], "record_id": "a5", "verdict": "never"}


def _in(time: timedelta) -> str:
    return (datetime.now(UTC) + time).isoformat()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"expires_at": "2020-01-01T00:00:00Z"}, 422),
        ({"record_id": "nobody"}, 404),
        ({"record": {"shoe_size": "43"}}, 422),
        ({"record": {"company": ["Globex"]}}, 422),
        ({"dataset_id": "ds_nothing"}, 404),
        ({"verdict": "maybe"}, 422),
    ],
)
async def test_what_cannot_be_decided_is_refused(
    api: Api, companies: tuple[str, str], change: dict[str, Any], status: int
) -> None:
    body = {"dataset_id": companies[0], "record": GLOBEX, "record_id": "a3", "verdict": "always", **change}
    assert (await api.call("POST", "/decisions/standing", body)).status_code == status


async def test_a_dataset_without_primary_key_takes_no_decisions(api: Api) -> None:
    created = await api.call("POST", "/datasets", {"name": "Keyless", "schema": {"name": "string"}})
    dataset_id = created.json()["dataset_id"]
    appended = await api.call("POST", f"/datasets/{dataset_id}/append", {"records": [{"name": "Globex"}]})
    snapshot = {"snapshot_id": appended.json()["snapshot_id"]}
    job = await api.call("POST", f"/datasets/{dataset_id}/activate", snapshot)
    await api.run_job(job.json()["job_id"])
    found = (await match(api, dataset_id, {"name": "Globex"}, threshold=0.0))["matches"][0]["record_id"]
    body = {"dataset_id": dataset_id, "record": {"name": "Globex"}, "record_id": found, "verdict": "never"}
    refused = await api.call("POST", "/decisions/standing", body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "CONFLICT")
    assert "primary key" in refused.json()["error"]["message"]


async def test_decisions_survive_the_next_snapshot(api: Api, dataset: tuple[str, str]) -> None:
    await decide(api, dataset[0], GLOBEX, "a5", "always")
    more = [{"account_id": "a9", "name": "Globex Corp", "city": "Springfield"}]
    appended = await api.call("POST", f"/datasets/{dataset[0]}/append", {"records": more})
    snapshot_id = appended.json()["snapshot_id"]
    job = await api.call("POST", f"/datasets/{dataset[0]}/activate", {"snapshot_id": snapshot_id})
    await api.run_job(job.json()["job_id"])
    body = {"snapshot_id": snapshot_id, "record": GLOBEX}
    answer = (await api.call("POST", "/match/record", body)).json()
    assert answer["matches"][0]["record_id"] == "a5"
