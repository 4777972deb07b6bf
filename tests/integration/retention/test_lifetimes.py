"""What has lived its time is gone and answered with 410; what a job at work needs is kept."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.db.idempotency_models import IdempotencyRow
from app.db.models import now
from app.db.upload_models import Upload
from app.db.webhook_models import WebhookDelivery
from app.errors import ArtifactExpired
from app.ids import Prefix, new_id
from tests.integration.retention.conftest import DAY, Kept

LATE = DAY + timedelta(minutes=1)
EARLY = DAY - timedelta(minutes=1)


@pytest.mark.parametrize("state", ["completed", "failed", "cancelled"])
async def test_a_day_after_its_end_a_jobs_records_results_and_files_are_gone(kept: Kept, state: str) -> None:
    job_id = await kept.ended(LATE, state, snapshot_id="dss_1")
    artefact = kept.put(f"jobs/{job_id}/result.csv")
    await kept.lifetimes().jobs()
    row = await kept.row(job_id)
    assert (row.payload, row.result, artefact.exists()) == ({"snapshot_id": "dss_1"}, None, False)
    assert (await kept.services.jobs.get(kept.organisation_id, job_id))["status"] == state


async def test_an_expired_result_says_so(kept: Kept) -> None:
    job_id = await kept.ended(LATE)
    await kept.lifetimes().jobs()
    with pytest.raises(ArtifactExpired):
        await kept.services.jobs.result(kept.organisation_id, job_id)


@pytest.mark.parametrize(("ago", "state"), [(EARLY, "completed"), (LATE, "queued"), (LATE, "running")])
async def test_a_job_that_ended_lately_or_has_not_ended_keeps_all(kept: Kept, ago: timedelta, state: str) -> None:
    job_id = await kept.ended(ago, state)
    artefact = kept.put(f"jobs/{job_id}/result.csv")
    await kept.lifetimes().jobs()
    row = await kept.row(job_id)
    assert "records" in row.payload
    assert row.result is not None
    assert artefact.exists()


async def test_a_job_whose_results_another_one_is_reading_is_kept_until_that_ends(kept: Kept) -> None:
    base = await kept.ended(LATE)
    reader = await kept.ended(LATE, "running", job_id=base)
    await kept.lifetimes().jobs()
    assert (await kept.row(base)).expired_at is None
    await kept.services.jobs.fail(reader, "INTERNAL", "", {})
    await kept.lifetimes().jobs()
    assert (await kept.row(base)).expired_at is not None


async def test_a_removal_that_broke_off_is_finished_by_the_next_run(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await kept.ended(LATE)
    artefact = kept.put(f"jobs/{job_id}/result.csv")

    async def broken(prefix: str) -> None:
        raise OSError("disk")

    with monkeypatch.context() as patch:
        patch.setattr(kept.store, "delete_prefix", broken)
        with pytest.raises(OSError, match="disk"):
            await kept.lifetimes().jobs()
    assert (await kept.lifetimes().jobs())[kept.organisation_id] >= 1
    assert not artefact.exists()


async def test_rejects_of_an_append_are_answered_with_gone_after_a_day(kept: Kept) -> None:
    dataset_id, snapshot_id = await kept.activated()
    datasets = kept.services.datasets
    assert await datasets.rejects(kept.organisation_id, dataset_id, snapshot_id)
    kept.age(kept.files / f"snapshots/{kept.organisation_id}/{dataset_id}", LATE)
    assert (await kept.lifetimes().rejects())[kept.organisation_id] == 1
    with pytest.raises(ArtifactExpired):
        await datasets.rejects(kept.organisation_id, dataset_id, snapshot_id)
    assert (await datasets.manifest(kept.organisation_id, dataset_id, snapshot_id)).rows == 1


async def upload(kept: Kept, state: str, end: timedelta) -> tuple[str, Path]:
    """An upload whose end is that far away, with its file."""
    row = Upload(
        id=new_id(Prefix.OBJECT),
        organisation_id=kept.organisation_id,
        purpose="match",
        state=state,
        max_bytes=10,
        expires_at=now() + end,
    )
    async with kept.services.db.begin() as session:
        session.add(row)
    return row.id, kept.put(f"uploads/{kept.organisation_id}/{row.id}")


async def test_an_upload_past_its_end_is_answered_with_gone(kept: Kept) -> None:
    key, file = await upload(kept, "stored", -timedelta(minutes=1))
    assert await kept.lifetimes().uploads() == {kept.organisation_id: 1}
    assert not file.exists()
    with pytest.raises(ArtifactExpired):
        await kept.services.uploads.check(kept.organisation_id, key, "match")


async def test_an_upload_is_kept_until_its_end_and_as_long_as_the_artefacts_of_a_job_that_read_it(kept: Kept) -> None:
    _, young = await upload(kept, "stored", timedelta(minutes=1))
    key, read = await upload(kept, "stored", -timedelta(minutes=1))
    _, arriving = await upload(kept, "pending", -timedelta(minutes=1))
    await kept.ended(LATE, source_key=key)
    await kept.lifetimes().uploads()
    assert (young.exists(), read.exists(), arriving.exists()) == (True, True, True)
    await kept.lifetimes().jobs()
    await kept.lifetimes().uploads()
    assert (young.exists(), read.exists(), arriving.exists()) == (True, False, True)


async def test_what_came_to_an_url_that_was_never_used_by_a_job_goes_a_day_after_its_end(kept: Kept) -> None:
    _, file = await upload(kept, "pending", -LATE)
    await kept.lifetimes().uploads()
    assert not file.exists()


async def test_an_idempotency_key_is_forgotten_after_a_day(kept: Kept) -> None:
    def claimed(key: str, ago: timedelta) -> IdempotencyRow:
        at, ids = now() - ago, {"organisation_id": kept.organisation_id, "route": "POST /match/record", "key": key}
        return IdempotencyRow(**ids, fingerprint="f", token="t", claimed_at=at, leased_until=at)

    async with kept.services.db.begin() as session:
        session.add_all([claimed("old", LATE), claimed("young", EARLY)])
    assert (await kept.lifetimes().idempotency_keys()).total() == 1
    async with kept.services.db.begin() as session:
        assert list(await session.scalars(select(IdempotencyRow.key))) == ["young"]


async def test_deliveries_are_kept_for_a_month_and_pending_ones_for_good(kept: Kept) -> None:
    async def add(state: str, **values: Any) -> str:
        row = WebhookDelivery(
            id=new_id(Prefix.DELIVERY),
            organisation_id=kept.organisation_id,
            job_id="job_1",
            message_id="whd_1",
            event="job.completed",
            url="https://hooks.example/",
            body="{}",
            state=state,
            created_at=now() - 60 * DAY,
            **values,
        )
        async with kept.services.db.begin() as session:
            session.add(row)
        return row.id

    await add("delivered", ended_at=now() - 31 * DAY)
    await add("failed", ended_at=now() - 31 * DAY)
    stay = {await add("delivered", ended_at=now() - 29 * DAY), await add("pending")}
    assert await kept.lifetimes().deliveries() == {kept.organisation_id: 2}
    async with kept.services.db.begin() as session:
        assert set(await session.scalars(select(WebhookDelivery.id))) == stay
