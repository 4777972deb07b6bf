"""GET /decisions on a real OpenSearch: what was decided, by filter and page, for the own organisation only."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.db.models import now
from app.search.decisions import DecisionIndex
from tests.api.conftest import Api

Snapshot = tuple[str, str]


async def match(api: Api, snapshot_id: str, company: str, correlation_id: str = "c") -> dict[str, Any]:
    body = {"snapshot_id": snapshot_id, "record": {"company": company}}
    response = await api.call("POST", "/match/record", body, headers={"X-Correlation-Id": correlation_id})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def written(api: Api) -> None:
    """Waits until all that was noted can be found."""
    await api.services.decisions.close()
    await api.services.search.indices.refresh(index=f"{api.services.settings.index_prefix}-decisions")


async def decisions(api: Api, query: str = "") -> list[dict[str, Any]]:
    answer = await api.call("GET", f"/decisions?{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


async def test_a_match_is_found_with_its_ids_and_evidence(api: Api, companies: Snapshot) -> None:
    answer = await match(api, companies[1], "Globex Corporation", "find-me")
    await written(api)
    found = next(one for one in await decisions(api) if one["correlation_id"] == "find-me")
    best = answer["matches"][0]
    assert (
        found
        | {
            "mode": "record",
            "request_id": answer["request_id"],
            "dataset_id": companies[0],
            "snapshot_id": companies[1],
            "profile": answer["profile"],
            "decision": answer["decision"],
            "record_id": best["record_id"],
            "score": best["score"],
            "reasons": [reason["code"] for reason in best["reasons"]],
            "candidates_considered": answer["candidates_considered"],
            "took_ms": answer["took_ms"],
        }
        == found
    )
    assert "Globex" not in str(found)
    assert "organisation_id" not in found


async def test_a_review_names_the_candidate_to_look_at(api: Api, companies: Snapshot) -> None:
    body = {"snapshot_id": companies[1], "record": {"company": "Globx Corp"}, "options": {"threshold": 1.0}}
    answer = (await api.call("POST", "/match/record", body)).json()
    candidate = answer["review_candidate"]
    assert (answer["decision"], answer["matches"], candidate["decision"]) == ("review", [], "review")
    await written(api)
    found = next(one for one in await decisions(api) if one["request_id"] == answer["request_id"])
    expected = ("review", candidate["record_id"], candidate["score"])
    assert (found["decision"], found["record_id"], found["score"]) == expected


async def test_filters_narrow_and_pages_follow_each_other_newest_first(api: Api, companies: Snapshot) -> None:
    for company in ("Globex", "Zzyzx Unheard Of", "Acme Widgets GmbH"):
        await match(api, companies[1], company)
    await written(api)
    assert {one["decision"] for one in await decisions(api, "decision=no_match")} == {"no_match"}
    assert await decisions(api, "snapshot_id=dss_other") == []
    listed = await decisions(api)
    first = (await api.call("GET", "/decisions?limit=2")).json()
    second = (await api.call("GET", f"/decisions?limit=2&cursor={first['next_cursor']}")).json()
    assert [*first["data"], *second["data"]] == listed[:4]
    assert [one["at"] for one in listed] == sorted((one["at"] for one in listed), reverse=True)


async def test_a_time_span_includes_its_beginning_and_excludes_its_end(api: Api, companies: Snapshot) -> None:
    await match(api, companies[1], "Globex")
    await written(api)
    [newest] = await decisions(api, "limit=1")
    at = newest["at"].replace("+", "%2B")
    assert newest in await decisions(api, f"from={at}")
    assert newest not in await decisions(api, f"to={at}")


async def test_a_batch_leaves_one_decision_a_record_however_often_it_runs(api: Api, companies: Snapshot) -> None:
    records = [{"company": "Globex"}, {"company": "Globex"}, {"company": ""}]
    job_id = (await api.call("POST", "/match/batch", {"snapshot_id": companies[1], "records": records})).json()[
        "job_id"
    ]
    job = await api.services.jobs.claim(job_id)
    assert job is not None
    await api.services.batches.run(job)
    await written(api)
    found = await decisions(api, f"job_id={job_id}")
    assert sorted(one["position"] for one in found) == [0, 1]
    assert len({one["record_hash"] for one in found}) == 1
    assert {one["mode"] for one in found} == {"batch"}


async def test_another_organisation_sees_nothing(api: Api, companies: Snapshot) -> None:
    await match(api, companies[1], "Globex")
    await written(api)
    keys = api.services.keys
    _, key = await keys.create(await keys.create_organisation("Other"), "other")
    answer = await api.call("GET", "/decisions", headers={"Authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.json()["data"]) == (200, [])


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("cursor=nonsense", 400),
        ("from=yesterday", 422),
        ("from=2026-01-01T00:00:00", 422),
        ("decision=maybe", 422),
        ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", 422),
    ],
)
async def test_a_question_that_is_none_is_refused(api: Api, query: str, status: int) -> None:
    assert (await api.call("GET", f"/decisions?{query}")).status_code == status


async def test_the_index_refuses_fields_that_the_template_does_not_name(api: Api) -> None:
    services = api.services
    index = DecisionIndex(services.search, services.settings.index_prefix, 0)
    stranger = {"decision_id": "dec_x", "at": now().isoformat(timespec="milliseconds"), "company": "Secret"}
    assert await index.write([stranger]) == ([], 1)


async def test_days_past_their_lifetime_are_dropped_whole_and_not_shown(api: Api, companies: Snapshot) -> None:
    services = api.services
    await match(api, companies[1], "Globex")
    await written(api)
    index = DecisionIndex(services.search, services.settings.index_prefix, 0)
    old = now() - timedelta(days=31)
    entry = {"organisation_id": api.organisation_id, "snapshot_id": "dss_old"}
    await index.write([{**entry, "decision_id": "dec_old", "at": old.isoformat(timespec="milliseconds")}])
    await written(api)
    assert await decisions(api, "snapshot_id=dss_old") == []
    kept = await decisions(api)
    assert (await services.decisions.expire()).total() == 1
    assert (await services.decisions.expire()).total() == 0
    assert await decisions(api) == kept != []
