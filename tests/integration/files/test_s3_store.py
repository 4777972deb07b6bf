"""The S3 store against a real S3 server: objects, copies, uploads, and a dataset's whole way to an answer."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.config import Settings
from app.errors import NotFound, PayloadTooLarge, StoreUnavailable
from app.files.s3_store import S3FileStore, S3Settings, shrink
from app.services.uploads import UploadRules, UploadService
from tests.api.conftest import COMPANIES, SCHEMA, Api, serving
from tests.s3 import s3_server

_KEYS = {"region": "us-east-1", "access_key_id": "test", "secret_access_key": "test"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server("bucket") as url:
        yield url


@pytest.fixture
def store(endpoint: str, tmp_path: Path) -> S3FileStore:
    return S3FileStore(S3Settings(f"s3://bucket/{tmp_path.name}", endpoint, **_KEYS), tmp_path / "cache")


async def test_objects_are_put_read_listed_and_deleted(store: S3FileStore, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"x" * 12_000_000)
    await store.put("a/large", tmp_path / "source")
    await store.put_bytes("a/small", b"content")
    assert await store.get_bytes("a/small") == b"content"
    assert (await store.size("a/large"), await store.size("a/none")) == (12_000_000, None)
    assert {file.key for file in await store.list_files("a")} == {"a/large", "a/small"}
    copy = await store.local_path("a/large")
    assert copy.stat().st_size == 12_000_000
    await store.delete_prefix("a")
    assert not copy.exists()
    assert await store.list_files("a") == []
    with pytest.raises(NotFound):
        await store.get_bytes("a/small")
    with pytest.raises(NotFound):
        await store.local_path("a/small")


async def test_a_workspace_is_published_with_its_mark_last(store: S3FileStore) -> None:
    folder = store.workspace("indices/one")
    folder.mkdir(parents=True)
    for name in ("meta.json", "rows", "z"):
        (folder / name).write_bytes(name.encode())
    await store.publish("indices/one", "meta.json")
    files = {file.key: file.modified_at for file in await store.list_files("indices/one")}
    assert max(files, key=lambda key: (files[key], key.endswith("meta.json"))) == "indices/one/meta.json"
    shutil.rmtree(folder)
    assert (await store.local_path("indices/one/z")).read_bytes() == b"z"


async def test_a_store_that_does_not_answer_is_said(tmp_path: Path) -> None:
    away = S3FileStore(S3Settings("s3://bucket", "http://127.0.0.1:1", **_KEYS), tmp_path)
    with pytest.raises(StoreUnavailable):
        await away.put_bytes("a", b"")


def test_the_longest_unused_copies_go_and_none_that_was_used_lately(tmp_path: Path) -> None:
    for age_s, name in ((7200, "old"), (5400, "older than an hour"), (60, "new")):
        (tmp_path / name).write_bytes(b"x" * 1000)
        os.utime(tmp_path / name, (time.time() - age_s,) * 2)
    shrink(tmp_path, 2_000)
    assert {path.name for path in tmp_path.iterdir()} == {"older than an hour", "new"}
    shrink(tmp_path, 0)
    assert {path.name for path in tmp_path.iterdir()} == {"new"}


async def test_a_dataset_goes_from_a_plain_curl_to_an_answer_on_s3(
    endpoint: str, make_settings: Callable[[Path], Settings], tmp_path: Path
) -> None:
    settings = make_settings(tmp_path).model_copy(
        update={
            "store_url": "s3://bucket/prefix",
            "s3_endpoint_url": endpoint,
            "s3_region": "us-east-1",
            "s3_access_key_id": "test",
            "s3_secret_access_key": None,
            "cache_dir": tmp_path / "cache",
        }
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        async with serving(settings) as api:
            await _from_file_to_match(api, settings, tmp_path)


async def _from_file_to_match(api: Api, settings: Settings, folder: Path) -> None:
    lines = [",".join(SCHEMA), *(",".join(str(row[name] or "") for name in SCHEMA) for row in COMPANIES)]
    (folder / "file").write_text("\n".join(lines), "utf-8")
    granted = (await api.call("POST", "/uploads/presign?purpose=dataset")).json()
    assert granted["upload_url"].startswith(settings.s3_endpoint_url or "-")
    _send(granted["upload_url"], folder / "file")
    body = {"name": "Accounts", "schema": SCHEMA, "primary_key": "account_id"}
    dataset_id = (await api.call("POST", "/datasets", body)).json()["dataset_id"]
    job = await api.call("POST", f"/datasets/{dataset_id}/append", {"source_key": granted["storage_key"]})
    done = await api.run_job(job.json()["job_id"])
    assert done["result"]["accepted"] == len(COMPANIES), done
    snapshot_id = done["result"]["snapshot_id"]
    # Nothing on this machine but the bucket: as another machine's worker would find it.
    shutil.rmtree(settings.cache_dir)
    job = await api.call("POST", f"/datasets/{dataset_id}/activate", {"snapshot_id": snapshot_id})
    assert (await api.run_job(job.json()["job_id"]))["status"] == "completed"
    shutil.rmtree(settings.cache_dir)
    record = {"snapshot_id": snapshot_id, "record": {"company": "Globex Corporation", "website": "globex.com"}}
    answer = (await api.call("POST", "/match/record", record)).json()
    assert answer["matches"][0]["record_id"] == "a3"
    assert not settings.store_dir.exists()


def _send(url: str, path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    subprocess.run(["curl", "-sS", "--fail", "-X", "PUT", url, "-T", str(path)], check=True, capture_output=True)


async def test_the_size_of_a_file_in_the_bucket_is_checked_when_it_is_used(
    endpoint: str, make_settings: Callable[[Path], Settings], tmp_path: Path
) -> None:
    update = {"store_url": "s3://bucket", "s3_endpoint_url": endpoint, "cache_dir": tmp_path / "cache"}
    update |= {"s3_region": "us-east-1", "s3_access_key_id": "test"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        async with serving(make_settings(tmp_path).model_copy(update=update)) as api:
            uploads: UploadService = api.services.uploads
            patch.setattr(uploads, "_rules", UploadRules(10, 60, timedelta(minutes=1)))
            granted = (await api.call("POST", "/uploads/presign?purpose=match")).json()
            (tmp_path / "file").write_bytes(b"x" * 11)
            _send(granted["upload_url"], tmp_path / "file")
            with pytest.raises(PayloadTooLarge):
                await uploads.check(api.organisation_id, granted["storage_key"], "match")
