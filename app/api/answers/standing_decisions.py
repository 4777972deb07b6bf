"""Answers of /decisions/standing."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from app.api.answers.common import AT, DATASET, shown
from app.api.openapi_tables import ULID


class StandingDecision(BaseModel):
    """What a person decided about a record and a master record."""

    model_config = shown(
        {
            "decision_id": f"std_{ULID}",
            "dataset_id": DATASET,
            "record": {"company": "Globex Corp", "email": "jo@globex.org"},
            "field_map": {},
            "record_id": "a5",
            "verdict": "always",
            "note": "Bought by the bank in 2025",
            "actor": f"key_{ULID}",
            "created_at": AT,
            "expires_at": None,
        }
    )

    decision_id: str
    dataset_id: str
    record: dict[str, Any] = Field(description="As it was given; it holds for every record that compares alike")
    field_map: dict[str, str]
    record_id: str = Field(description="Primary key of the master record")
    verdict: Literal["always", "never"]
    note: str | None
    actor: str = Field(description="The key that decided")
    created_at: str
    expires_at: str | None
