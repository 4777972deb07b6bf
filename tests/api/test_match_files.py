"""A file through the whole application: accepted, matched in chunks, assembled, downloaded."""

from __future__ import annotations

import csv
import gzip
import io
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from app.services.job_events import follow
from tests.api.conftest import Api

Snapshot = tuple[str, str]
LEADS = [
    {"lead": "l1", "company": "Acme Widgets", "email": "jo@mail.acme.de"},
    {"lead": "l2", "company": "Globx Corp", "email": ""},
    {"lead": "l3", "company": "Nobody Knows This One", "email": ""},
    {"lead": "l4", "company": "MULLER UND SOHNE", "email": "info@mueller-soehne.de"},
]


def as_csv(records: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(records[0]))
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue().encode()


async def submitted(api: Api, snapshot_id: str, content: bytes, **asked: Any) -> str:
    key = await api.uploaded(content)
    response = await api.call("POST", "/match/files", {"snapshot_id": snapshot_id, "source_key": key, **asked})
    assert response.status_code == 202, response.text
    assert response.headers["location"] == response.json()["poll_url"]
    job_id: str = response.json()["job_id"]
    return job_id


async def finished(api: Api, snapshot_id: str, content: bytes, **asked: Any) -> dict[str, Any]:
    job_id = await submitted(api, snapshot_id, content, **asked)
    await api.services.lane.drain()
    job: dict[str, Any] = (await api.call("GET", f"/jobs/{job_id}")).json()
    return job


async def results(api: Api, job: dict[str, Any]) -> list[dict[str, str]]:
    response = await api.client.get(job["results_url"])
    assert response.status_code == 200, response.text
    return list(csv.DictReader(io.StringIO(response.text)))


async def rejects(api: Api, job: dict[str, Any]) -> list[dict[str, Any]]:
    response = await api.client.get(job["rejects_url"])
    assert response.status_code == 200, response.text
    return [orjson.loads(line) for line in gzip.decompress(response.content).splitlines()]


async def test_a_file_keeps_its_columns_and_gets_its_matches(api: Api, companies: Snapshot) -> None:
    job = await finished(api, companies[1], as_csv(LEADS), options={"profile": "leads_to_accounts", "top_n": 1})
    assert job["status"] == "completed", job
    assert job["progress"] == {"processed": 4, "total": 4, "percentage": 100.0}
    rows = await results(api, job)
    assert list(rows[0]) == [
        *("lead", "company", "email"),
        *("match_record_id", "match_score", "match_confidence", "match_decision", "match_reasons", "match_rank"),
    ]
    assert [(row["lead"], row["match_record_id"]) for row in rows] == [
        ("l1", "a2"),
        ("l2", "a3"),
        ("l3", ""),
        ("l4", "a4"),
    ]
    assert rows[2]["match_decision"] == "no_match"


async def test_bad_rows_are_rejects_with_line_and_code_and_stop_nothing(api: Api, companies: Snapshot) -> None:
    content = b'lead,company\nl1,Acme Widgets GmbH\nl2,too,many\n,\nl4,"Globex\nCorporation"\nl5,"*"\n'
    job = await finished(api, companies[1], content)
    assert job["status"] == "completed", job
    rows, bad = await results(api, job), await rejects(api, job)
    assert {row["lead"] for row in rows} == {"l1", "l4"}
    assert [(one["row"], one["line"]) for one in bad] == [(2, 3), (3, 4), (5, 7)]
    assert all(one["errors"][0]["code"] for one in bad)
    assert job["result"]["rows"] == 5
    assert job["result"]["rejected"] == 3


async def test_the_result_is_the_same_bytes_whatever_the_chunks_and_the_order(api: Api, companies: Snapshot) -> None:
    content = as_csv(LEADS * 50)
    one, other = [await finished(api, companies[1], content) for _ in range(2)]
    first, second = [await api.client.get(job["results_url"]) for job in (one, other)]
    assert first.content == second.content
    assert len(first.content) > 1000


async def test_a_file_answers_what_match_record_answers(api: Api, companies: Snapshot) -> None:
    options = {"profile": "leads_to_accounts", "threshold": 0.0, "top_n": 3}
    rows = await results(api, await finished(api, companies[1], as_csv(LEADS), options=options))
    for lead in LEADS:
        body = {"snapshot_id": companies[1], "record": lead, "options": options}
        answer = (await api.call("POST", "/match/record", body)).json()
        found = [row for row in rows if row["lead"] == lead["lead"] and row["match_record_id"]]
        assert [(row["match_record_id"], float(row["match_score"]), row["match_decision"]) for row in found] == [
            (match["record_id"], match["score"], match["decision"]) for match in answer["matches"]
        ]
        assert [orjson.loads(row["match_reasons"]) for row in found] == [m["reasons"] for m in answer["matches"]]


