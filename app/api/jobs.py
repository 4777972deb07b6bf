"""Routes of /jobs: how asynchronous work stands, its result, and how to stop it."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api.deps import Cursor, JsonRoute, Limit, ServicesDep, caller, json_response
from app.services.keys import Principal

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=JsonRoute)
Reader = Annotated[Principal, caller("jobs:read")]
Canceller = Annotated[Principal, caller("jobs:cancel")]


@router.get("", summary="List jobs, newest first")
async def list_jobs(services: ServicesDep, who: Reader, limit: Limit = 100, cursor: Cursor = None) -> Response:
    return json_response(await services.jobs.list_page(who.organisation_id, limit, cursor))


@router.get("/{job_id}", summary="Read a job")
async def get_job(job_id: str, services: ServicesDep, who: Reader) -> Response:
    return json_response(await services.jobs.get(who.organisation_id, job_id))


@router.post("/{job_id}/cancel", summary="Cancel a job that has not ended")
async def cancel_job(job_id: str, services: ServicesDep, who: Canceller) -> Response:
    return json_response(await services.jobs.cancel(who.organisation_id, job_id))


@router.get("/{job_id}/results", summary="The result of a completed job, as JSON or NDJSON by Accept")
async def get_results(job_id: str, request: Request, services: ServicesDep, who: Reader) -> Response:
    result = await services.jobs.result(who.organisation_id, job_id)
    if "application/x-ndjson" in request.headers.get("accept", "") and "results" in result:
        lines = b"".join(orjson.dumps(line) + b"\n" for line in result["results"])
        return Response(lines, 200, None, "application/x-ndjson")
    return json_response(result)
