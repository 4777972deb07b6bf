"""The outbox of webhooks, rotations and the rules of retention hold under concurrency, on both databases."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from app.db.models import JobRow, Organisation, now
from app.db.session import Database
from app.db.upload_models import Upload
from app.db.webhook_models import WebhookDelivery
from app.errors import Conflict
from app.files.store import LocalFileStore
from app.ids import Prefix, new_id
from app.outbound import Outbound
from app.services.idempotency import IdempotencyService
from app.services.lifetimes import Lifetimes
from app.services.webhook_courier import Courier
from app.services.webhook_secrets import WebhookSecrets
from tests.receiver import Receiver

DAY = timedelta(days=1)


async def organisation(db: Database) -> str:
    organisation_id = new_id(Prefix.ORGANISATION)
    async with db.begin() as session:
        session.add(Organisation(id=organisation_id, name="Tests"))
    return organisation_id


async def test_couriers_of_several_workers_send_every_message_once(db: Database) -> None:
    organisation_id = await organisation(db)
    async with Receiver() as receiver:
        async with db.begin() as session:
            session.add_all(delivery(organisation_id, receiver.url) for _ in range(12))
        outbound = Outbound(("127.0.0.0/8",), (receiver.port,), 10)
        couriers = [Courier(db, WebhookSecrets(db, "secret"), outbound, ()) for _ in range(4)]
        while sum(await asyncio.gather(*(courier.deliver_due() for courier in couriers))):
            pass
        await outbound.close()
    ids = [request.headers["webhook-id"] for request in receiver.received]
    assert len(ids) == len(set(ids)) == 12
    async with db.begin() as session:
        states = await session.scalars(
            select(WebhookDelivery.state).where(WebhookDelivery.organisation_id == organisation_id)
        )
        assert set(states) == {"delivered"}


async def test_of_rotations_at_the_same_time_one_wins_and_the_others_are_told(db: Database) -> None:
    organisation_id = await organisation(db)
    secrets = WebhookSecrets(db, "secret")
    outcomes = await asyncio.gather(*(secrets.rotate(organisation_id, 60) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 4
    assert (await secrets.show(organisation_id))["version"] == 2


async def test_what_jobs_name_in_their_payloads_is_kept(db: Database, tmp_path: Path) -> None:
    organisation_id = await organisation(db)
    key, other = new_id(Prefix.OBJECT), new_id(Prefix.OBJECT)
    base = job(organisation_id, "completed", source_key=key)
    reader = job(organisation_id, "running", job_id=base.id)
    ended = now() - 2 * DAY
    uploads = [
        Upload(id=one, organisation_id=organisation_id, purpose="match", state="stored", max_bytes=1, expires_at=ended)
        for one in (key, other)
    ]
    async with db.begin() as session:
        session.add_all([base, reader, *uploads])
    rules = Lifetimes(db, LocalFileStore(tmp_path), IdempotencyService(db, "secret"), DAY, 30 * DAY)
    assert await rules.jobs() == {}
    assert await rules.uploads() == {organisation_id: 1}
    async with db.begin() as session:
        (await session.get_one(JobRow, reader.id)).state = "cancelled"
    removed = await asyncio.gather(*(rules.jobs() for _ in range(3)))
    assert sum(one[organisation_id] for one in removed) == 2
    assert await rules.uploads() == {organisation_id: 1}


def delivery(organisation_id: str, url: str) -> WebhookDelivery:
    delivery_id = new_id(Prefix.DELIVERY)
    return WebhookDelivery(
        id=delivery_id,
        organisation_id=organisation_id,
        job_id="job_1",
        message_id=delivery_id,
        event="job.completed",
        url=url,
        body="{}",
        state="pending",
        attempts={"made": []},
        created_at=now(),
        next_attempt_at=now(),
    )


def job(organisation_id: str, state: str, **payload: str) -> JobRow:
    """One that ended, or was last seen, two days ago."""
    return JobRow(
        id=new_id(Prefix.JOB),
        organisation_id=organisation_id,
        kind="match_files",
        state=state,
        payload=payload,
        created_at=now() - 3 * DAY,
        finished_at=now() - 2 * DAY,
    )
