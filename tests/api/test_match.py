"""One record, a batch and an explanation through the whole application on real engines."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Api

Snapshot = tuple[str, str]
_WIDGET_MAKERS = (
    "Baltic Cobalt Delta Ember Fjord Garnet Harbor Indigo Juniper Kestrel Lagoon Meridian Nimbus Onyx".split()
)


async def match(api: Api, snapshot_id: str, record: dict[str, Any], **options: Any) -> dict[str, Any]:
    response = await api.call(
        "POST", "/match/record", {"snapshot_id": snapshot_id, "record": record, "options": options}
    )
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"company_name": "Acme Widgets", "domain": "acme.com"}, "a1"),
        ({"company": "Acme Widgets", "email": "jo@mail.acme.de", "country": "Germany"}, "a2"),
        ({"company": "Globx Corp", "city": "Springfield"}, "a3"),
        ({"Company": "MULLER UND SOHNE", "Country": "DE"}, "a4"),
        ({"company": "NBE", "country": "EG"}, "a5"),
        ({"name": "Reia 13 Fund"}, "a8"),
    ],
)
async def test_a_lead_finds_its_account(api: Api, companies: Snapshot, record: dict[str, Any], expected: str) -> None:
    answer = await match(api, companies[1], record, threshold=0.0, top_n=1)
    assert answer["matches"][0]["record_id"] == expected


async def test_weights_and_prior_add_up_to_the_match_weight(api: Api, companies: Snapshot) -> None:
    record = {"company": "Acme Widgets", "email": "jo@acme.de", "city": "Berlin"}
    answer = await match(api, companies[1], record, threshold=0.0, return_explanations=True)
    for found in answer["matches"]:
        explained = found["explanation"]
        total = explained["prior"] + sum(reason["weight"] for reason in found["reasons"])
        assert total == pytest.approx(explained["match_weight"], abs=0.05)


async def test_the_same_request_gives_the_same_matches(api: Api, companies: Snapshot) -> None:
    record = {"company": "Reia Fund"}
    first, second = [await match(api, companies[1], record, threshold=0.0, top_n=50) for _ in range(2)]
    assert first["matches"] == second["matches"]


async def test_two_equal_candidates_share_the_probability(api: Api, companies: Snapshot) -> None:
    answer = await match(api, companies[1], {"company": "Reia Fund LP"}, threshold=0.0, top_n=2)
    scores = [found["score"] for found in answer["matches"]]
    assert sum(scores) <= 1.0
    assert all("AMBIGUOUS" in [reason["code"] for reason in found["reasons"]] for found in answer["matches"])


async def test_the_threshold_is_inclusive(api: Api, companies: Snapshot) -> None:
    record = {"company": "Globex", "city": "Springfield"}
    best = (await match(api, companies[1], record, threshold=0.0, top_n=1))["matches"][0]["score"]
    assert len((await match(api, companies[1], record, threshold=best))["matches"]) == 1
    higher = min(1.0, best + 1e-6)
    assert (await match(api, companies[1], record, threshold=higher))["decision"] != "match"


async def test_a_field_that_pairs_with_nothing_is_named(api: Api, companies: Snapshot) -> None:
    record = {"company": "Globex", "shoe_size": "43"}
    answer = await match(api, companies[1], record)
    assert answer["warnings"] == [{"code": "FIELD_UNUSED", "field": "shoe_size"}]
    body = {"snapshot_id": companies[1], "record": record, "options": {"strict": True}}
    strict = await api.call("POST", "/match/record", body)
    assert strict.status_code == 422
    assert strict.json()["error"]["details"]["field"] == "shoe_size"


async def test_a_field_map_pairs_fields_by_hand(api: Api, companies: Snapshot) -> None:
    answer = await match(
        api, companies[1], {"zzz": "Globex"}, field_map={"zzz": "name"}, threshold=0.0, return_explanations=True
    )
    assert answer["matches"][0]["explanation"]["mapping"] == {"zzz": ["name"]}


async def test_a_free_mail_host_is_no_evidence(api: Api, companies: Snapshot) -> None:
    body = {"snapshot_id": companies[1], "record": {"email": "acme@gmail.com"}}
    response = await api.call("POST", "/match/record", body)
    assert response.status_code == 422


async def test_an_explanation_of_a_pair_that_was_not_retrieved(api: Api, companies: Snapshot) -> None:
    body = {"snapshot_id": companies[1], "record": {"company": "Globex"}, "record_id": "a5"}
    response = await api.call("POST", "/match/explain", body)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer["record_id"] == "a5"
    assert answer["decision"] == "no_match"


async def test_an_explanation_says_what_would_flip_a_match(api: Api, companies: Snapshot) -> None:
    body = {"snapshot_id": companies[1], "record": {"company": "Globex Corp", "city": "Springfield"}, "record_id": "a3"}
    answer = (await api.call("POST", "/match/explain", body)).json()
    assert answer["retrieved"] is True
    assert answer["decision"] == "match"
    assert answer["flip"]["to"] == "no_match"
    assert answer["flip"]["without"]


async def test_an_explanation_says_what_would_make_it_a_match_and_what_may_be_unseen(
    api: Api, companies: Snapshot
) -> None:
    record = {"company": "Globex", "city": "Springfield"}
    body = {"snapshot_id": companies[1], "record": record, "record_id": "a5"}
    answer = (await api.call("POST", "/match/explain", body)).json()
    assert answer["flip"]["to"] == "match"
    assert "NAME_EXACT" in [one["code"] for one in answer["flip"]["agreements"]]
    found = answer["explanation"]["retrieval"]
    assert (found["rank"], found["unseen"]["complete"]) == (None, True)
    [name] = [one for one in answer["explanation"]["fields"] if one["field"] == "name"]
    assert [(word["token"], word["matched"]) for word in name["words"]["record"]] == [("globex", False)]


async def test_a_pair_that_was_retrieved_but_not_worth_comparing_is_explained_at_its_rank(api: Api) -> None:
    twins = [{"account_id": f"w{at:02}", "name": f"Widgets {name}"} for at, name in enumerate(_WIDGET_MAKERS)]
    _, snapshot_id = await api.activated([{"account_id": "a1", "name": "Acme Widgets", "website": "acme.com"}, *twins])
    record = {"company": "Acme Widgets", "website": "acme.com"}
    told = await match(api, snapshot_id, record)
    everything = await match(api, snapshot_id, record, threshold=0.0, top_n=50, return_explanations=True)
    assert told["candidates_considered"] < everything["candidates_considered"]
    ranks = {one["record_id"]: one["explanation"]["retrieval"]["rank"] for one in everything["matches"]}
    last = max(ranks, key=lambda record_id: int(ranks[record_id]))
    body = {"snapshot_id": snapshot_id, "record": record, "record_id": last}
    answer = (await api.call("POST", "/match/explain", body)).json()
    assert answer["retrieved"] is True
    assert answer["explanation"]["retrieval"]["rank"] == ranks[last] > 10
    assert answer["decision"] == "no_match"


async def test_a_batch_answers_as_single_requests_do(api: Api, companies: Snapshot) -> None:
    records = [{"id": "x", "company": "Globex"}, {"company": "Acme Widgets", "country": "DE"}, {"company": ""}]
    response = await api.call("POST", "/match/batch", {"snapshot_id": companies[1], "records": records})
    assert response.status_code == 202
    job_id = response.json()["job_id"]
    assert response.headers["location"].endswith(job_id)
    assert (await api.run_job(job_id))["status"] == "completed"
    results = (await api.call("GET", f"/jobs/{job_id}/results")).json()["results"]
    assert results[0]["id"] == "x"
    single = await match(api, companies[1], {"company": "Globex"})
    assert results[0]["matches"] == single["matches"]
    assert results[2]["error"]["code"] == "INVALID_SCHEMA"


async def test_batch_results_come_as_ndjson_when_asked(api: Api, companies: Snapshot) -> None:
    body = {"snapshot_id": companies[1], "records": [{"company": "Globex"}] * 3}
    job_id = (await api.call("POST", "/match/batch", body)).json()["job_id"]
    not_ready = await api.call("GET", f"/jobs/{job_id}/results")
    assert not_ready.status_code == 409
    assert not_ready.json()["error"]["code"] == "JOB_NOT_READY"
    await api.run_job(job_id)
    lines = await api.call("GET", f"/jobs/{job_id}/results", headers={"Accept": "application/x-ndjson"})
    assert len(lines.text.splitlines()) == 3
