"""Routes of /audit: who changed what, as pages or as one NDJSON stream."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime
from starlette.responses import Response, StreamingResponse

from app.api.answers.audit import Event
from app.api.answers.common import Page
from app.api.deps import Cursor, JsonRoute, Limit, ServicesDep, caller, json_response
from app.api.openapi import also
from app.services.audit import AuditFilter
from app.services.keys import Principal

router = APIRouter(prefix="/audit", tags=["audit"], route_class=JsonRoute)
Auditor = Annotated[Principal, caller("audit:read")]
_NDJSON = "application/x-ndjson"
_WORD = r"^[A-Za-z0-9_.-]+$"
Action = Annotated[str | None, Query(max_length=64, pattern=_WORD, description="Only this action")]
Resource = Annotated[str | None, Query(max_length=64, pattern=_WORD, description="Only what was done to this id")]
Actor = Annotated[str | None, Query(max_length=64, pattern=_WORD, description="Only what this key did")]
Since = Annotated[AwareDatetime | None, Query(alias="from", description="Inclusive; RFC 3339 with a zone")]
Until = Annotated[AwareDatetime | None, Query(alias="to", description="Exclusive; RFC 3339 with a zone")]


@router.get("/events", response_model=Page[Event], responses=also(_NDJSON), summary="List audit events")
async def list_events(
    request: Request,
    services: ServicesDep,
    who: Auditor,
    action: Action = None,
    resource: Resource = None,
    actor: Actor = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Newest first; with `Accept: application/x-ndjson` all that the filters choose as one stream, oldest first."""
    chosen = AuditFilter(action, resource, actor, since, until)
    if _NDJSON in request.headers.get("accept", ""):
        return StreamingResponse(services.audit.export(who.organisation_id, chosen), 200, None, _NDJSON)
    return json_response(await services.audit.list_page(who.organisation_id, chosen, limit, cursor))
