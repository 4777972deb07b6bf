"""Answers of the labels and calibrations of a dataset."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from app.api.answers.common import AT, DATASET, shown
from app.api.openapi_tables import ULID


class LabelsAdded(BaseModel):
    model_config = shown({"dataset_id": DATASET, "added": 48, "replaced": 2, "labels": 50})

    dataset_id: str
    added: int
    replaced: int = Field(description="Pairs that had a label already")
    labels: int = Field(description="How many the dataset now has")


class StoredLabel(BaseModel):
    model_config = shown(
        {
            "label_id": f"lbl_{ULID}",
            "record": {"company": "Globex Corp"},
            "record_id": "a3",
            "match": True,
            "actor": f"key_{ULID}",
            "created_at": AT,
        }
    )

    label_id: str
    record: dict[str, Any]
    record_id: str
    match: bool
    actor: str = Field(description="The key that labelled the pair")
    created_at: str


class Calibration(BaseModel):
    """A refit of one profile to one dataset."""

    model_config = shown(
        {
            "calibration_id": f"cal_{ULID}",
            "dataset_id": DATASET,
            "calibration": "cal1",
            "profile": "balanced",
            "model": "general@13",
            "state": "installed",
            "report": {
                "better": True,
                "before": {"log_loss": {"value": 0.41, "interval": [0.33, 0.5]}},
                "after": {"log_loss": {"value": 0.29, "interval": [0.22, 0.37]}},
                "labels": 200,
                "used": 196,
            },
            "created_at": AT,
        }
    )

    calibration_id: str
    dataset_id: str
    calibration: str = Field(description="As answers name it: `balanced@14+cal1`")
    profile: str
    model: str = Field(description="The shipped model that it changes; with a newer one it is not used")
    state: Literal["installed", "rejected", "replaced", "reset"] = Field(description="rejected: it was no better")
    report: dict[str, Any] = Field(description="Both models on held-back pairs, each figure with its 95 % interval")
    created_at: str
