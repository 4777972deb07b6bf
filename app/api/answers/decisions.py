"""Answers of /decisions."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from app.api.answers.common import AT, DATASET, REQUEST, SNAPSHOT, shown
from app.api.openapi_tables import ULID


class Decision(BaseModel):
    """What the matcher decided on one record: ids and evidence, never the record's values."""

    model_config = shown(
        {
            "decision_id": f"dec_{ULID}",
            "at": AT,
            "mode": "record",
            "dataset_id": DATASET,
            "snapshot_id": SNAPSHOT,
            "request_id": REQUEST,
            "correlation_id": "7c3b-1",
            "actor": f"key_{ULID}",
            "job_id": None,
            "position": None,
            "record_hash": "0f2a6f0c7d6b1e6f3c1b0a9d8e7f6a5b",
            "profile": "balanced@1",
            "threshold": 0.5,
            "decision": "match",
            "record_id": "a1",
            "score": 0.973,
            "confidence": "high",
            "reasons": ["DOMAIN_EXACT", "NAME_SIMILAR"],
            "matches": 1,
            "candidates_considered": 50,
            "took_ms": 8.6,
        }
    )

    decision_id: str
    at: str
    mode: Literal["record", "batch", "file"]
    dataset_id: str | None
    snapshot_id: str
    request_id: str
    correlation_id: str
    actor: str = Field(description="The key that asked")
    job_id: str | None
    position: int | None = Field(description="The record's in its job, 0-based")
    record_hash: str = Field(description="Equal for equal records of the organisation; values cannot be told from it")
    profile: str
    threshold: float
    decision: Literal["match", "review", "no_match"]
    record_id: str | None = Field(description="The best match, or the candidate to review; null for no match")
    score: float | None
    confidence: Literal["high", "medium", "low"] | None
    reasons: list[str] = Field(description="The codes of the best match's reasons, the heaviest first")
    matches: int
    candidates_considered: int
    took_ms: float | None
