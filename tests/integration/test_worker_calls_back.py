"""A worker process does a job that it finds and calls back by itself, also when it is killed in between."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import update
from standardwebhooks import Webhook

from app.bootstrap import Services, build
from app.config import Settings
from app.db.models import now
from app.db.webhook_models import WebhookDelivery
from tests.receiver import OK, Receiver

ROOT = Path(__file__).parent.parent.parent
LOOPBACK = ("127.0.0.0/8",)


def environment(settings: Settings) -> dict[str, str]:
    """What a worker process reads to share this deployment."""
    names = ("var_dir", "database_url", "store_dir", "opensearch_url", "redis_url", "index_prefix")
    given = {f"FOUNDRYOPS_{name.upper()}": str(getattr(settings, name)) for name in names}
    return {
        **os.environ,
        **given,
        "FOUNDRYOPS_WEBHOOK_ALLOWED_NETWORKS": '["127.0.0.0/8"]',
        "FOUNDRYOPS_WEBHOOK_ALLOWED_PORTS": f"[{settings.webhook_allowed_ports[0]}]",
    }


@asynccontextmanager
async def worker(settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "workers", cwd=ROOT, env=environment(settings), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


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
