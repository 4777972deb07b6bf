"""Reads a record that is to be matched: checks it, pairs its fields, normalises it and plans its retrieval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from app.db.models import now
from app.errors import InvalidSchema
from app.matching.layout import Slot, slots_of
from app.matching.profile import Profile
from app.matching.rerank import Query, prepare_queries
from app.profiles import find_profile
from app.services.match_targets import MatchTarget


@dataclass(frozen=True, slots=True)
class MatchOptions:
    """Options of a match; None means the profile's own."""

    profile: str = "balanced"
    threshold: float | None = None
    top_n: int = 5
    field_map: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False
    return_explanations: bool = False


@dataclass(frozen=True, slots=True)
class MatchCall:
    """What all records of one call share."""

    target: MatchTarget
    options: MatchOptions
    profile: Profile
    slots: tuple[Slot, ...]
    threshold: float

    @classmethod
    def of(cls, target: MatchTarget, options: MatchOptions) -> MatchCall:
        """Raises InvalidSchema for a profile that does not exist."""
        profile = target.learned.profile(find_profile(options.profile))
        threshold = profile.match_threshold if options.threshold is None else options.threshold
        return cls(target, options, profile, slots_of(target.bundle.schema), threshold)


@dataclass(frozen=True, slots=True)
class Asked:
    """A record that was read, paired and planned."""

    query: Query
    warnings: list[dict[str, Any]]


def read_record(record: Mapping[str, Any], call: MatchCall) -> Asked:
    """Checks, pairs, normalises and plans; raises InvalidSchema when the record cannot be matched."""
    [read] = read_records([record], call)
    if isinstance(read, InvalidSchema):
        raise read
    return read


def read_records(records: Sequence[Mapping[str, Any]], call: MatchCall) -> list[Asked | InvalidSchema]:
    """Of each record what `read_record` returns or raises; their retrievals are planned together."""
    problems = [_problem_of(record, call) for record in records]
    sound = [record for record, problem in zip(records, problems, strict=True) if problem is None]
    field_map, frequencies = call.options.field_map, call.target.bundle.frequencies
    queries = iter(prepare_queries(sound, call.slots, call.profile, frequencies, field_map))
    return [
        _asked(record, next(queries), call) if problem is None else problem
        for record, problem in zip(records, problems, strict=True)
    ]


def _problem_of(record: Mapping[str, Any], call: MatchCall) -> InvalidSchema | None:
    """What is wrong with a record before it is paired."""
    try:
        _check_record(record)
        _check_field_map(call.slots, call.options.field_map)
    except InvalidSchema as problem:
        return problem
    return None


def _asked(record: Mapping[str, Any], query: Query, call: MatchCall) -> Asked | InvalidSchema:
    unused = [name for name in query.pairing.unused if record[name] not in (None, "")]
    if not any(query.form):
        known = sorted({name for slot in call.slots for name in slot.fields})
        return InvalidSchema(
            "No field of the record that has a usable value pairs with a field of the dataset.",
            fields=sorted(record),
            dataset_fields=known,
        )
    if unused and call.options.strict:
        return InvalidSchema(f"Field {unused[0]!r} pairs with no field of the dataset.", field=unused[0], unused=unused)
    warnings = [{"code": "FIELD_UNUSED", "field": name} for name in unused]
    return Asked(_with_standing(query, call), warnings)


def _with_standing(query: Query, call: MatchCall) -> Query:
    """The query with what people decided about it; decisions about records that the snapshot has not are left out."""
    learned, bundle = call.target.learned, call.target.bundle
    if not learned.decided:
        return query
    decisions = learned.standing(call.slots, call.profile, query.form, now())
    found = {bundle.ordinal_of(record_id): decision for record_id, decision in decisions.items()}
    return replace(query, standing={ordinal: one for ordinal, one in found.items() if ordinal is not None})


def _check_record(record: Mapping[str, Any]) -> None:
    if not record:
        raise InvalidSchema("The record is empty.", field="record")
    for name, value in record.items():
        if value is not None and not isinstance(value, str | int | float | bool):
            kind = "object" if isinstance(value, Mapping) else "array"
            raise InvalidSchema(f"Field {name!r} must be a scalar, got an {kind}.", field=name, received=kind)
        if isinstance(value, float) and not math.isfinite(value):
            raise InvalidSchema(f"Field {name!r} is not a finite number.", field=name, received=str(value))
    if all(value is None or (isinstance(value, str) and not value.strip()) for value in record.values()):
        raise InvalidSchema("All fields of the record are empty.", field="record", fields=sorted(record))


def _check_field_map(slots: tuple[Slot, ...], field_map: Mapping[str, str]) -> None:
    known = {name for slot in slots for name in slot.fields}
    for name, target in field_map.items():
        if target not in known:
            raise InvalidSchema(
                f"options.field_map maps {name!r} to {target!r}, which the dataset does not have.",
                field=f"options.field_map.{name}",
                dataset_fields=sorted(known),
            )