async def test_an_event_that_was_seen_is_not_told_again(api: Api, companies: Snapshot) -> None:
    job_id = await submitted(api, companies[1], as_csv(LEADS))
    events = follow(api.services.jobs, api.organisation_id, job_id, last_id="queued-0-0")
    await api.services.lane.drain()
    [end] = [event async for event in events]
    assert end.startswith(b"event: end\nid: completed-4-4\n")


@pytest.mark.parametrize("output_format", ["ndjson", "parquet"])
async def test_other_formats_hold_the_same_rows(api: Api, companies: Snapshot, output_format: str) -> None:
    plain = await results(api, await finished(api, companies[1], as_csv(LEADS)))
    job = await finished(api, companies[1], as_csv(LEADS), output_format=output_format)
    content = (await api.client.get(job["results_url"])).content
    if output_format == "parquet":
        rows = pq.read_table(io.BytesIO(content)).to_pylist()
    else:
        rows = [orjson.loads(line) for line in content.splitlines()]
    assert list(rows[0]) == list(plain[0])
    assert [row["match_record_id"] or "" for row in rows] == [row["match_record_id"] for row in plain]
    assert [row["match_score"] for row in rows] == [
        float(row["match_score"]) if row["match_score"] else None for row in plain
    ]


async def test_a_missing_upload_is_found_out_at_once(api: Api, companies: Snapshot) -> None:
    body = {"snapshot_id": companies[1], "source_key": "sk_01J8X9Y2Z3A4B5C6D7E8F9G0H1"}
    response = await api.call("POST", "/match/files", body)
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "UPLOAD_NOT_FOUND"


async def test_a_column_that_the_result_needs_fails_the_job_with_its_name(api: Api, companies: Snapshot) -> None:
    job = await finished(api, companies[1], b"company,match_score\nAcme,1\n")
    assert job["status"] == "failed"
    assert job["error"]["details"]["field"] == "match_score"


async def test_results_of_an_unfinished_job_are_not_ready(api: Api, companies: Snapshot) -> None:
    job_id = await submitted(api, companies[1], as_csv(LEADS))
    for place in ("results", "rejects"):
        response = await api.call("GET", f"/jobs/{job_id}/{place}")
        assert (response.status_code, response.json()["error"]["code"]) == (409, "JOB_NOT_READY")
    await api.services.lane.drain()


async def test_a_cancelled_job_stops_and_leaves_no_chunks(api: Api, companies: Snapshot) -> None:
    job_id = await submitted(api, companies[1], as_csv(LEADS))
    assert await api.services.lane.work_once()
    assert (await api.call("POST", f"/jobs/{job_id}/cancel")).json()["status"] == "cancelled"
    await api.services.lane.drain()
    assert (await api.call("GET", f"/jobs/{job_id}")).json()["status"] == "cancelled"
    assert not (api.services.settings.store_dir / "jobs" / job_id / "work").exists()


async def test_events_tell_the_progress_and_close_at_the_end(api: Api, companies: Snapshot) -> None:
    job = await finished(api, companies[1], as_csv(LEADS))
    response = await api.call("GET", f"/jobs/{job['job_id']}/events")
    assert response.headers["content-type"].startswith("text/event-stream")
    [event] = response.text.strip().split("\n\n")
    name, event_id, data = event.split("\n")
    assert (name, event_id) == ("event: end", "id: completed-4-4")
    assert orjson.loads(data.removeprefix("data: "))["status"] == "completed"


@pytest.mark.parametrize("place", ["results", "rejects", "events"])
async def test_another_organisation_sees_nothing_of_a_job(api: Api, companies: Snapshot, place: str) -> None:
    job = await finished(api, companies[1], as_csv(LEADS))
    other = await api.services.keys.create_organisation("Others")
    _, key = await api.services.keys.create(other, "others")
    headers = {"Authorization": f"Bearer {key}"}
    response = await api.client.get(f"/api/v2/jobs/{job['job_id']}/{place}", headers=headers)
    assert response.status_code == 404
