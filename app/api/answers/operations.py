"""Answers of the health routes."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from app.api.answers.common import shown


class Ready(BaseModel):
    model_config = shown({"status": "ok", "dependencies": {"database": "ok", "search": "ok", "queue": "ok"}})

    status: Literal["ok", "unavailable"]
    dependencies: dict[str, str] = Field(description="By name: ok, or what is wrong")


class Alive(BaseModel):
    model_config = shown({"status": "ok"})

    status: Literal["ok"]
