"""What crashes left is removed; what serves, is kept for rollback or may be about to be linked is not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.db.models import IndexRow, now
from app.search.admin import IndexAdmin
from app.search.client import Endpoint
from app.search.names import IndexNames
from app.search.template import index_body
from app.services.match import MatchOptions
from tests.integration.retention.conftest import DAY, Kept

OLD = 10 * DAY


def admin_of(kept: Kept) -> IndexAdmin:
    return IndexAdmin(Endpoint.from_settings(kept.services.settings).client(30))


async def test_nothing_is_missing_when_all_that_is_needed_is_old(kept: Kept) -> None:
    dataset_id, snapshot_id = await kept.activated()
    kept.age(kept.files, OLD)
    await kept.orphans(timedelta(0)).indices()
    await kept.orphans().files()
    manifest = await kept.services.datasets.manifest(kept.organisation_id, dataset_id, snapshot_id)
    assert all((kept.files / part.key).exists() for part in manifest.parts)
    record = {"name": "Acme Widgets"}
    options = MatchOptions(threshold=0.0)
    answer = await kept.services.match.match_record(kept.organisation_id, snapshot_id, None, record, options)
    assert answer["matches"][0]["record_id"] == "1"


@pytest.mark.parametrize(
    "key",
    [
        "snapshots/org_x/ds_x/dss_x/part.parquet",
        "indices/t-org-ds-dss-abcdef/forms.bin",
        "jobs/job_x/chunks/1.json",
        "snapshots/org_x/ds_x/dss_x/.part-abc",
        "uploads/org_x/sk_x",
        "uploads/org_x/.incoming-abc",
    ],
)
async def test_files_that_nobody_knows_are_removed_once_they_are_old(kept: Kept, key: str) -> None:
    path = kept.put(key)
    await kept.orphans().files()
    assert path.exists()
    kept.age(path, OLD)
    await kept.orphans().files()
    assert not path.exists()


async def test_a_folder_that_is_still_written_to_is_not_old(kept: Kept) -> None:
    first, second = (kept.put(f"snapshots/org_x/ds_x/dss_y/{name}") for name in ("1.parquet", "2.parquet"))
    kept.age(first, OLD)
    await kept.orphans().files()
    assert first.exists()
    assert second.exists()


async def test_a_broken_off_write_beside_what_is_needed_goes_alone(kept: Kept) -> None:
    dataset_id, snapshot_id = await kept.activated()
    folder = f"snapshots/{kept.organisation_id}/{dataset_id}/{snapshot_id}"
    left = kept.put(f"{folder}/.part-abc")
    kept.age(left, OLD)
    await kept.orphans().files()
    assert not left.exists()
    assert (kept.files / folder / "manifest.json").exists()


async def test_keys_of_another_kind_are_left_alone(kept: Kept) -> None:
    path = kept.put("strangers/a/b/c")
    kept.age(path, OLD)
    await kept.orphans().files()
    assert path.exists()


async def test_what_is_left_of_a_deleted_dataset_is_removed(kept: Kept) -> None:
    dataset_id, snapshot_id = await kept.activated()
    await kept.services.delete_dataset(kept.organisation_id, dataset_id)
    left = kept.put(f"snapshots/{kept.organisation_id}/{dataset_id}/{snapshot_id}/part.parquet")
    kept.age(left, OLD)
    assert (await kept.orphans().files())[kept.organisation_id] == 1
    assert not left.exists()


async def test_the_index_of_a_removal_that_broke_off_is_removed_with_its_bundle(kept: Kept) -> None:
    names = IndexNames(kept.services.settings.index_prefix)
    _, snapshot_id = await kept.activated()
    async with kept.services.db.begin() as session:
        row = (await session.scalars(select(IndexRow).where(IndexRow.snapshot_id == snapshot_id))).one()
        stray = names.new_index(row.organisation_id, row.dataset_id, snapshot_id)
        values = {"dataset_id": row.dataset_id, "snapshot_id": snapshot_id, "state": "retired", "created_at": now()}
        session.add(IndexRow(id="job_x.1", organisation_id=row.organisation_id, name=stray, rows=1, **values))
    admin = admin_of(kept)
    admin.create(stray, index_body({"name": "string"}))
    bundle = kept.put(f"indices/{stray}/forms.bin")
    kept.age(bundle, OLD)
    assert (await kept.orphans().indices()).total() == 0, "it is younger than the grace"
    assert (await kept.orphans(timedelta(0)).indices())[kept.organisation_id] == 1
    await kept.orphans().files()
    assert (admin.existing(f"{stray}*"), bundle.exists()) == ([], False)
    assert admin.existing(row.name) == [row.name]


async def test_an_index_of_another_deployment_on_the_same_cluster_is_left_alone(kept: Kept) -> None:
    names = IndexNames(kept.services.settings.index_prefix)
    foreign = names.new_index("org_elsewhere", "ds_x", "dss_x")
    own = names.new_index(kept.organisation_id, "ds_x", "dss_x")
    admin = admin_of(kept)
    for name in (foreign, own):
        admin.create(name, index_body({"name": "string"}))
    await kept.orphans(timedelta(0)).indices()
    assert admin.existing(f"{foreign}*") == [foreign]
    assert admin.existing(f"{own}*") == []
    admin.delete([foreign])


async def test_an_index_that_serves_is_never_removed_whatever_the_rows_say(kept: Kept) -> None:
    _, snapshot_id = await kept.activated()
    async with kept.services.db.begin() as session:
        row = (await session.scalars(select(IndexRow).where(IndexRow.snapshot_id == snapshot_id))).one()
        await session.execute(update(IndexRow).where(IndexRow.id == row.id).values(state="retired"))
    await kept.orphans(timedelta(0)).indices()
    assert admin_of(kept).existing(row.name) == [row.name]
