"""Answers of /keys."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from app.api.answers.common import AT, shown
from app.api.openapi_tables import ULID

_KEY: dict[str, Any] = {
    "key_id": f"key_{ULID}",
    "name": "Lead router",
    "prefix": "fo_9fQ2xk",
    "role": "matcher",
    "scopes": ["datasets:read", "jobs:read", "match:run"],
    "status": "active",
    "created_at": AT,
    "expires_at": None,
    "last_used_at": AT,
    "revoked_at": None,
    "replaced_by": None,
}
_PLAIN = "fo_9fQ2xkExampleExampleExampleExampleExampleEx"


class Key(BaseModel):
    model_config = shown(_KEY)

    key_id: str
    name: str
    prefix: str = Field(description="The first characters of the key")
    role: str | None
    scopes: list[str]
    status: Literal["active", "expired", "revoked"]
    created_at: str
    expires_at: str | None
    last_used_at: str | None = Field(description="To the minute")
    revoked_at: str | None
    replaced_by: str | None = Field(description="The id of its successor, once it is rotated")


class IssuedKey(Key):
    model_config = shown({**_KEY, "last_used_at": None, "key": _PLAIN})

    key: str = Field(description="Shown this once; the service keeps a keyed hash only")


class RotatedKey(IssuedKey):
    model_config = shown(
        {**_KEY, "last_used_at": None, "key": _PLAIN, "previous": {**_KEY, "expires_at": "2026-01-16T10:00:00Z"}}
    )

    previous: Key = Field(description="The old key; it works until its `expires_at`")
