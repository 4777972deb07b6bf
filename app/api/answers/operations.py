"""Answers of the health routes."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from app.api.answers.common import shown


class Ready(BaseModel):
    model_config = shown(
        {
            "status": "ok",
            "dependencies": {"database": "ok", "search": "ok", "queue": "ok"},
            "workers": "ok",
            "queue_depth": 0,
        }
    )

    status: Literal["ok", "unavailable"]
    dependencies: dict[str, str] = Field(description="By name: ok, or what is wrong")
    workers: Literal["ok", "none seen", "unknown"] = Field(description="Whether a worker reported itself lately")
    queue_depth: int | None = Field(description="Jobs that wait for a worker; null when the queue does not answer")


class Alive(BaseModel):
    model_config = shown({"status": "ok"})

    status: Literal["ok"]
