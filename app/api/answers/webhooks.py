"""Answers of /webhooks."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from app.api.answers.common import AT, JOB, SNAPSHOT, shown
from app.api.openapi_tables import ULID

_DELIVERY = f"whd_{ULID}"


class Delivery(BaseModel):
    model_config = shown(
        {
            "delivery_id": _DELIVERY,
            "message_id": f"msg_{ULID}",
            "job_id": JOB,
            "event": "job.completed",
            "url": "https://your-app.com/webhook/match-complete",
            "status": "delivered",
            "attempts": [{"at": AT, "status_code": 204, "error": None, "took_ms": 84.2}],
            "next_attempt_at": None,
            "created_at": AT,
            "ended_at": AT,
            "correlation_id": "7c3b-1",
            "payload": {"type": "job.completed", "timestamp": AT, "data": {"job_id": JOB, "status": "completed"}},
        }
    )

    delivery_id: str
    message_id: str = Field(description="The `webhook-id` that the receiver sees; a replay keeps it")
    job_id: str
    event: str
    url: str
    status: Literal["pending", "delivered", "failed"]
    attempts: list[dict[str, Any]]
    next_attempt_at: str | None
    created_at: str
    ended_at: str | None
    correlation_id: str | None
    payload: dict[str, Any]


class Secret(BaseModel):
    model_config = shown(
        {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "version": 1, "rotated_at": None, "previous_until": None}
    )

    secret: str
    version: int
    rotated_at: str | None
    previous_until: str | None = Field(description="Until when messages carry a signature with the secret before too")


class EndedJob(BaseModel):
    """The job; no record's values."""

    job_id: str
    kind: str
    status: Literal["completed", "failed", "cancelled"]
    created_at: str
    finished_at: str
    results_url: str | None
    rejects_url: str | None
    dataset_id: str | None
    snapshot_id: str | None
    organisation_id: str
    error_code: str | None


class Message(BaseModel):
    """What a `callback_url` is sent."""

    model_config = shown(
        {
            "type": "job.completed",
            "timestamp": AT,
            "data": {
                "job_id": JOB,
                "kind": "match_batch",
                "status": "completed",
                "created_at": AT,
                "finished_at": AT,
                "results_url": f"/api/v2/jobs/{JOB}/results",
                "rejects_url": None,
                "dataset_id": None,
                "snapshot_id": SNAPSHOT,
                "organisation_id": f"org_{ULID}",
                "error_code": None,
            },
        }
    )

    type: Literal["job.completed", "job.failed", "job.cancelled"]
    timestamp: str
    data: EndedJob
