"""A file matched again where the answers can have changed: over HTTP, from the first job to the delta's result."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import update

from app.db.models import JobRow, now
from app.ids import Prefix, new_id
from tests.api.conftest import COMPANIES, Api
from tests.api.test_match_files import as_csv, finished, results

FILLERS = [
    {"account_id": f"f{i}", "name": f"Filler {word} Works", "website": f"filler-{word.lower()}.example"}
    for i, word in enumerate("Oak Elm Ash Fir Yew Bay Box Fig Ivy Nut Pea Rye Soy Tea Ale Bun Cod Dip Egg Fry".split())
]
LEADS = [
    {"lead": "l1", "company": "Acme Widgets GmbH", "email": "jo@acme.de"},
    {"lead": "l2", "company": "Globex Corporation", "email": "ann@globex.com"},
    {"lead": "l3", "company": "Zyxomatic Pumps", "email": "info@zyxomatic.example"},
    {"lead": "l4", "company": "National Bank of Egypt", "email": ""},
    {"lead": "l5", "company": "", "email": ""},
]
CHANGES = [
    {"account_id": "a3", "_deleted": True},
    {"account_id": "n1", "name": "Zyxomatic Pumps Ltd.", "website": "zyxomatic.example"},
]
OPTIONS = {"profile": "leads_to_accounts"}


@dataclass
class Case:
    """A finished file job, and a later snapshot that is active."""

    api: Api
    dataset_id: str
    before: str
    after: str
    job_id: str

    def body(self, **other: Any) -> dict[str, Any]:
        return {"from_snapshot_id": self.before, "to_snapshot_id": self.after, "job_id": self.job_id, **other}

    async def refusal(self, **other: Any) -> tuple[int, str]:
        response = await self.api.call("POST", "/match/delta", self.body(**other))
        return response.status_code, response.json()["error"]["code"]

    async def submitted(self, **other: Any) -> dict[str, Any]:
        response = await self.api.call("POST", "/match/delta", self.body(**other))
        assert response.status_code == 202, response.text
        accepted: dict[str, Any] = response.json()
        return accepted

    async def ended(self, **other: Any) -> dict[str, Any]:
        accepted = await self.submitted(**other)
        await self.api.services.lane.drain()
        job: dict[str, Any] = (await self.api.call("GET", f"/jobs/{accepted['job_id']}")).json()
        return job


async def appended(api: Api, dataset_id: str, records: list[dict[str, Any]]) -> str:
    response = await api.call("POST", f"/datasets/{dataset_id}/append", {"records": records})
    snapshot_id: str = response.json()["snapshot_id"]
    return snapshot_id


async def activate(api: Api, dataset_id: str, snapshot_id: str) -> None:
    job = await api.call("POST", f"/datasets/{dataset_id}/activate", {"snapshot_id": snapshot_id})
    assert (await api.run_job(job.json()["job_id"]))["status"] == "completed"


async def made(api: Api, **asked: Any) -> Case:
    dataset_id, before = await api.activated([*COMPANIES, *FILLERS])
    job = await finished(api, before, as_csv(LEADS), options=OPTIONS, **asked)
    assert job["status"] == "completed", job
    after = await appended(api, dataset_id, CHANGES)
    await activate(api, dataset_id, after)
    return Case(api, dataset_id, before, after, job["job_id"])


@pytest.fixture(scope="module")
async def case(api: Api) -> Case:
    return await made(api)


async def test_only_the_answers_that_differ_are_told_with_both_answers(case: Case) -> None:
    job = await case.ended()
    assert job["status"] == "completed", job
    assert (job["kind"], job["progress"]["processed"]) == ("match_delta", 5)
    rows = await results(case.api, job)
    times = [f"match_{time}_{name}" for time in ("before", "after") for name in _COLUMNS]
    assert list(rows[0]) == ["lead", "company", "email", "match_change", *times]
    told = [
        (row["lead"], row["match_change"], row["match_before_record_id"], row["match_after_record_id"]) for row in rows
    ]
    assert told == [("l2", "disappeared", "a3", ""), ("l3", "appeared", "", "n1")]
    assert rows[1]["match_after_decision"] == "match"
    assert float(rows[1]["match_after_score"]) > 0.8
    assert orjson.loads(rows[1]["match_after_record_ids"]) == ["n1"]
    assert orjson.loads(rows[1]["match_before_record_ids"]) == []


_COLUMNS = ("decision", "record_id", "score", "record_ids")


async def test_the_job_sums_up_what_became_of_the_rows(case: Case) -> None:
    result = (await case.ended())["result"]
    counts = {name: result[name] for name in ("rows", "rejected", "appeared", "disappeared", "changed", "unchanged")}
    assert counts == {"rows": 5, "rejected": 1, "appeared": 1, "disappeared": 1, "changed": 0, "unchanged": 2}
    assert (result["records_added_or_changed"], result["records_removed"], result["everything"]) == (1, 1, None)
    assert result["matched_again"] < 4


async def test_only_rows_that_were_matched_again_are_paid(case: Case) -> None:
    async def used() -> int:
        usage = (await case.api.call("GET", "/billing/usage", params={"group_by": "operation"})).json()
        return sum(one["units"] for one in usage["data"] if one["operation"] == "match.files")

    before = await used()
    job = await case.ended()
    assert await used() - before == job["result"]["matched_again"]


async def test_a_delta_can_be_made_of_a_delta(api: Api) -> None:
    case = await made(api)
    first = await case.ended()
    third = await appended(case.api, case.dataset_id, [{"account_id": "a3", **_without_key(COMPANIES[2])}])
    await activate(case.api, case.dataset_id, third)
    again = await case.ended(from_snapshot_id=case.after, to_snapshot_id=third, job_id=first["job_id"])
    told = [(row["lead"], row["match_change"], row["match_after_record_id"]) for row in await results(case.api, again)]
    assert told == [("l2", "appeared", "a3")]


def _without_key(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "account_id"}


async def test_the_result_comes_in_the_first_jobs_format(api: Api) -> None:
    case = await made(api, output_format="ndjson")
    job = await case.ended()
    lines = (await api.client.get(job["results_url"])).content.splitlines()
    assert [orjson.loads(line)["match_change"] for line in lines] == ["disappeared", "appeared"]
    assert orjson.loads(lines[0])["match_after_score"] is None


async def test_a_large_change_matches_every_row_again_and_says_why(api: Api) -> None:
    dataset_id, before = await api.activated(COMPANIES)
    job = await finished(api, before, as_csv(LEADS), options=OPTIONS)
    after = await appended(api, dataset_id, CHANGES)
    await activate(api, dataset_id, after)
    delta = await Case(api, dataset_id, before, after, job["job_id"]).ended()
    assert (delta["result"]["everything"], delta["result"]["matched_again"]) == ("MANY_CHANGES", 5)
    assert [row["lead"] for row in await results(api, delta)] == ["l2", "l3"]


async def test_without_the_earlier_index_every_row_is_matched_again(api: Api) -> None:
    case = await made(api)
    third = await appended(api, case.dataset_id, [{"account_id": "n2", "name": "Another Newcomer"}])
    await activate(api, case.dataset_id, third)
    api.services.match._targets._known.clear()  # as after the seconds for which a process remembers an index
    job = await case.ended(to_snapshot_id=third)
    assert (job["result"]["everything"], job["result"]["matched_again"]) == ("INDEX_GONE", 5)
    assert job["result"]["records_removed"] is None
    assert [row["match_change"] for row in await results(api, job)] == ["disappeared", "appeared"]


async def test_a_standing_decision_counts(api: Api) -> None:
    case = await made(api)
    standing = {"dataset_id": case.dataset_id, "record": LEADS[0], "record_id": "a1", "verdict": "always"}
    assert (await api.call("POST", "/decisions/standing", standing)).status_code == 201
    rows = await results(api, await case.ended())
    told = [(row["match_change"], row["match_after_record_id"]) for row in rows if row["lead"] == "l1"]
    assert told == [("changed", "a1")]


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"from_snapshot_id": new_id(Prefix.SNAPSHOT)}, (404, "SNAPSHOT_NOT_FOUND")),
        ({"to_snapshot_id": new_id(Prefix.SNAPSHOT)}, (404, "SNAPSHOT_NOT_FOUND")),
        ({"job_id": new_id(Prefix.JOB)}, (404, "JOB_NOT_FOUND")),
        ({"callback_url": "http://127.0.0.1/"}, (422, "INVALID_SCHEMA")),
    ],
)
async def test_what_does_not_exist_is_refused(case: Case, other: dict[str, str], code: tuple[int, str]) -> None:
    assert await case.refusal(**other) == code


async def test_snapshots_must_be_two_of_one_dataset_and_the_jobs_own(case: Case, companies: tuple[str, str]) -> None:
    assert await case.refusal(to_snapshot_id=case.before) == (422, "INVALID_SCHEMA")
    assert await case.refusal(to_snapshot_id=companies[1]) == (422, "INVALID_SCHEMA")
    assert await case.refusal(from_snapshot_id=case.after, to_snapshot_id=case.before) == (409, "CONFLICT")


async def test_a_snapshot_without_index_must_be_activated_first(case: Case) -> None:
    built_by_nobody = await appended(case.api, case.dataset_id, [FILLERS[0]])
    assert await case.refusal(to_snapshot_id=built_by_nobody) == (409, "SNAPSHOT_NOT_ACTIVE")


async def test_a_job_must_have_matched_a_file_to_its_end(case: Case) -> None:
    body = {"snapshot_id": case.before, "records": [{"name": "Acme"}]}
    batch = (await case.api.call("POST", "/match/batch", body)).json()["job_id"]
    await case.api.run_job(batch)
    assert await case.refusal(job_id=batch) == (422, "INVALID_SCHEMA")
    unfinished = (await case.submitted())["job_id"]
    other = {"from_snapshot_id": case.after, "to_snapshot_id": case.before, "job_id": unfinished}
    assert await case.refusal(**other) == (409, "JOB_NOT_READY")
    assert (await case.api.call("POST", f"/jobs/{unfinished}/cancel")).json()["status"] == "cancelled"
    assert await case.refusal(**other) == (409, "CONFLICT")


async def test_a_job_whose_answers_are_gone_is_refused(api: Api) -> None:
    case = await made(api)
    async with api.services.db.begin() as session:
        long_ago = now() - timedelta(days=3)
        await session.execute(update(JobRow).where(JobRow.id == case.job_id).values(finished_at=long_ago))
    await api.services.retention.run()
    assert await case.refusal() == (410, "ARTIFACT_EXPIRED")


async def test_a_file_with_a_column_that_the_result_needs_is_refused(api: Api) -> None:
    dataset_id, before = await api.activated(COMPANIES)
    job = await finished(api, before, b"company,match_change\nAcme Widgets,1\n", options=OPTIONS)
    after = await appended(api, dataset_id, CHANGES)
    await activate(api, dataset_id, after)
    assert await Case(api, dataset_id, before, after, job["job_id"]).refusal() == (422, "INVALID_SCHEMA")


async def test_a_cancelled_delta_stops_and_leaves_no_chunks(case: Case) -> None:
    job_id = (await case.submitted())["job_id"]
    assert await case.api.services.lane.work_once()
    assert (await case.api.call("POST", f"/jobs/{job_id}/cancel")).json()["status"] == "cancelled"
    await case.api.services.lane.drain()
    assert (await case.api.call("GET", f"/jobs/{job_id}")).json()["status"] == "cancelled"
    assert not (case.api.services.settings.store_dir / "jobs" / job_id / "work").exists()


async def test_the_same_request_makes_one_job(case: Case) -> None:
    headers = {"Idempotency-Key": "delta-once"}
    one, other = [await case.api.call("POST", "/match/delta", case.body(), headers=headers) for _ in range(2)]
    assert one.json()["job_id"] == other.json()["job_id"]
    await case.api.services.lane.drain()


async def test_a_delta_without_changes_is_an_empty_file_with_its_header(api: Api) -> None:
    case = await made(api)
    same = await appended(api, case.dataset_id, CHANGES[1:])
    await activate(api, case.dataset_id, same)
    first = await case.ended()
    job = await case.ended(from_snapshot_id=case.after, to_snapshot_id=same, job_id=first["job_id"])
    text = (await api.client.get(job["results_url"])).text
    assert list(csv.DictReader(io.StringIO(text))) == []
    assert text.startswith("lead,company,email,match_change,")
    assert job["result"]["records_added_or_changed"] == 0
