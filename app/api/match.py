"""Routes of /match: one record, a batch, and why two records match."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter
from starlette.responses import Response

from app.api.answers.jobs import AcceptedBatch
from app.api.answers.match import Explained, RecordMatches
from app.api.bodies import ExplainBody, MatchBatchBody, MatchDeltaBody, MatchFilesBody, MatchRecordBody
from app.api.deps import JsonRoute, ServicesDep, caller, json_response
from app.api.openapi import raises
from app.errors import (
    ArtifactExpired,
    Conflict,
    DatasetNotFound,
    InsufficientCredits,
    JobNotFound,
    JobNotReady,
    NotFound,
    PayloadTooLarge,
    SnapshotNotActive,
    SnapshotNotFound,
    UploadNotFound,
)
from app.identity import current
from app.services.decisions import Origin
from app.services.file_jobs.delta.service import DeltaRequest
from app.services.file_jobs.service import FileRequest
from app.services.keys import Principal
from app.tariff import Operation

router = APIRouter(prefix="/match", tags=["match"], route_class=JsonRoute)
Matcher = Annotated[Principal, caller("match:run")]
_TARGET_ERRORS = (SnapshotNotFound, DatasetNotFound, SnapshotNotActive, InsufficientCredits)


@router.post(
    "/record", response_model=RecordMatches, responses=raises(*_TARGET_ERRORS), summary="Match one record at once"
)
async def match_record(body: MatchRecordBody, services: ServicesDep, who: Matcher) -> Response:
    """Retrieves candidates, compares them field by field and answers what scores at least the threshold, best first."""
    started = time.perf_counter()
    async with services.meter.charge(who.organisation_id, Operation.MATCH_RECORD):
        answer = await services.match.match_record(
            who.organisation_id, body.snapshot_id, body.dataset_id, body.record, body.options.to_options()
        )
    took_ms = round((time.perf_counter() - started) * 1000, 2)
    services.decisions.note(Origin(who.organisation_id, "record"), body.record, answer, took_ms)
    return json_response({"request_id": current().request_id, **answer, "took_ms": took_ms})


@router.post(
    "/explain",
    response_model=Explained,
    responses=raises(*_TARGET_ERRORS, NotFound),
    summary="Explain any pair of a record and a master record",
)
async def explain(body: ExplainBody, services: ServicesDep, who: Matcher) -> Response:
    """Whether it was retrieved, what speaks for and against it, and the least change that would turn the decision."""
    options = body.options.to_options()
    async with services.meter.charge(who.organisation_id, Operation.MATCH_EXPLAIN):
        answer = await services.match.explain(
            who.organisation_id, body.snapshot_id, body.dataset_id, body.record, body.record_id, options
        )
    return json_response({"request_id": current().request_id, **answer})


@router.post(
    "/batch",
    status_code=202,
    response_model=AcceptedBatch,
    responses=raises(*_TARGET_ERRORS),
    summary="Match up to 100 records in a job",
)
async def match_batch(body: MatchBatchBody, services: ServicesDep, who: Matcher) -> Response:
    """Accepts them at once; each record may carry its own `id`, echoed in its result."""
    limit = services.settings.batch_limit_records
    if len(body.records) > limit:
        raise PayloadTooLarge(
            f"A batch may have at most {limit} records; use /match/files for more.",
            limit=limit,
            received=len(body.records),
        )
    job = await services.batches.submit(
        who.organisation_id,
        body.snapshot_id,
        body.dataset_id,
        body.records,
        body.options.to_options(),
        body.callback_url,
    )
    return _accepted(job)


@router.post(
    "/files",
    status_code=202,
    response_model=AcceptedBatch,
    responses=raises(*_TARGET_ERRORS, UploadNotFound),
    summary="Match an uploaded file in a job",
)
async def match_files(body: MatchFilesBody, services: ServicesDep, who: Matcher) -> Response:
    """CSV, NDJSON or Parquet of any size; the result keeps every column and adds the matches, the rest are rejects."""
    asked = FileRequest(
        body.snapshot_id,
        body.dataset_id,
        body.source_key,
        body.options.to_options(),
        body.output_format,
        body.callback_url,
    )
    return _accepted(await services.files.submit(who.organisation_id, asked))


@router.post(
    "/delta",
    status_code=202,
    response_model=AcceptedBatch,
    responses=raises(
        *(SnapshotNotFound, SnapshotNotActive, InsufficientCredits),
        *(JobNotFound, JobNotReady, Conflict, ArtifactExpired),
    ),
    summary="Match a file again where the answers can have changed",
)
async def match_delta(body: MatchDeltaBody, services: ServicesDep, who: Matcher) -> Response:
    """Matches again, with the options of a completed file job, the records that another snapshot may answer differently.

    The result, in the job's format, has one row for each record whose answer differs: its columns, `match_change`
    (`appeared`, `disappeared` or `changed`) and both answers.
    """
    asked = DeltaRequest(body.from_snapshot_id, body.to_snapshot_id, body.job_id, body.callback_url)
    return _accepted(await services.deltas.submit(who.organisation_id, asked))


def _accepted(job: Mapping[str, Any]) -> Response:
    place = f"/api/v2/jobs/{job['job_id']}"
    answer = {
        "job_id": job["job_id"],
        "status": job["status"],
        "poll_url": place,
        "results_url": f"{place}/results",
    }
    return json_response(answer, 202, {"Location": place, "Retry-After": "1"})
