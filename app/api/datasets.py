"""Routes of /datasets: create, append, read, activate, delete."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from starlette.responses import Response

from app.api.answers.common import Page
from app.api.answers.datasets import Appended, Dataset, Snapshot
from app.api.answers.jobs import AcceptedJob
from app.api.bodies import ActivateBody, AppendBody, CreateDatasetBody
from app.api.deps import Cursor, JsonRoute, Limit, ServicesDep, caller, json_response
from app.api.openapi import binary, raises
from app.errors import (
    ArtifactExpired,
    Conflict,
    InsufficientCredits,
    NotFound,
    PayloadTooLarge,
    SnapshotNotFound,
    UploadNotFound,
)
from app.services.file_append import AppendRequest
from app.services.keys import Principal
from app.tariff import Operation

router = APIRouter(prefix="/datasets", tags=["datasets"], route_class=JsonRoute)
Reader = Annotated[Principal, caller("datasets:read")]
Writer = Annotated[Principal, caller("datasets:write")]
_READ_BY_A_JOB: dict[int | str, dict[str, Any]] = {
    202: {"model": AcceptedJob, "description": "A job reads the upload; its result is the summary"}
}
Activator = Annotated[Principal, caller("datasets:activate")]


@router.post("", status_code=201, response_model=Dataset, summary="Create a dataset")
async def create_dataset(body: CreateDatasetBody, services: ServicesDep, who: Writer) -> Response:
    """Names the fields and their types; what each field means is inferred from its name, or said in `roles`."""
    roles = {name: role.value for name, role in body.roles.items()}
    created = await services.datasets.create(who.organisation_id, body.name, dict(body.fields), body.primary_key, roles)
    return json_response(created, 201, {"Location": f"/api/v2/datasets/{created['dataset_id']}"})


@router.get("", response_model=Page[Dataset], summary="List datasets")
async def list_datasets(services: ServicesDep, who: Reader, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """All datasets of the organisation, newest first."""
    return json_response(await services.datasets.list_page(who.organisation_id, limit, cursor))


@router.get("/{dataset_id}", response_model=Dataset, summary="Read a dataset")
async def get_dataset(dataset_id: str, services: ServicesDep, who: Reader) -> Response:
    """Its schema and roles, which snapshot is active, and how its index stands."""
    return json_response(await services.datasets.get(who.organisation_id, dataset_id))


@router.delete("/{dataset_id}", status_code=204, summary="Delete a dataset with its snapshots and indices")
async def delete_dataset(dataset_id: str, services: ServicesDep, who: Writer) -> Response:
    """Ends it for good: it is not found from now on, and its indices are removed."""
    await services.delete_dataset(who.organisation_id, dataset_id)
    return Response(status_code=204)


@router.post(
    "/{dataset_id}/append",
    status_code=201,
    response_model=Appended,
    responses=_READ_BY_A_JOB | raises(UploadNotFound, Conflict, ArtifactExpired, InsufficientCredits),
    summary="Append records or an upload: makes the next snapshot",
)
async def append(dataset_id: str, body: AppendBody, services: ServicesDep, who: Writer) -> Response:
    """Coerces each record to the schema; one that cannot be is rejected with its reasons and the rest is accepted.

    With a primary key, a later record replaces the earlier one and `{"_deleted": true}` with the key removes it.
    An upload (`source_key`) of any size is read by a job with the same outcome; what cannot be read at all fails it.
    """
    if body.records is None:
        request = AppendRequest(str(body.source_key), body.format, body.field_map)
        return _accepted(await services.file_appends.submit(who.organisation_id, dataset_id, request))
    limit = services.settings.append_limit_records
    if len(body.records) > limit:
        raise PayloadTooLarge(
            f"One append may have at most {limit} records; send them in parts.",
            limit=limit,
            received=len(body.records),
        )
    async with services.meter.charge(who.organisation_id, Operation.APPEND, len(body.records)):
        appended = await services.datasets.append(who.organisation_id, dataset_id, body.records)
    return json_response(appended, 201)


@router.get("/{dataset_id}/snapshots", response_model=Page[Snapshot], summary="List a dataset's snapshots")
async def list_snapshots(
    dataset_id: str, services: ServicesDep, who: Reader, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """The chain of snapshots, newest first, each with its rows and data-quality summary."""
    return json_response(await services.datasets.snapshots(who.organisation_id, dataset_id, limit, cursor))


@router.get("/{dataset_id}/snapshots/{snapshot_id}", response_model=Snapshot, summary="Read a snapshot")
async def get_snapshot(dataset_id: str, snapshot_id: str, services: ServicesDep, who: Reader) -> Response:
    """One immutable state of a dataset."""
    return json_response(await services.datasets.snapshot(who.organisation_id, dataset_id, snapshot_id))


@router.get(
    "/{dataset_id}/snapshots/{snapshot_id}/rejects",
    response_class=Response,
    responses=binary("application/gzip", "One JSON object a rejected row") | raises(ArtifactExpired, NotFound),
    summary="Download rejected rows as NDJSON.gz",
)
async def get_rejects(dataset_id: str, snapshot_id: str, services: ServicesDep, who: Reader) -> Response:
    """Every line is `{"row", "line", "record", "errors": [{"field", "code", "message"}]}`; kept for 24 hours."""
    content = await services.datasets.rejects(who.organisation_id, dataset_id, snapshot_id)
    disposition = f'attachment; filename="{snapshot_id}-rejects.ndjson.gz"'
    return Response(content, 200, {"Content-Disposition": disposition}, "application/gzip")


@router.post(
    "/{dataset_id}/activate",
    status_code=202,
    response_model=AcceptedJob,
    responses=raises(SnapshotNotFound, InsufficientCredits),
    summary="Activate a snapshot: builds its index in a job",
)
async def activate(dataset_id: str, body: ActivateBody, services: ServicesDep, who: Activator) -> Response:
    """Builds beside the index that serves, verifies it and swaps it in at once; an index still kept needs no build."""
    await services.datasets.snapshot(who.organisation_id, dataset_id, body.snapshot_id)
    payload = {"dataset_id": dataset_id, "snapshot_id": body.snapshot_id}
    return _accepted(await services.jobs.create(who.organisation_id, "activate", payload))


def _accepted(job: dict[str, Any]) -> Response:
    place = f"/api/v2/jobs/{job['job_id']}"
    return json_response({**job, "poll_url": place}, 202, {"Location": place, "Retry-After": "1"})
