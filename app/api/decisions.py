"""Routes of /decisions: what the matcher decided, for a month."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime
from starlette.responses import Response

from app.api.answers.common import Page
from app.api.answers.decisions import Decision
from app.api.deps import Cursor, JsonRoute, Limit, ServicesDep, caller, json_response
from app.errors import InvalidSchema
from app.search.decisions import DecisionFilter
from app.services.keys import Principal

router = APIRouter(prefix="/decisions", tags=["decisions"], route_class=JsonRoute)
Reader = Annotated[Principal, caller("audit:read")]
Id = Annotated[str | None, Query(max_length=100)]


def _wanted(
    since: Annotated[AwareDatetime | None, Query(alias="from", description="Inclusive")] = None,
    until: Annotated[AwareDatetime | None, Query(alias="to", description="Exclusive")] = None,
    decision: Literal["match", "review", "no_match"] | None = None,
    snapshot_id: Id = None,
    job_id: Id = None,
    record_hash: Id = None,
) -> DecisionFilter:
    if since is not None and until is not None and since >= until:
        raise InvalidSchema("from must be before to.", field="from")
    return DecisionFilter(since, until, decision, snapshot_id, job_id, record_hash)


@router.get("", response_model=Page[Decision], summary="List match decisions")
async def list_decisions(
    services: ServicesDep,
    who: Reader,
    wanted: Annotated[DecisionFilter, Depends(_wanted)],
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Every decision of the last 30 days, newest first; one of the last few seconds may still be missing."""
    return json_response(await services.decisions.list_page(who.organisation_id, wanted, limit, cursor))
