"""Answers of /datasets."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from app.api.answers.common import AT, DATASET, SNAPSHOT, shown
from app.matching.schema import Role

_DATASET_EXAMPLE = {
    "dataset_id": DATASET,
    "name": "Customer Master Data",
    "schema": {"customer_id": "int", "company_name": "string", "email": "string", "created_at": "timestamp"},
    "primary_key": "customer_id",
    "roles": {
        "customer_id": "identifier",
        "company_name": "organization_name",
        "email": "email",
        "created_at": "date",
    },
    "created_at": AT,
    "latest_snapshot_id": SNAPSHOT,
    "active_snapshot_id": SNAPSHOT,
    "rows": 26381,
    "index_status": "active",
}


class Dataset(BaseModel):
    model_config = shown(_DATASET_EXAMPLE)

    dataset_id: str
    name: str
    fields: dict[str, Literal["string", "int", "float", "bool", "timestamp"]] = Field(alias="schema")
    primary_key: str | None
    roles: dict[str, Role] = Field(description="What each field means: inferred, or as it was set")
    created_at: str
    latest_snapshot_id: str | None
    active_snapshot_id: str | None
    rows: int | None = Field(description="Records of the active snapshot")
    index_status: str | None


class Quality(BaseModel):
    """The data-quality summary of an append."""

    accepted: int
    rejected: int
    coercions: dict[str, int] = Field(description="By type, the values whose JSON type was another")
    null_pct: dict[str, float] = Field(description="By field, the percentage of empty values")


_QUALITY_EXAMPLE = {"accepted": 2, "rejected": 0, "coercions": {"timestamp": 2}, "null_pct": {"email": 0.0}}


class Appended(Quality):
    model_config = shown({"snapshot_id": SNAPSHOT, **_QUALITY_EXAMPLE})

    snapshot_id: str


class Snapshot(Quality):
    model_config = shown(
        {
            "snapshot_id": SNAPSHOT,
            "dataset_id": DATASET,
            "parent_id": None,
            "state": "ready",
            "rows": 2,
            **_QUALITY_EXAMPLE,
            "created_at": AT,
        }
    )

    snapshot_id: str
    dataset_id: str
    parent_id: str | None
    state: Literal["building", "ready", "active", "retired", "failed"]
    rows: int = Field(description="Current records: replaced and deleted ones are not counted")
    created_at: str
