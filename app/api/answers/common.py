"""What the models of answers share. They document: routes build the JSON themselves, unvalidated."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from app.api.openapi_tables import ULID

T = TypeVar("T")

DATASET = f"ds_{ULID}"
SNAPSHOT = f"dss_{ULID}"
JOB = f"job_{ULID}"
REQUEST = f"req_{ULID}"
AT = "2026-01-15T10:00:00Z"


def shown(example: dict[str, Any]) -> ConfigDict:
    """The `model_config` of an answer: its example in the document."""
    return ConfigDict(json_schema_extra={"examples": [example]})


class Page(BaseModel, Generic[T]):
    """One page of a list, newest first."""

    data: list[T]
    has_more: bool
    next_cursor: str | None = Field(description="Give it as `cursor` to get the next page; null on the last one")
