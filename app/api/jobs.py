"""Routes of /jobs: how asynchronous work stands, its result, and how to stop it."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api.answers.common import Page
from app.api.answers.jobs import Job, JobResult
from app.api.deps import Cursor, JsonRoute, Limit, ServicesDep, caller, json_response
from app.api.openapi import also, raises
from app.errors import Conflict, JobNotReady
from app.services.keys import Principal

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=JsonRoute)
Reader = Annotated[Principal, caller("jobs:read")]
Canceller = Annotated[Principal, caller("jobs:cancel")]


@router.get("", response_model=Page[Job], summary="List jobs")
async def list_jobs(services: ServicesDep, who: Reader, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """All jobs of the organisation, newest first."""
    return json_response(await services.jobs.list_page(who.organisation_id, limit, cursor))


@router.get("/{job_id}", response_model=Job, summary="Read a job")
async def get_job(job_id: str, services: ServicesDep, who: Reader) -> Response:
    """How it stands, how far it is and when it will be done; poll it, or give a `callback_url`."""
    return json_response(await services.jobs.get(who.organisation_id, job_id))


@router.post(
    "/{job_id}/cancel", response_model=Job, responses=raises(Conflict), summary="Cancel a job that has not ended"
)
async def cancel_job(job_id: str, services: ServicesDep, who: Canceller) -> Response:
    """Stops it at its next step; cancelling twice is no error, cancelling what has ended is a conflict."""
    return json_response(await services.jobs.cancel(who.organisation_id, job_id))


@router.get(
    "/{job_id}/results",
    response_model=JobResult,
    responses=raises(Conflict, JobNotReady) | also("application/x-ndjson"),
    summary="Read the result of a completed job",
)
async def get_results(job_id: str, request: Request, services: ServicesDep, who: Reader) -> Response:
    """With `Accept: application/x-ndjson`, one line a record."""
    result = await services.jobs.result(who.organisation_id, job_id)
    if "application/x-ndjson" in request.headers.get("accept", "") and "results" in result:
        lines = b"".join(orjson.dumps(line) + b"\n" for line in result["results"])
        return Response(lines, 200, None, "application/x-ndjson")
    return json_response(result)
