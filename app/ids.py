"""Prefixed ULIDs: sortable by time of making, readable in a log, checked by shape."""

from __future__ import annotations

import re
from enum import StrEnum

from ulid import ULID


class Prefix(StrEnum):
    ORGANISATION = "org"
    KEY = "key"
    DATASET = "ds"
    SNAPSHOT = "dss"
    JOB = "job"
    OBJECT = "sk"
    REQUEST = "req"
    DELIVERY = "whd"
    STANDING_DECISION = "std"
    LABEL = "lbl"
    CALIBRATION = "cal"
    EVENT = "evt"
    CREDIT = "crd"
    LEASE = "lse"
    DECISION = "dec"


def new_id(prefix: Prefix) -> str:
    """A new `<prefix>_<ULID>`; 26 characters of Crockford base 32 after the underscore."""
    return f"{prefix.value}_{ULID()}"


def is_id(text: str, prefix: Prefix) -> bool:
    return re.fullmatch(rf"{prefix.value}_[0-9A-HJKMNP-TV-Z]{{26}}", text) is not None
