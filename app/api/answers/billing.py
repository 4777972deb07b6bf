"""Answers of /billing."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.api.answers.common import shown
from app.api.openapi_tables import ULID

_CREDITS = {
    "mode": "enforced",
    "balance": 5000,
    "held": 100,
    "available": 4900,
    "used_simulated": 0,
    "available_simulated": 5000,
}


class Credits(BaseModel):
    model_config = shown(_CREDITS)

    mode: Literal["shadow", "enforced"]
    balance: int = Field(description="Credits granted and not captured")
    held: int = Field(description="The part that is set aside for jobs and for requests of the last seconds")
    available: int = Field(description="What new work may take: balance - held")
    used_simulated: int = Field(description="Used in shadow mode since it began")
    available_simulated: int = Field(description="What enforced mode would have left; below 0 it would have refused")


class Balance(Credits):
    model_config = shown({"tier": "standard", **_CREDITS})

    tier: str


class Granted(Credits):
    model_config = shown({"grant_id": f"crd_{ULID}", "credits": 5000, "reason": "May", **_CREDITS})

    grant_id: str
    credits: int
    reason: str


class UsageLine(BaseModel):
    day: str | None = Field(default=None, description="With `group_by=day`")
    operation: str | None = Field(default=None, description="With `group_by=operation`")
    units: int
    credits: int = Field(description="Captured in enforced mode")
    credits_simulated: int = Field(description="Counted in shadow mode")


class Usage(BaseModel):
    model_config = ConfigDict(
        populate_by_name=True,
        json_schema_extra={
            "examples": [
                {
                    "from": "2026-05-01",
                    "to": "2026-05-30",
                    "group_by": "day",
                    "data": [{"day": "2026-05-02", "units": 1200, "credits": 1200, "credits_simulated": 0}],
                }
            ]
        },
    )

    first: str = Field(alias="from")
    last: str = Field(alias="to")
    group_by: Literal["day", "operation"]
    data: list[UsageLine] = Field(description="Days or operations without use are left out")
