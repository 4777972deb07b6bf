"""Routes of /jobs: how asynchronous work stands, its results and rejects, and how to stop it."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import APIRouter, Header, Request
from starlette.responses import FileResponse, Response, StreamingResponse

from app.api.answers.common import Page
from app.api.answers.jobs import Job, JobResult
from app.api.deps import Cursor, JsonRoute, Limit, ServicesDep, caller, json_response
from app.api.openapi import also, binary, event_stream, raises
from app.errors import ArtifactExpired, Conflict, JobNotReady, NotFound
from app.services.file_jobs.service import Artefact
from app.services.job_events import follow
from app.services.keys import Principal

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=JsonRoute)
Reader = Annotated[Principal, caller("jobs:read")]
Canceller = Annotated[Principal, caller("jobs:cancel")]


LastEventId = Annotated[str | None, Header(description="The last event seen: only what came after is told")]
_EVENTS = "text/event-stream"
_UNGATHERED = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""For proxies that would gather events before they pass them on."""


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
    "/{job_id}/events",
    response_class=StreamingResponse,
    responses=event_stream("Events, the last one `end`"),
    summary="Follow a job as server-sent events",
)
async def get_job_events(
    job_id: str, services: ServicesDep, who: Reader, last_event_id: LastEventId = None
) -> Response:
    """`progress` whenever the job has moved and `end` when it has ended, each with the job as its data; then it closes."""
    await services.jobs.get(who.organisation_id, job_id)
    events = follow(services.jobs, who.organisation_id, job_id, last_event_id)
    return StreamingResponse(events, 200, _UNGATHERED, _EVENTS)


@router.get(
    "/{job_id}/results",
    response_model=JobResult,
    responses=raises(Conflict, JobNotReady, ArtifactExpired) | also("application/x-ndjson"),
    summary="Read the result of a completed job",
)
async def get_results(job_id: str, request: Request, services: ServicesDep, who: Reader) -> Response:
    """A batch's as JSON, or one line a record with `Accept: application/x-ndjson`; a file's as the file that was asked for."""
    result = await services.jobs.result(who.organisation_id, job_id)
    artefact = await services.files.result(who.organisation_id, job_id)
    if artefact is not None:
        return _download(artefact)
    if "application/x-ndjson" in request.headers.get("accept", "") and "results" in result:
        lines = b"".join(orjson.dumps(line) + b"\n" for line in result["results"])
        return Response(lines, 200, None, "application/x-ndjson")
    return json_response(result)


@router.get(
    "/{job_id}/rejects",
    response_class=Response,
    responses=raises(NotFound, Conflict, JobNotReady, ArtifactExpired)
    | binary("application/gzip", "NDJSON, gzipped: `row`, `line`, `record` and `errors` of each"),
    summary="Download the rejects of a file job",
)
async def get_job_rejects(job_id: str, services: ServicesDep, who: Reader) -> Response:
    """The rows that could not be read or matched, in the file's order, and why."""
    return _download(await services.files.rejects(who.organisation_id, job_id))


def _download(artefact: Artefact) -> Response:
    return FileResponse(artefact.path, 200, media_type=artefact.media_type, filename=artefact.file_name)
