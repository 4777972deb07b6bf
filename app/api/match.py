"""Routes of /match: one record, a batch, and why two records match."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from app.api.bodies import ExplainBody, MatchBatchBody, MatchRecordBody
from app.api.deps import JsonRoute, ServicesDep, caller, json_response
from app.api.identity import current
from app.errors import PayloadTooLarge
from app.services.keys import Principal

router = APIRouter(prefix="/match", tags=["match"], route_class=JsonRoute)
Matcher = Annotated[Principal, caller("match:run")]


@router.post("/record", summary="Match one record at once")
async def match_record(body: MatchRecordBody, services: ServicesDep, who: Matcher) -> Response:
    started = time.perf_counter()
    answer = await services.match.match_record(
        who.organisation_id, body.snapshot_id, body.dataset_id, body.record, body.options.to_options()
    )
    took_ms = round((time.perf_counter() - started) * 1000, 2)
    return json_response({"request_id": current().request_id, **answer, "took_ms": took_ms})


@router.post("/explain", summary="Explain any pair of a record and a master record")
async def explain(body: ExplainBody, services: ServicesDep, who: Matcher) -> Response:
    answer = await services.match.explain(
        who.organisation_id, body.snapshot_id, body.dataset_id, body.record, body.record_id, body.options.to_options()
    )
    return json_response({"request_id": current().request_id, **answer})


@router.post("/batch", status_code=202, summary="Match up to 100 records in a job")
async def match_batch(body: MatchBatchBody, services: ServicesDep, who: Matcher) -> Response:
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
        current().correlation_id,
    )
    place = f"/api/v2/jobs/{job['job_id']}"
    answer = {
        "job_id": job["job_id"],
        "status": job["status"],
        "poll_url": place,
        "results_url": f"{place}/results",
    }
    return json_response(answer, 202, {"Location": place, "Retry-After": "1"})
