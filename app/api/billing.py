"""Routes of /billing: what credits are left, what was used, grants, and whether credits are enforced."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.api.answers.billing import Balance, Credits, Granted, Usage
from app.api.bodies import GrantBody, ModeBody
from app.api.deps import JsonRoute, ServicesDep, caller, json_response
from app.db.models import now
from app.services.credits import GroupBy
from app.services.keys import Principal

router = APIRouter(prefix="/billing", tags=["billing"], route_class=JsonRoute)
Reader = Annotated[Principal, caller("billing:read")]
Writer = Annotated[Principal, caller("billing:write")]
_DEFAULT_SPAN_DAYS = 29


@router.get("/balance", response_model=Balance, summary="Read the balance")
async def get_balance(services: ServicesDep, who: Reader) -> Response:
    """`available` is what new work may take; `held` is set aside for jobs and for requests of the last seconds."""
    return json_response(await services.credits.balance(who.organisation_id))


@router.get("/usage", response_model=Usage, summary="Read what was used, by day or by operation")
async def get_usage(
    services: ServicesDep,
    who: Reader,
    first: Annotated[date | None, Query(alias="from", description="First day, UTC; 29 days before `to`")] = None,
    last: Annotated[date | None, Query(alias="to", description="Last day, UTC; today")] = None,
    group_by: Annotated[GroupBy, Query(description="One line a day, or one an operation")] = "day",
) -> Response:
    """Units are records, or activations; shadow mode's credits stand apart from those that were taken."""
    until = last or now().date()
    since = first or date.fromordinal(max(1, until.toordinal() - _DEFAULT_SPAN_DAYS))
    return json_response(await services.credits.usage(who.organisation_id, since, until, group_by))


@router.post("/grants", status_code=201, response_model=Granted, summary="Grant credits")
async def grant(body: GrantBody, services: ServicesDep, who: Writer) -> Response:
    """Adds credits to the key's organisation."""
    return json_response(await services.credits.grant(who.organisation_id, body.credits, body.reason), 201)


@router.put("/mode", response_model=Credits, summary="Choose between shadow and enforced")
async def set_mode(body: ModeBody, services: ServicesDep, who: Writer) -> Response:
    """Shadow counts and never refuses; enforced refuses what the balance does not cover. All processes follow within seconds."""
    return json_response(await services.credits.set_mode(who.organisation_id, body.mode))
