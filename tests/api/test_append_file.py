"""Appending an upload: the outcome of its rows appended inline, as a job."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.files.snapshots import SEQ, SnapshotRows
from app.services.runner import JobRunner
from tests.api.conftest import Api
from tests.api.test_datasets import append, dataset
from tests.api.test_uploads import presign, put

SCHEMA = {"id": "int", "name": "string", "rate": "float", "active": "bool", "since": "timestamp"}
ROWS: list[dict[str, Any]] = [
    {"id": "1", "name": "Acme", "rate": "1.5", "active": "true", "since": "2024-01-01"},
    {"id": "2", "name": "Müller, KG", "rate": None, "active": "FALSE", "since": "2024-01-01T10:00:00+02:00"},
    {"id": "12.5", "name": "Half", "rate": "x", "active": "maybe", "since": "2024"},
    {"id": None, "name": "No key", "rate": None, "active": None, "since": None},
    {"id": None, "name": None, "rate": None, "active": None, "since": None},
    {"id": " 3 ", "name": None, "rate": "nan", "active": None, "since": None},
    {"id": "4", "name": "x" * 40_000, "rate": None, "active": None, "since": None},
    {"id": "5", "name": "a\nb", "rate": "1e3", "active": "True", "since": "2024-02-30"},
    {"id": "1", "name": "Acme again", "rate": "2", "active": None, "since": "2024-05-05 05:05"},
]


def as_csv(rows: list[dict[str, Any]], delimiter: str = ",") -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def as_ndjson(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


async def append_file(api: Api, dataset_id: str, content: bytes, **more: Any) -> dict[str, Any]:
    """The finished job."""
    granted = await presign(api)
    assert (await put(api, granted["upload_url"], content)).status_code == 200
    body = {"source_key": granted["storage_key"], **more}
    response = await api.call("POST", f"/datasets/{dataset_id}/append", body)
    assert response.status_code == 202, response.text
    assert response.headers["Location"] == response.json()["poll_url"]
    return await api.run_job(response.json()["job_id"])


async def rejects(api: Api, dataset_id: str, snapshot_id: str) -> list[dict[str, Any]]:
    response = await api.call("GET", f"/datasets/{dataset_id}/snapshots/{snapshot_id}/rejects")
    return [orjson.loads(line) for line in gzip.decompress(response.content).splitlines()]


async def stored(api: Api, dataset_id: str, snapshot_id: str) -> list[dict[str, Any]]:
    manifest = await api.services.datasets.manifest(api.organisation_id, dataset_id, snapshot_id)
    root: Path = api.services.settings.store_dir
    rows = [row for batch in SnapshotRows(root, manifest).batches(1_000) for row in batch.to_pylist()]
    return [{name: value for name, value in row.items() if name != SEQ} for row in rows]


@pytest.mark.parametrize("primary_key", ["id", None])
@pytest.mark.parametrize("make", [as_csv, as_ndjson, as_parquet])
async def test_a_file_has_the_outcome_of_its_rows_appended_inline(api: Api, make: Any, primary_key: str | None) -> None:
    inline, filed = await dataset(api, SCHEMA, primary_key), await dataset(api, SCHEMA, primary_key)
    expected = await append(api, inline, *ROWS)
    job = await append_file(api, filed, make(ROWS))
    assert job["status"] == "completed", job
    assert job["progress"]["percentage"] == 100.0
    result = job["result"]
    summary = ("accepted", "rejected", "coercions", "null_pct")
    assert {name: result[name] for name in summary} == {name: expected[name] for name in summary}
    assert await stored(api, filed, result["snapshot_id"]) == await stored(api, inline, expected["snapshot_id"])
    theirs = await rejects(api, inline, expected["snapshot_id"])
    ours = await rejects(api, filed, result["snapshot_id"])
    assert [(row["row"], row["record"], row["errors"]) for row in ours] == [
        (row["row"], row["record"], row["errors"]) for row in theirs
    ]
    snapshot = (await api.call("GET", f"/datasets/{filed}/snapshots/{result['snapshot_id']}")).json()
    assert (snapshot["accepted"], snapshot["rows"]) == (expected["accepted"], 2 if primary_key else 4)


async def test_rejects_of_a_file_tell_row_and_line(api: Api) -> None:
    dataset_id = await dataset(api, {"id": "int", "name": "string"}, "id")
    job = await append_file(api, dataset_id, b'id,name\n1,"a\nb"\nx,c\n2\n3,d\n')
    assert (job["result"]["accepted"], job["result"]["rejected"]) == (2, 2)
    found = await rejects(api, dataset_id, job["result"]["snapshot_id"])
    assert [(row["row"], row["line"], row["errors"][0]["code"]) for row in found] == [
        (2, 4, "NOT_INT"),
        (3, 5, "CELL_COUNT"),
    ]
    assert job["result"]["rejects_url"].endswith(f"{job['result']['snapshot_id']}/rejects")


async def test_columns_are_mapped_and_left_out(api: Api) -> None:
    dataset_id = await dataset(api, {"id": "string", "name": "string"}, "id")
    field_map = {"Company": "name", "Notes": None}
    for content in (b"id;Company;Notes\n1;Acme;x\n", b'{"id": "1", "Company": "Acme", "Notes": "x"}\n'):
        job = await append_file(api, dataset_id, content, field_map=field_map)
        assert job["status"] == "completed", job
        assert await stored(api, dataset_id, job["result"]["snapshot_id"]) == [{"id": "1", "name": "Acme"}]


async def test_a_column_that_is_no_field_fails_the_job_before_anything_is_stored(api: Api) -> None:
    dataset_id = await dataset(api, {"id": "string"}, "id")
    job = await append_file(api, dataset_id, b"id,other\n1,x\n")
    assert (job["status"], job["error"]["code"]) == ("failed", "INVALID_SCHEMA")
    assert "'other' is no field" in job["error"]["message"]
    assert (await api.call("GET", f"/datasets/{dataset_id}")).json()["latest_snapshot_id"] is None


async def test_an_unreadable_file_fails_the_job_saying_what_is_wrong(api: Api) -> None:
    dataset_id = await dataset(api, {"id": "string"}, "id")
    job = await append_file(api, dataset_id, b"PK\x03\x04 a workbook")
    assert (job["status"], job["error"]["code"]) == ("failed", "UNREADABLE_FILE")
    cut = gzip.compress(b"id\n" + b"".join(b"%d\n" % (i * 7919) for i in range(200_000)))[:100_000]
    job = await append_file(api, dataset_id, cut)
    assert "too early" in job["error"]["message"]
    assert (await api.call("GET", f"/datasets/{dataset_id}")).json()["latest_snapshot_id"] is None


async def test_a_deletion_comes_as_a_column(api: Api) -> None:
    dataset_id = await dataset(api, {"id": "string", "name": "string"}, "id")
    await append_file(api, dataset_id, b"id,name\n1,a\n2,b\n3,c\n")
    job = await append_file(api, dataset_id, b"id,_deleted,name\n1,true,\n2,false,B\n3,perhaps,C\n")
    assert (job["result"]["accepted"], job["result"]["rejected"]) == (2, 1)
    rows = await stored(api, dataset_id, job["result"]["snapshot_id"])
    assert rows == [{"id": "3", "name": "c"}, {"id": "2", "name": "B"}]


async def test_a_job_that_runs_again_adds_its_rows_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset_id = await dataset(api, {"name": "string"})
    granted = await presign(api)
    await put(api, granted["upload_url"], b"name\na\nb\n")
    job = (await api.call("POST", f"/datasets/{dataset_id}/append", {"source_key": granted["storage_key"]})).json()
    runner: JobRunner = api.services.runner

    async def die(*_: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(api.services.uploads, "keep", die)
        with pytest.raises(SystemExit):
            await runner.run(job["job_id"])
    await api.services.jobs.release(job["job_id"])
    done = await api.run_job(job["job_id"])
    assert done["result"]["accepted"] == 2
    snapshots = (await api.call("GET", f"/datasets/{dataset_id}/snapshots")).json()["data"]
    assert [snapshot["rows"] for snapshot in snapshots] == [2]


async def test_what_can_be_checked_is_checked_at_once(api: Api) -> None:
    dataset_id = await dataset(api, {"id": "string"}, "id")
    granted = await presign(api)
    place = f"/datasets/{dataset_id}/append"
    empty = await api.call("POST", place, {"source_key": granted["storage_key"]})
    assert (empty.status_code, empty.json()["error"]["code"]) == (409, "CONFLICT")
    unknown = await api.call("POST", place, {"source_key": "sk_x"})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "UPLOAD_NOT_FOUND")
    for body in ({}, {"source_key": "sk_x", "records": [{}]}, {"records": [{}], "format": "csv"}):
        assert (await api.call("POST", place, body)).status_code == 422
    mapped = await api.call("POST", place, {"source_key": granted["storage_key"], "field_map": {"a": "none"}})
    assert mapped.json()["error"]["details"]["field"] == "field_map"
