"""Answers of /audit."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from app.api.answers.common import AT, DATASET, REQUEST, shown
from app.api.openapi_tables import ULID


class Event(BaseModel):
    model_config = shown(
        {
            "event_id": f"evt_{ULID}",
            "organisation_id": f"org_{ULID}",
            "seq": 42,
            "at": AT,
            "actor": f"key_{ULID}",
            "action": "dataset.create",
            "resource": DATASET,
            "request_id": REQUEST,
            "correlation_id": "7c3bd7f0-6b1f-4f3f-9d43-0d4c1b2a9e55",
            "details": {"name": "Accounts"},
            "previous_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "hash": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
        }
    )

    event_id: str
    organisation_id: str
    seq: int = Field(description="Place in the organisation's chain, from 1 without gaps")
    at: str
    actor: str = Field(description="A key's id; `operator` for the command line, `system` for the service itself")
    action: str
    resource: str = Field(description="Id of what was changed")
    request_id: str
    correlation_id: str
    details: dict[str, Any]
    previous_hash: str
    hash: str = Field(description="SHA-256 over the previous hash and this event")
