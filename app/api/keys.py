"""Routes of /keys: API keys of the caller's organisation."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import AwareDatetime, BeforeValidator, Field
from starlette.responses import Response

from app.api.answers.common import Page, shown
from app.api.answers.keys import IssuedKey, Key, RotatedKey
from app.api.bodies import Body
from app.api.deps import Cursor, JsonRoute, Limit, ServicesDep, caller, json_response
from app.api.openapi import raises
from app.errors import Conflict, InvalidSchema
from app.services.keys import NewKey, Principal
from app.services.scopes import ROLES, SCOPES

router = APIRouter(prefix="/keys", tags=["keys"], route_class=JsonRoute)
Admin = Annotated[Principal, caller("keys:admin")]
Scope = Annotated[str, Field(json_schema_extra={"enum": list(SCOPES)})]
Role = Annotated[str, Field(json_schema_extra={"enum": list(ROLES)})]
_DAY_S = 86_400
_LONGEST_OVERLAP_S = 30 * _DAY_S


def _text(value: Any) -> Any:
    """A time is given as text; a number would be read as seconds since 1970."""
    if not isinstance(value, str):
        raise ValueError("give a time as RFC 3339 text with a zone")
    return value


Time = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_text)]


class CreateKeyBody(Body):
    model_config = shown({"name": "Lead router", "role": "matcher"})

    name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*[^\s\x00][^\x00]*$")]
    scopes: Annotated[list[Scope] | None, Field(min_length=1, description="Instead of a role")] = None
    role: Annotated[Role | None, Field(description="A named set of scopes")] = None
    expires_at: Annotated[Time | None, Field(description="RFC 3339 with a zone")] = None


class RotateKeyBody(Body):
    model_config = shown({"overlap_seconds": _DAY_S})

    overlap_seconds: Annotated[
        int, Field(ge=0, le=_LONGEST_OVERLAP_S, description="How long the old key works beside the new one")
    ] = _DAY_S


@router.post("", status_code=201, response_model=IssuedKey, responses=raises(InvalidSchema), summary="Make a key")
async def create_key(body: CreateKeyBody, services: ServicesDep, who: Admin) -> Response:
    """Give `scopes` or a `role`, none that the calling key lacks. The answer shows the key; nothing else ever does."""
    wanted = NewKey(body.name, body.scopes, body.role, body.expires_at)
    return _made(await services.keys.issue(who.organisation_id, wanted, who.scopes))


@router.get("", response_model=Page[Key], summary="List keys")
async def list_keys(services: ServicesDep, who: Admin, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """All keys of the organisation, those that are over included, newest first."""
    return json_response(await services.keys.list_page(who.organisation_id, limit, cursor))


@router.post(
    "/{key_id}/rotate",
    status_code=201,
    response_model=RotatedKey,
    responses=raises(Conflict),
    summary="Replace a key by a new one",
)
async def rotate_key(key_id: str, services: ServicesDep, who: Admin, body: RotateKeyBody | None = None) -> Response:
    """The new key has the old one's name, scopes and length of life; both work until the overlap is over."""
    overlap = timedelta(seconds=(body or RotateKeyBody()).overlap_seconds)
    return _made(await services.keys.rotate(who.organisation_id, key_id, overlap, who.scopes))


@router.delete("/{key_id}", status_code=204, summary="Revoke a key")
async def revoke_key(key_id: str, services: ServicesDep, who: Admin) -> Response:
    """It stops working for every process at once, and for good."""
    await services.keys.revoke(who.organisation_id, key_id)
    return Response(status_code=204)


def _made(made: dict[str, Any]) -> Response:
    return json_response(made, 201, {"Location": f"/api/v2/keys/{made['key_id']}"})
