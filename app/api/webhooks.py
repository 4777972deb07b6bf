"""Routes of /webhooks: what was sent and how it went, sending again, and the secret that signs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query
from pydantic import Field
from starlette.responses import Response

from app.api.answers.common import Page, shown
from app.api.answers.webhooks import Delivery, Message, Secret
from app.api.bodies import Body
from app.api.deps import Cursor, JsonRoute, Limit, ServicesDep, caller, json_response
from app.api.openapi import raises
from app.errors import Conflict
from app.services.keys import Principal

router = APIRouter(prefix="/webhooks", tags=["webhooks"], route_class=JsonRoute)
messages = APIRouter(tags=["webhooks"])
"""What we send, for the document alone: the receiver is the one who answers."""
Reader = Annotated[Principal, caller("webhooks:read")]
Writer = Annotated[Principal, caller("webhooks:write")]
JobFilter = Annotated[str | None, Query(max_length=40, description="Only deliveries of this job")]
_DAY_S = 86_400


class RotateBody(Body):
    model_config = shown({"overlap_seconds": _DAY_S})

    overlap_seconds: Annotated[
        int, Field(ge=0, le=7 * _DAY_S, description="How long messages carry a signature with the old secret as well")
    ] = _DAY_S


@router.get("/deliveries", response_model=Page[Delivery], summary="List webhook deliveries")
async def list_deliveries(
    services: ServicesDep, who: Reader, job_id: JobFilter = None, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """All deliveries of the organisation, newest first."""
    return json_response(await services.webhooks.list_page(who.organisation_id, job_id, limit, cursor))


@router.get("/deliveries/{delivery_id}", response_model=Delivery, summary="Read a webhook delivery")
async def get_delivery(delivery_id: str, services: ServicesDep, who: Reader) -> Response:
    """The message, and every try with its outcome."""
    return json_response(await services.webhooks.get(who.organisation_id, delivery_id))


@router.post(
    "/deliveries/{delivery_id}/replay", status_code=202, response_model=Delivery, summary="Send a webhook once more"
)
async def replay_delivery(delivery_id: str, services: ServicesDep, who: Writer) -> Response:
    """Makes a new delivery of the same message: its `message_id` stays, so that a receiver can tell."""
    again = await services.webhooks.replay(who.organisation_id, delivery_id)
    place = f"/api/v2/webhooks/deliveries/{again['delivery_id']}"
    return json_response(again, 202, {"Location": place, "Retry-After": "1"})


@router.get("/secret", response_model=Secret, summary="Show the secret that signs this organisation's webhooks")
async def show_secret(services: ServicesDep, who: Writer) -> Response:
    """As Standard Webhooks write it; it needs the scope of writing, because it signs."""
    return json_response(await services.webhook_secrets.show(who.organisation_id))


@router.post("/secret", response_model=Secret, responses=raises(Conflict), summary="Rotate the signing secret")
async def rotate_secret(services: ServicesDep, who: Writer, body: RotateBody | None = None) -> Response:
    """Both secrets sign while they overlap, so that receivers can change over without losing a message."""
    overlap_s = (body or RotateBody()).overlap_seconds
    return json_response(await services.webhook_secrets.rotate(who.organisation_id, overlap_s))


@messages.post(
    "job.ended",
    status_code=204,
    responses={"default": {"description": "Anything but 2xx: the message is sent again, up to 8 times within a day"}},
    operation_id="job_ended",
    summary="A job has ended",
)
def job_ended(
    body: Message,
    webhook_id: Annotated[str, Header(description="The message; the same when it is sent again")],
    webhook_timestamp: Annotated[str, Header(description="Seconds since 1970, of this try")],
    webhook_signature: Annotated[str, Header(description="Of Standard Webhooks; several while a rotation overlaps")],
) -> None:
    """Sent to the job's `callback_url`, signed as Standard Webhooks prescribe with the secret of `GET /webhooks/secret`."""
