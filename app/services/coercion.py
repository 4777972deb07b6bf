"""Coerces values to the types of a schema; strict, because a wrong guess in reference data is a wrong match later."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

_INT = re.compile(r"[+-]?\d{1,19}")
_FLOAT = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+-]\d{2}:?\d{2})?")
_MAX_INT = 2**63 - 1
MAX_STRING_CHARS = 32_768


class NotCoercible(ValueError):
    """A value that cannot be stored as its field's type; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class RowErrors:
    """Why a row is rejected."""

    errors: list[dict[str, str]] = field(default_factory=list)

    def add(self, name: str, code: str, message: str) -> None:
        self.errors.append({"field": name, "code": code, "message": message})


def coerce(value: Any, kind: str) -> tuple[Any, bool]:
    """The value as stored, and whether its type changed; None and (but for strings) "" are null.

    Raises NotCoercible. Timestamps become UTC; one without a zone is taken as UTC.
    """
    if value is None:
        return None, False
    if isinstance(value, str) and kind != "string":
        value = value.strip()
        if not value:
            return None, False
    return _COERCIONS[kind](value)


def json_type(value: Any) -> str:
    """The JSON type of a value, for messages."""
    names = {bool: "bool", int: "int", float: "float", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null" if value is None else type(value).__name__)


def _string(value: Any) -> tuple[str, bool]:
    if isinstance(value, str):
        if len(value) > MAX_STRING_CHARS:
            raise NotCoercible("STRING_TOO_LONG", f"longer than {MAX_STRING_CHARS} characters")
        return value, False
    if isinstance(value, bool):
        return "true" if value else "false", True
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return str(value), True
    raise _unlike("string", value)


def _int(value: Any) -> tuple[int, bool]:
    if isinstance(value, int) and not isinstance(value, bool):
        return _bounded(value), False
    if isinstance(value, float) and value.is_integer():
        return _bounded(int(value)), True
    if isinstance(value, str) and _INT.fullmatch(value):
        return _bounded(int(value)), True
    raise _unlike("int", value)


def _bounded(value: int) -> int:
    if abs(value) > _MAX_INT:
        raise NotCoercible("INT_OUT_OF_RANGE", "does not fit 64 bits")
    return value


def _float(value: Any) -> tuple[float, bool]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError as exc:
            raise NotCoercible("FLOAT_OUT_OF_RANGE", "does not fit a 64-bit float") from exc
        changed = False
    elif isinstance(value, str) and _FLOAT.fullmatch(value):
        number, changed = float(value), True
    else:
        raise _unlike("float", value)
    if not math.isfinite(number):
        raise NotCoercible("NOT_FINITE", "is not a finite number")
    return number, changed


def _bool(value: Any) -> tuple[bool, bool]:
    if isinstance(value, bool):
        return value, False
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true", True
    raise _unlike("bool", value)


def _timestamp(value: Any) -> tuple[datetime, bool]:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC), False
    if not isinstance(value, str):
        raise _unlike("timestamp", value)
    try:
        if _DATE.fullmatch(value):
            day = date.fromisoformat(value)
            return datetime(day.year, day.month, day.day, tzinfo=UTC), True
        if _TIME.fullmatch(value):
            read = datetime.fromisoformat(value.upper().replace(" ", "T"))
            return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC), True
    except (ValueError, OverflowError) as exc:
        raise NotCoercible("INVALID_TIMESTAMP", "is no date that exists") from exc
    raise NotCoercible("INVALID_TIMESTAMP", "expected an RFC 3339 time or an ISO date")


def _unlike(expected: str, value: Any) -> NotCoercible:
    return NotCoercible(f"NOT_{expected.upper()}", f"expected {expected}, got {json_type(value)}")


_COERCIONS = {"string": _string, "int": _int, "float": _float, "bool": _bool, "timestamp": _timestamp}


def coerce_row(
    record: Mapping[str, Any], fields: Mapping[str, str], primary_key: str | None
) -> tuple[dict[str, Any] | None, list[str], RowErrors]:
    """A row as stored (None when rejected), the types that were coerced, and why it was rejected."""
    found = RowErrors()
    changed: list[str] = []
    row: dict[str, Any] = {}
    deletes = primary_key is not None and record.get("_deleted") is True
    for name in record:
        if name not in fields and not (deletes and name == "_deleted"):
            found.add(name, "UNKNOWN_FIELD", "the dataset has no such field")
    for name, kind in fields.items():
        try:
            row[name], coerced = coerce(record.get(name), kind)
        except NotCoercible as exc:
            found.add(name, exc.code, str(exc))
            continue
        if coerced:
            changed.append(kind)
    if primary_key is not None and row.get(primary_key) in (None, "") and not found.errors:
        found.add(primary_key, "MISSING_KEY", "the primary key must have a value")
    if not deletes and not found.errors and all(value is None for value in row.values()):
        found.add("record", "EMPTY_RECORD", "no field has a value")
    row["_deleted"] = deletes
    return (None if found.errors else row), changed, found
