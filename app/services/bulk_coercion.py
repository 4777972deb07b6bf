"""Coerces whole columns: Arrow where it provably does what `app.services.coercion` does, that itself for the rest.

A cell is provable when a pattern says so that is narrower than the rule; whatever is outside the pattern goes, value by
value, through the rule. So the outcome never depends on which way a value took.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from app.files.snapshots import ARROW_TYPES
from app.services.coercion import MAX_STRING_CHARS, NotCoercible, coerce

Mask = npt.NDArray[np.bool_]

_CLOCK = r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?"
_DAY = r"[12]\d{3}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])"
_PROVABLE = {
    "int": r"^-?\d{1,18}$",
    "float": r"^-?\d{1,15}(\.\d{1,15})?$",
    "bool": r"^(true|false|True|False|TRUE|FALSE)$",
    "timestamp": rf"^{_DAY}(T{_CLOCK}Z)?$",
}


@dataclass(slots=True)
class Coerced:
    """A column as it is stored, null where `failed`; `changed` where the stored type is not the one that came."""

    values: pa.Array
    changed: Mask
    failed: Mask = field(default_factory=lambda: np.zeros(0, bool))


def coerce_column(values: Sequence[Any], kind: str) -> Coerced:
    """The same as `coerce` of each value."""
    try:
        texts = pa.array(values, pa.string())
    except (pa.ArrowException, TypeError):
        return _one_by_one(values, kind)
    return _strings(texts, values) if kind == "string" else _parsed(texts, values, kind)


def _strings(texts: pa.Array, values: Sequence[Any]) -> Coerced:
    """Text is stored as it came, unless it is too long."""
    longest = pc.max(pc.binary_length(texts)).as_py()
    if longest is not None and longest > MAX_STRING_CHARS:
        return _one_by_one(values, "string")
    return Coerced(texts, np.zeros(len(texts), bool), np.zeros(len(texts), bool))


def _parsed(texts: pa.Array, values: Sequence[Any], kind: str) -> Coerced:
    provable = pc.fill_null(pc.match_substring_regex(texts, _PROVABLE[kind]), False)
    stored = _cast(pc.if_else(provable, texts, pa.scalar(None, pa.string())), kind)
    changed = provable.to_numpy(zero_copy_only=False)
    failed = np.zeros(len(texts), bool)
    other = np.flatnonzero(~changed & pc.is_valid(texts).to_numpy(zero_copy_only=False))
    if not len(other):
        return Coerced(stored, changed, failed)
    rest = _one_by_one([values[at] for at in other.tolist()], kind)
    changed = changed.copy()
    changed[other], failed[other] = rest.changed, rest.failed
    mask = np.zeros(len(texts), bool)
    mask[other] = True
    return Coerced(pc.replace_with_mask(stored, pa.array(mask), rest.values), changed, failed)


def _cast(texts: pa.Array, kind: str) -> pa.Array:
    if kind == "timestamp":
        # A date alone is its midnight; all provable texts begin alike, so this gives each the same form.
        day = pc.utf8_slice_codeunits(texts, 0, 10)
        clock = pc.utf8_slice_codeunits(texts, 11, 26)
        clock = pc.if_else(pc.equal(clock, ""), "00:00:00", pc.utf8_rtrim(clock, "Z"))
        joined = pc.binary_join_element_wise(day, clock, " ")
        return joined.cast(pa.timestamp("us")).cast(ARROW_TYPES[kind])
    return (pc.utf8_lower(texts) if kind == "bool" else texts).cast(ARROW_TYPES[kind])


def _one_by_one(values: Sequence[Any], kind: str) -> Coerced:
    stored: list[Any] = []
    changed = np.zeros(len(values), bool)
    failed = np.zeros(len(values), bool)
    for at, value in enumerate(values):
        try:
            one, changed[at] = coerce(value, kind)
        except NotCoercible:
            one, failed[at] = None, True
        stored.append(one)
    return Coerced(pa.array(stored, ARROW_TYPES[kind]), changed, failed)
