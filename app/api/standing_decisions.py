"""Routes of /decisions/standing: pairs that people have decided about."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, ConfigDict, Field
from starlette.responses import Response

from app.api.answers.common import DATASET, Page
from app.api.answers.standing_decisions import StandingDecision
from app.api.bodies import Body, Name
from app.api.deps import Cursor, JsonRoute, Limit, ServicesDep, caller, json_response
from app.api.openapi import raises
from app.errors import Conflict, DatasetNotFound, NotFound, SnapshotNotActive
from app.services.keys import Principal
from app.services.standing_decisions import NewDecision, StandingFilter

router = APIRouter(prefix="/decisions/standing", tags=["decisions"], route_class=JsonRoute)
Reader = Annotated[Principal, caller("match:run")]
Writer = Annotated[Principal, caller("datasets:write")]
Verdict = Literal["always", "never"]
Expired = Annotated[bool, Query(description="Also those whose time is over")]


class StandingBody(Body):
    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "dataset_id": DATASET,
                    "record": {"company": "Globex Corp", "email": "jo@globex.org"},
                    "record_id": "a5",
                    "verdict": "always",
                    "note": "Bought by the bank in 2025",
                }
            ]
        },
    )

    dataset_id: Name
    record: Annotated[dict[str, Any], Field(min_length=1, description="The record, as it would be sent to be matched")]
    record_id: Annotated[Name, Field(description="Primary key of the master record")]
    verdict: Verdict
    field_map: Annotated[dict[str, str], Field(default_factory=dict, description="As in the options of a match")]
    note: Annotated[str | None, Field(max_length=2000)] = None
    expires_at: Annotated[AwareDatetime | None, Field(strict=False, description="RFC 3339; never when left out")] = None

    def to_decision(self) -> NewDecision:
        return NewDecision(**self.model_dump())


@router.post(
    "",
    status_code=201,
    response_model=StandingDecision,
    responses=raises(DatasetNotFound, NotFound, SnapshotNotActive, Conflict),
    summary="Decide that a record is always, or never, a master record",
)
async def make_standing_decision(body: StandingBody, services: ServicesDep, who: Writer) -> Response:
    """The decision holds within a second, for every record that compares alike, in this and all later snapshots.

    "always" answers the master record first, whatever speaks against it; "never" gives its place to another candidate.
    """
    made = await services.standing_decisions.decide(who, body.to_decision())
    return json_response(made, 201, {"Location": f"/api/v2/decisions/standing/{made['decision_id']}"})


@router.get("", response_model=Page[StandingDecision], summary="List standing decisions, newest first")
async def list_standing_decisions(
    services: ServicesDep,
    who: Reader,
    dataset_id: Annotated[str | None, Query(max_length=200)] = None,
    record_id: Annotated[str | None, Query(max_length=200, description="Primary key of a master record")] = None,
    verdict: Annotated[Verdict | None, Query(description="Only decisions that say this")] = None,
    expired: Expired = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Those that hold, of all datasets; `expired` adds those whose time is over."""
    wanted = StandingFilter(dataset_id, record_id, verdict, expired)
    return json_response(await services.standing_decisions.list_page(who.organisation_id, wanted, limit, cursor))


@router.delete("/{decision_id}", status_code=204, summary="Withdraw a standing decision")
async def withdraw_standing_decision(decision_id: str, services: ServicesDep, who: Writer) -> Response:
    """Matches are answered without it within a second."""
    await services.standing_decisions.withdraw(who, decision_id)
    return Response(status_code=204)
