"""Webhooks from the end of a job to a receiver on loopback: signed, retried, listed, replayed, and for one's own eyes only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import delete, update
from standardwebhooks import Webhook, WebhookVerificationError

from app.api.answers.webhooks import Message
from app.config import Settings
from app.db.models import now
from app.db.webhook_models import WebhookDelivery, WebhookSecretState
from app.errors import Conflict
from app.identity import Identity, resume
from app.outbound import Outbound
from app.services.webhook_courier import Courier
from tests.api.conftest import Api, serving
from tests.receiver import OK, Received, Receiver, status

LOOPBACK = ("127.0.0.0/8",)


@dataclass
class Hooked:
    """An API whose operator allows webhooks to one receiver."""

    api: Api
    receiver: Receiver
    outbound: Outbound
    cleared: list[str] = field(default_factory=list)

    def courier(self, *waits_s: float) -> Courier:
        services = self.api.services
        return Courier(services.db, services.webhook_secrets, self.outbound, waits_s)

    async def ended(self, **payload: Any) -> str:
        """A job that is completed, with a callback unless told otherwise; its id."""
        job_id = await self.claimed(**payload)
        await self.api.services.jobs.complete(job_id, {"results": []})
        return job_id

    async def claimed(self, organisation_id: str | None = None, **payload: Any) -> str:
        jobs = self.api.services.jobs
        content = {"records": [{"name": "Secret Ltd"}], "callback_url": self.receiver.url, **payload}
        resume(Identity("req_1", "corr-1"))
        job = await jobs.create(organisation_id or self.api.organisation_id, "match_batch", content, 1)
        assert await jobs.claim(job["job_id"]) is not None
        return str(job["job_id"])

    async def deliveries(self, job_id: str) -> list[dict[str, Any]]:
        answer = await self.api.call("GET", f"/webhooks/deliveries?job_id={job_id}")
        found: list[dict[str, Any]] = answer.json()["data"]
        return found

    async def secret(self) -> str:
        return str((await self.api.call("GET", "/webhooks/secret")).json()["secret"])

    async def due_now(self) -> None:
        async with self.api.services.db.begin() as session:
            await session.execute(update(WebhookDelivery).values(next_attempt_at=now()))


@pytest.fixture(scope="module")
async def running(
    make_settings: Callable[[Path], Settings], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Hooked]:
    async with Receiver() as receiver:
        reachable = {"webhook_allowed_networks": LOOPBACK, "webhook_allowed_ports": (receiver.port,)}
        settings = make_settings(tmp_path_factory.mktemp("webhooks")).model_copy(update=reachable)
        async with serving(settings) as api:
            outbound = Outbound(LOOPBACK, (receiver.port,), 5)
            yield Hooked(api, receiver, outbound)
            await outbound.close()


@pytest.fixture
async def hooked(running: Hooked) -> Hooked:
    running.receiver.answers, running.receiver.received = [OK], []
    async with running.api.services.db.begin() as session:
        await session.execute(delete(WebhookDelivery))
        await session.execute(delete(WebhookSecretState))
    return running


def verify(request: Received, secret: str) -> Any:
    return Webhook(secret).verify(request.body, request.headers)


async def test_a_job_that_ends_calls_back_once_with_a_signature_that_verifies(hooked: Hooked) -> None:
    job_id = await hooked.ended(snapshot_id="dss_1")
    assert await hooked.courier().deliver_due() == 1
    assert await hooked.courier().deliver_due() == 0
    [request] = hooked.receiver.received
    message = verify(request, await hooked.secret())
    assert (request.method, request.headers["content-type"]) == ("POST", "application/json")
    assert request.headers["x-correlation-id"] == "corr-1"
    assert message["type"] == "job.completed"
    assert Message.model_validate(message).model_dump() == message, "the document describes it whole"
    assert (
        message["data"]
        | {
            "job_id": job_id,
            "kind": "match_batch",
            "status": "completed",
            "results_url": f"/api/v2/jobs/{job_id}/results",
            "snapshot_id": "dss_1",
            "organisation_id": hooked.api.organisation_id,
            "error_code": None,
        }
        == message["data"]
    )


async def test_a_message_holds_no_record_value(hooked: Hooked) -> None:
    job_id = await hooked.claimed()
    await hooked.api.services.jobs.fail(job_id, "INVALID_SCHEMA", "Secret Ltd", {"value": "Secret Ltd"})
    [delivery] = await hooked.deliveries(job_id)
    assert "Secret" not in json.dumps(delivery)
    assert delivery["payload"]["data"]["error_code"] == "INVALID_SCHEMA"


async def test_a_failed_and_a_cancelled_job_call_back_too(hooked: Hooked) -> None:
    failed, cancelled = await hooked.claimed(), await hooked.claimed()
    await hooked.api.services.jobs.fail(failed, "INTERNAL", "", {})
    for _ in range(2):
        assert (await hooked.api.call("POST", f"/jobs/{cancelled}/cancel")).status_code == 200
    events = [[one["event"] for one in await hooked.deliveries(job)] for job in (failed, cancelled)]
    assert events == [["job.failed"], ["job.cancelled"]]


async def test_an_end_that_does_not_happen_writes_no_message(hooked: Hooked) -> None:
    job_id = await hooked.claimed()
    await hooked.api.services.jobs.cancel(hooked.api.organisation_id, job_id)
    with pytest.raises(Conflict):
        await hooked.api.services.jobs.complete(job_id, {})
    assert [one["event"] for one in await hooked.deliveries(job_id)] == ["job.cancelled"]


async def test_a_job_without_callback_sends_nothing(hooked: Hooked) -> None:
    await hooked.ended(callback_url=None)
    assert await hooked.courier().deliver_due() == 0


async def test_a_refused_message_is_tried_again_with_the_same_id_and_body(hooked: Hooked) -> None:
    hooked.receiver.answers = [status(500), status(503), OK]
    job_id = await hooked.ended()
    courier = hooked.courier(0, 0, 0)
    assert [await courier.deliver_due() for _ in range(4)] == [1, 1, 1, 0]
    [delivery] = await hooked.deliveries(job_id)
    assert [attempt["error"] for attempt in delivery["attempts"]] == ["HTTP_500", "HTTP_503", None]
    assert (delivery["status"], delivery["next_attempt_at"]) == ("delivered", None)
    assert len({(one.headers["webhook-id"], one.body) for one in hooked.receiver.received}) == 1


async def test_the_wait_for_the_next_try_is_the_schedules_give_or_take_a_fifth(hooked: Hooked) -> None:
    hooked.receiver.answers = [status(500)]
    job_id = await hooked.ended()
    await hooked.courier(1000, 9000).deliver_due()
    [delivery] = await hooked.deliveries(job_id)
    wait_s = (datetime.fromisoformat(delivery["next_attempt_at"]) - now()).total_seconds()
    assert 790 <= wait_s <= 1200
    assert await hooked.courier(1000, 9000).deliver_due() == 0


def test_the_schedule_makes_eight_tries_within_a_day() -> None:
    waits_s = Settings().webhook_retry_waits_s
    assert len(waits_s) + 1 == 8
    assert sorted(waits_s) == list(waits_s)
    assert timedelta(hours=20) < timedelta(seconds=sum(waits_s)) < timedelta(hours=28)


async def test_after_the_last_try_a_message_has_failed(hooked: Hooked) -> None:
    hooked.receiver.answers = [status(500)]
    job_id = await hooked.ended()
    courier = hooked.courier(0)
    assert [await courier.deliver_due() for _ in range(3)] == [1, 1, 0]
    [delivery] = await hooked.deliveries(job_id)
    assert (delivery["status"], len(delivery["attempts"])) == ("failed", 2)


async def test_an_address_that_became_forbidden_is_not_tried_again(hooked: Hooked) -> None:
    job_id = await hooked.ended()
    strict = Outbound((), (hooked.receiver.port,), 5)
    services = hooked.api.services
    await Courier(services.db, services.webhook_secrets, strict, (0, 0)).deliver_due()
    await strict.close()
    [delivery] = await hooked.deliveries(job_id)
    assert (delivery["status"], delivery["attempts"][0]["error"]) == ("failed", "ADDRESS_REFUSED")
    assert hooked.receiver.received == []


async def test_couriers_at_the_same_time_send_every_message_once(hooked: Hooked) -> None:
    for _ in range(6):
        await hooked.ended()
    await asyncio.gather(*(hooked.courier().deliver_due() for _ in range(4)))
    ids = [request.headers["webhook-id"] for request in hooked.receiver.received]
    assert len(ids) == len(set(ids)) == 6


async def test_a_message_whose_worker_died_is_sent_by_another(hooked: Hooked) -> None:
    await hooked.ended()
    assert len(await hooked.courier()._claim()) == 1
    assert await hooked.courier().deliver_due() == 0
    await hooked.due_now()  # the lease is over
    assert await hooked.courier().deliver_due() == 1


async def test_an_organisation_with_many_messages_does_not_hold_up_another(hooked: Hooked) -> None:
    for _ in range(10):
        await hooked.ended()
    other = await hooked.api.services.keys.create_organisation("Other")
    job_id = await hooked.claimed(other)
    await hooked.api.services.jobs.complete(job_id, {})
    first = await hooked.courier()._claim()
    assert len(first) == 9
    assert job_id in {row.job_id for row in first}


async def test_a_replay_is_a_delivery_of_its_own_under_the_same_message_id(hooked: Hooked) -> None:
    job_id = await hooked.ended()
    await hooked.courier().deliver_due()
    [first] = await hooked.deliveries(job_id)
    answer = await hooked.api.call("POST", f"/webhooks/deliveries/{first['delivery_id']}/replay")
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    await hooked.courier().deliver_due()
    again = (await hooked.api.client.get(answer.headers["location"])).json()
    assert (again["status"], again["message_id"], again["payload"]) == (
        "delivered",
        first["message_id"],
        first["payload"],
    )
    assert again["delivery_id"] != first["delivery_id"]
    assert {request.headers["webhook-id"] for request in hooked.receiver.received} == {first["message_id"]}


async def test_deliveries_are_listed_in_pages_newest_first(hooked: Hooked) -> None:
    for _ in range(3):
        await hooked.ended()
    first = (await hooked.api.call("GET", "/webhooks/deliveries?limit=2")).json()
    rest = (await hooked.api.call("GET", f"/webhooks/deliveries?limit=2&cursor={first['next_cursor']}")).json()
    ids = [one["delivery_id"] for one in [*first["data"], *rest["data"]]]
    assert (ids, rest["has_more"]) == (sorted(ids, reverse=True), False)
    assert len(ids) == 3


async def test_a_rotation_signs_with_both_secrets_while_they_overlap(hooked: Hooked) -> None:
    old = await hooked.secret()
    rotated = (await hooked.api.call("POST", "/webhooks/secret", {"overlap_seconds": 60})).json()
    assert rotated["secret"] == await hooked.secret() != old
    await hooked.ended()
    await hooked.courier().deliver_due()
    [request] = hooked.receiver.received
    assert verify(request, old) == verify(request, rotated["secret"])


async def test_a_second_rotation_waits_for_the_overlap_unless_it_is_told_to_cut(hooked: Hooked) -> None:
    old = (await hooked.api.call("POST", "/webhooks/secret")).json()["secret"]
    refused = await hooked.api.call("POST", "/webhooks/secret")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "CONFLICT")
    new = (await hooked.api.call("POST", "/webhooks/secret", {"overlap_seconds": 0})).json()["secret"]
    await hooked.ended()
    await hooked.courier().deliver_due()
    [request] = hooked.receiver.received
    verify(request, new)
    with pytest.raises(WebhookVerificationError):
        verify(request, old)


async def test_each_organisation_has_its_own_secret_and_deliveries(hooked: Hooked) -> None:
    job_id = await hooked.ended()
    [delivery] = await hooked.deliveries(job_id)
    keys = hooked.api.services.keys
    _, key = await keys.create(await keys.create_organisation("Other"), "other")

    async def as_other(method: str, path: str) -> httpx2.Response:
        return await hooked.api.call(method, f"/webhooks{path}", headers={"Authorization": f"Bearer {key}"})

    place = f"/deliveries/{delivery['delivery_id']}"
    assert [(await as_other("GET", place)).status_code, (await as_other("POST", f"{place}/replay")).status_code] == [
        404
    ] * 2
    assert (await as_other("GET", "/deliveries")).json()["data"] == []
    assert (await as_other("GET", "/secret")).json()["secret"] != await hooked.secret()


async def test_reading_deliveries_does_not_show_the_secret(hooked: Hooked) -> None:
    _, key = await hooked.api.services.keys.create(hooked.api.organisation_id, "reader", ["webhooks:read"])
    answer = await hooked.api.call("GET", "/webhooks/secret", headers={"Authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.json()["error"]["details"]["scope"]) == (403, "webhooks:write")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "http://169.254.169.254/latest/meta-data", "https://u:p@acme.com/"]
)
async def test_a_batch_whose_callback_may_not_be_called_is_not_accepted(
    api: Api, companies: tuple[str, str], url: str
) -> None:
    body = {"snapshot_id": companies[1], "records": [{"name": "Acme"}], "callback_url": url}
    before = (await api.call("GET", "/jobs")).json()
    answer = await api.call("POST", "/match/batch", body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["details"]["field"]) == (422, "INVALID_SCHEMA", "callback_url")
    assert (await api.call("GET", "/jobs")).json() == before
