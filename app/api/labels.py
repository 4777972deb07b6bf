"""Routes of /datasets/{id}/labels and /calibrations: teaching a dataset's matching by labelled pairs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import ConfigDict, Field
from starlette.responses import Response

from app.api.answers.common import Page
from app.api.answers.jobs import AcceptedJob
from app.api.answers.labels import Calibration, LabelsAdded, StoredLabel
from app.api.bodies import Body, Name
from app.api.deps import Cursor, JsonRoute, Limit, ServicesDep, caller, json_response
from app.services.keys import Principal
from app.services.labels import Label

router = APIRouter(prefix="/datasets/{dataset_id}", tags=["datasets"], route_class=JsonRoute)
Reader = Annotated[Principal, caller("datasets:read")]
Writer = Annotated[Principal, caller("datasets:write")]
_MAX_LABELS = 1_000


class LabelBody(Body):
    record: Annotated[dict[str, Any], Field(min_length=1, description="The record, as it would be sent to be matched")]
    record_id: Annotated[Name, Field(description="Primary key of the master record")]
    match: Annotated[bool, Field(description="Whether both are the same entity")]


class LabelsBody(Body):
    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"labels": [{"record": {"company": "Globex Corp"}, "record_id": "a3", "match": True}]}]
        },
    )

    labels: Annotated[list[LabelBody], Field(min_length=1, max_length=_MAX_LABELS)]


class CalibrateBody(Body):
    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": [{"profile": "balanced"}]})

    profile: Annotated[Name, Field(description="The profile that is refitted, for this dataset alone")] = "balanced"


@router.post("/labels", status_code=201, response_model=LabelsAdded, summary="Label pairs")
async def add_labels(dataset_id: str, body: LabelsBody, services: ServicesDep, who: Writer) -> Response:
    """Says of records and master records whether they are the same entity; a pair that has a label gets the new one."""
    labels = [Label(one.record, one.record_id, one.match) for one in body.labels]
    return json_response(await services.labels.add(who, dataset_id, labels), 201)


@router.get("/labels", response_model=Page[StoredLabel], summary="List labelled pairs")
async def list_labels(
    dataset_id: str, services: ServicesDep, who: Reader, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """All labels of the dataset, newest first."""
    return json_response(await services.labels.list_page(who.organisation_id, dataset_id, limit, cursor))


@router.delete("/labels/{label_id}", status_code=204, summary="Delete a label")
async def delete_label(dataset_id: str, label_id: str, services: ServicesDep, who: Writer) -> Response:
    """A calibration that was fitted on it stays as it is."""
    await services.labels.delete(who, dataset_id, label_id)
    return Response(status_code=204)


@router.post(
    "/calibrate", status_code=202, response_model=AcceptedJob, summary="Refit a profile to the dataset's labels"
)
async def calibrate(dataset_id: str, body: CalibrateBody, services: ServicesDep, who: Writer) -> Response:
    """Refits in a job, judges on held-back pairs and installs what is better; the job's result is the calibration."""
    job = await services.calibration.submit(who.organisation_id, dataset_id, body.profile)
    place = f"/api/v2/jobs/{job['job_id']}"
    return json_response({**job, "poll_url": place}, 202, {"Location": place, "Retry-After": "1"})


@router.get("/calibrations", response_model=Page[Calibration], summary="List calibrations")
async def list_calibrations(
    dataset_id: str, services: ServicesDep, who: Reader, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """Every refit of the dataset with its report, newest first."""
    return json_response(await services.calibrations.list_page(who.organisation_id, dataset_id, limit, cursor))


@router.delete("/calibrations/{calibration_id}", status_code=204, summary="Take a calibration out of use")
async def reset_calibration(dataset_id: str, calibration_id: str, services: ServicesDep, who: Writer) -> Response:
    """The shipped model answers again within a second; the report is kept."""
    await services.calibrations.reset(who, dataset_id, calibration_id)
    return Response(status_code=204)
