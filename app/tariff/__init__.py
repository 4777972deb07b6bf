"""The tariff: tiers with their limits and the price of every operation, as data; checked when it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.errors import InternalError

_Positive = Annotated[int, Field(gt=0)]


class Operation(StrEnum):
    """What costs credits."""

    MATCH_RECORD = "match.record"
    MATCH_EXPLAIN = "match.explain"
    MATCH_BATCH = "match.batch"
    MATCH_FILES = "match.files"
    APPEND = "datasets.append"
    ACTIVATE = "datasets.activate"


class Tier(BaseModel):
    """Limits of one organisation, over all processes together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests: _Positive
    window_s: _Positive
    concurrent_requests: _Positive
    queued_jobs: _Positive


class Price(BaseModel):
    """Credits for every `per` units begun."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    credits: Annotated[int, Field(ge=0)]
    per: _Positive = 1

    def of(self, units: int) -> int:
        return -(-units // self.per) * self.credits


class Tariff(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    default_tiers: Mapping[str, str]
    tiers: Mapping[str, Tier]
    prices: Mapping[Operation, Price]

    @model_validator(mode="after")
    def is_whole(self) -> Tariff:
        strangers = sorted(set(self.default_tiers.values()) - set(self.tiers))
        if strangers:
            raise ValueError(f"default_tiers names {strangers[0]!r}, which is not among the tiers")
        unpriced = [operation.value for operation in Operation if operation not in self.prices]
        if unpriced:
            raise ValueError(f"prices lacks {', '.join(unpriced)}")
        return self

    def price(self, operation: Operation, units: int) -> int:
        """Credits for that many units of an operation."""
        return self.prices[operation].of(units)


def load_tariff(path: Path | None = None) -> Tariff:
    """The tariff of a file, the bundled one when None; raises InternalError saying what is wrong and where."""
    source = path or files("app.tariff") / "tariff.yaml"
    try:
        return Tariff.model_validate(yaml.safe_load(source.read_text("utf-8")))
    except ValidationError as exc:
        raise InternalError(f"The tariff {source} cannot be used: {_first(exc)}.") from exc
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise InternalError(f"The tariff {source} cannot be read: {exc}.") from exc


def _first(exc: ValidationError) -> str:
    found = exc.errors(include_url=False)[0]
    place = ".".join(str(part) for part in found["loc"])
    return f"{place}: {found['msg']}" if place else found["msg"]
