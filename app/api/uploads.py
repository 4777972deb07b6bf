"""Routes of /uploads: a signed URL, and on the local store the door behind it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from app.api.answers.common import AT, shown
from app.api.deps import JsonRoute, ServicesDep, caller, json_response
from app.api.openapi import raises
from app.api.openapi_tables import ULID
from app.errors import Conflict, Forbidden, InvalidRequest, PayloadTooLarge, StorageFull, UploadNotFound
from app.services.keys import Principal

router = APIRouter(prefix="/uploads", tags=["uploads"], route_class=JsonRoute)
Uploader = Annotated[Principal, caller("uploads:write")]
Purpose = Annotated[Literal["dataset", "match"], Query(description="What the file is for: an append or a match")]


class PresignedUpload(BaseModel):
    model_config = shown(
        {
            "upload_url": f"http://127.0.0.1:8080/api/v2/uploads/sk_{ULID}?organisation_id=org_{ULID}"
            "&max_bytes=21474836480&expires=1780000000&signature=5f2c",
            "storage_key": f"sk_{ULID}",
            "expires_at": AT,
            "max_bytes": 21474836480,
        }
    )

    upload_url: str = Field(description='Takes one plain PUT: `curl -X PUT "$UPLOAD_URL" -T file`')
    storage_key: str = Field(description="What `source_key` is where the file is used")
    expires_at: str
    max_bytes: int


class ReceivedUpload(BaseModel):
    model_config = shown({"storage_key": f"sk_{ULID}", "size_bytes": 92_000_311})

    storage_key: str
    size_bytes: int


@router.post("/presign", response_model=PresignedUpload, summary="Get a URL to upload a file to")
async def presign(request: Request, purpose: Purpose, services: ServicesDep, who: Uploader) -> Response:
    """The URL takes one file and needs no key: it says who may send how much until when, and is signed.

    The file is kept for a day, and for a day after each job that reads it.
    """
    base_url = services.settings.public_base_url or str(request.base_url)
    return json_response(await services.uploads.presign(who.organisation_id, purpose, base_url))


@router.put(
    "/{storage_key}",
    response_model=ReceivedUpload,
    summary="Send a file to its signed URL",
    responses=raises(InvalidRequest, Forbidden, UploadNotFound, Conflict, PayloadTooLarge, StorageFull),
)
async def receive(storage_key: str, request: Request, services: ServicesDep) -> Response:
    """Only with the query that `presign` gave; the body is the file as it is. On S3 the URL leads to the bucket instead."""
    announced = request.headers.get("content-length", "")
    length = int(announced) if announced.isdigit() else None
    try:
        stored = await services.uploads.receive(storage_key, request.query_params, length, request.stream())
    except ClientDisconnect as exc:
        raise InvalidRequest("The connection ended before the file was complete; send it again.") from exc
    return json_response(stored)
