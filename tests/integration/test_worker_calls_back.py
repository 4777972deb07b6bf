"""A worker process does a job that it finds and calls back by itself, also when it is killed in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from sqlalchemy import update
from standardwebhooks import Webhook

from app.bootstrap import Services, build
from app.config import Settings
from app.db.models import now
from app.db.webhook_models import WebhookDelivery
from tests.receiver import OK, Receiver
from tests.worker_process import worker_process

LOOPBACK = ("127.0.0.0/8",)


def worker(settings: Settings) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    """A worker that may call back to this machine."""
    port = settings.webhook_allowed_ports[0]
    allowed = {
        "FOUNDRYOPS_WEBHOOK_ALLOWED_NETWORKS": '["127.0.0.0/8"]',
        "FOUNDRYOPS_WEBHOOK_ALLOWED_PORTS": f"[{port}]",
    }
    return worker_process(settings, allowed)


async def failing_job(services: Services, url: str) -> str:
    """A job that is done quickly: its snapshot is unknown."""
    organisation_id = await services.keys.create_organisation("Tests")
    payload = {"snapshot_id": "dss_unknown", "records": [{"name": "Acme"}], "options": {}, "callback_url": url}
    await services.jobs.create(organisation_id, "match_batch", payload, 1)
    return organisation_id


async def end_leases(services: Services) -> None:
    """As if two minutes had passed."""
    async with services.db.begin() as session:
        await session.execute(update(WebhookDelivery).values(next_attempt_at=now()))


async def test_a_worker_calls_back_and_what_a_killed_one_left_is_sent_by_the_next(
    make_settings: Callable[[Path], Settings], tmp_path: Path
) -> None:
    async with Receiver(None, OK) as receiver:
        reachable = {"webhook_allowed_networks": LOOPBACK, "webhook_allowed_ports": (receiver.port,)}
        settings = make_settings(tmp_path).model_copy(update=reachable)
        services = await build(settings)
        try:
            organisation_id = await failing_job(services, receiver.url)
            async with worker(settings) as first:
                await asyncio.wait_for(receiver.arrived.wait(), 60)
                first.kill()  # while the receiver has not answered yet
            receiver.arrived.clear()
            await end_leases(services)
            async with worker(settings):
                await asyncio.wait_for(receiver.arrived.wait(), 60)
            secret = (await services.webhook_secrets.show(organisation_id))["secret"]
        finally:
            await services.close()
    message = Webhook(secret).verify(receiver.received[1].body, receiver.received[1].headers)
    assert (message["type"], message["data"]["error_code"]) == ("job.failed", "SNAPSHOT_NOT_FOUND")
    assert len({(one.headers["webhook-id"], one.body) for one in receiver.received}) == 1
