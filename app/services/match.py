"""The match use case: one path for a record, a batch and a file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.errors import InvalidSchema, NotFound
from app.files.bundle import Bundle
from app.matching.layout import Slot, slots_of
from app.matching.profile import Profile
from app.matching.rerank import Query, Reranked, explain, prepare_query, reasons_of, rerank
from app.ports import CandidateIndex, Retrieved
from app.profiles import find_profile
from app.services.match_targets import MatchTarget, MatchTargets

_MAX_TOP_N = 50
_SCORE_DECIMALS = 9


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
class _Asked:
    """A record that was read, paired and planned."""

    query: Query
    warnings: list[dict[str, Any]]


class MatchService:
    """Retrieves, reranks and shapes; raises SnapshotNotFound, SnapshotNotActive, InvalidSchema, SearchUnavailable."""

    def __init__(self, index: CandidateIndex, targets: MatchTargets) -> None:
        self.index = index
        self._targets = targets

    async def match_record(
        self,
        organisation_id: str,
        snapshot_id: str | None,
        dataset_id: str | None,
        record: Mapping[str, Any],
        options: MatchOptions,
    ) -> dict[str, Any]:
        """The contract's answer but for `request_id` and `took_ms`."""
        target = await self._targets.resolve(organisation_id, snapshot_id, dataset_id)
        return (await self.match_many(target, [record], options))[0]

    async def resolve(self, organisation_id: str, snapshot_id: str | None, dataset_id: str | None) -> MatchTarget:
        return await self._targets.resolve(organisation_id, snapshot_id, dataset_id)

    async def match_many(
        self, target: MatchTarget, records: Sequence[Mapping[str, Any]], options: MatchOptions
    ) -> list[dict[str, Any]]:
        """Answers in the records' order; raises InvalidSchema for the first record that cannot be matched."""
        profile = find_profile(options.profile)
        bundle = target.bundle
        slots = slots_of(bundle.schema)
        asked = [_ask(record, slots, profile, bundle, options) for record in records]
        found = await self._retrieve(target, asked, profile, options)
        return [
            self._answer(target, one, slots, candidates, profile, options)
            for one, candidates in zip(asked, found, strict=True)
        ]

    async def _retrieve(
        self, target: MatchTarget, asked: Sequence[_Asked], profile: Profile, options: MatchOptions
    ) -> list[list[Retrieved]]:
        channels = options.return_explanations
        plans = [one.query.plan for one in asked]
        if len(plans) == 1:
            return [await self.index.retrieve(target.index, plans[0], profile.candidates, with_channels=channels)]
        return await self.index.retrieve_many(target.index, plans, profile.candidates, with_channels=channels)

    def _answer(
        self,
        target: MatchTarget,
        asked: _Asked,
        slots: tuple[Slot, ...],
        candidates: list[Retrieved],
        profile: Profile,
        options: MatchOptions,
    ) -> dict[str, Any]:
        bundle = target.bundle
        reranked = _rerank(bundle, slots, asked.query, candidates, profile)
        threshold = profile.match_threshold if options.threshold is None else options.threshold
        best = float(reranked.scores.score[reranked.order[0]]) if reranked.order else 0.0
        kept = [c for c in reranked.order if round(float(reranked.scores.score[c]), _SCORE_DECIMALS) >= threshold]
        kept = kept[: options.top_n]
        records = bundle.records.read_many([candidates[c].ordinal for c in kept])
        matches = [
            _match(reranked, asked.query, c, candidates[c], orjson.loads(content), profile, threshold, options)
            for c, content in zip(kept, records, strict=True)
        ]
        matches.sort(key=lambda match: (-match["score"], match["record_id"]))
        answer: dict[str, Any] = {
            "snapshot_id": target.snapshot_id,
            "profile": profile.label,
            "threshold": threshold,
            "decision": profile.decide(best, threshold),
            "matches": matches,
            "candidates_considered": len(candidates),
        }
        if asked.warnings:
            answer["warnings"] = asked.warnings
        return answer

    async def explain(
        self,
        organisation_id: str,
        snapshot_id: str | None,
        dataset_id: str | None,
        record: Mapping[str, Any],
        record_id: str,
        options: MatchOptions,
    ) -> dict[str, Any]:
        """Why a record and one master record match or not, whether retrieval found it or not.

        Raises NotFound when the snapshot has no record of that id.
        """
        target = await self._targets.resolve(organisation_id, snapshot_id, dataset_id)
        profile, bundle = find_profile(options.profile), target.bundle
        ordinal = bundle.ordinal_of(record_id)
        if ordinal is None:
            raise NotFound(f"Snapshot {target.snapshot_id} has no record {record_id!r}.", record_id=record_id)
        slots = slots_of(bundle.schema)
        asked = _ask(record, slots, profile, bundle, options)
        plan = asked.query.plan
        candidates = await self.index.retrieve(target.index, plan, profile.candidates, with_channels=True)
        at = next((c for c, found in enumerate(candidates) if found.ordinal == ordinal), None)
        pool = candidates if at is not None else [*candidates, Retrieved(ordinal, 0.0)]
        position = at if at is not None else len(candidates)
        reranked = _rerank(bundle, slots, asked.query, pool, profile)
        threshold = profile.match_threshold if options.threshold is None else options.threshold
        content = orjson.loads(bundle.records.read_many([ordinal])[0])
        explained = MatchOptions(options.profile, options.threshold, 1, options.field_map, options.strict, True)
        match = _match(reranked, asked.query, position, pool[position], content, profile, threshold, explained)
        match["explanation"]["retrieval"] = _found_how(pool[position], position) if at is not None else None
        return {
            "snapshot_id": target.snapshot_id,
            "profile": profile.label,
            "threshold": threshold,
            "retrieved": at is not None,
            "rank": reranked.order.index(position) + 1,
            **match,
            "flip": _least_change(reranked, position, profile, threshold),
            "warnings": asked.warnings,
        }


def _ask(
    record: Mapping[str, Any], slots: tuple[Slot, ...], profile: Profile, bundle: Bundle, options: MatchOptions
) -> _Asked:
    _check_record(record)
    _check_field_map(record, slots, options.field_map)
    query = prepare_query(record, slots, profile, bundle.frequencies, options.field_map)
    unused = [name for name in query.pairing.unused if record[name] not in (None, "")]
    if not any(query.form):
        known = sorted({name for slot in slots for name in slot.fields})
        raise InvalidSchema(
            "No field of the record that has a usable value pairs with a field of the dataset.",
            fields=sorted(record),
            dataset_fields=known,
        )
    if unused and options.strict:
        raise InvalidSchema(f"Field {unused[0]!r} pairs with no field of the dataset.", field=unused[0], unused=unused)
    return _Asked(query, [{"code": "FIELD_UNUSED", "field": name} for name in unused])


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


def _check_field_map(record: Mapping[str, Any], slots: tuple[Slot, ...], field_map: Mapping[str, str]) -> None:
    known = {name for slot in slots for name in slot.fields}
    for name, target in field_map.items():
        if target not in known:
            raise InvalidSchema(
                f"options.field_map maps {name!r} to {target!r}, which the dataset does not have.",
                field=f"options.field_map.{name}",
                dataset_fields=sorted(known),
            )


def _rerank(
    bundle: Bundle, slots: tuple[Slot, ...], query: Query, candidates: Sequence[Retrieved], profile: Profile
) -> Reranked:
    ordinals = [found.ordinal for found in candidates]
    return rerank(slots, query, bundle.forms.read_many(ordinals), ordinals, bundle.frequencies, profile)


def _match(
    reranked: Reranked,
    query: Query,
    position: int,
    found: Retrieved,
    content: Mapping[str, Any],
    profile: Profile,
    threshold: float,
    options: MatchOptions,
) -> dict[str, Any]:
    value = round(float(reranked.scores.score[position]), _SCORE_DECIMALS)
    match: dict[str, Any] = {
        "record_id": content["record_id"],
        "score": value,
        "confidence": profile.confidence(value),
        "decision": profile.decide(value, threshold),
        "record": content["record"],
        "reasons": [reason.to_json() for reason in reasons_of(reranked, profile, position)],
    }
    if options.return_explanations:
        match["explanation"] = explain(reranked, query, profile, position) | {"retrieval": _found_how(found, position)}
    return match


def _found_how(found: Retrieved, position: int) -> dict[str, Any]:
    return {"channels": list(found.channels), "rank": position + 1, "score": round(found.retrieval_score, 3)}


def _least_change(reranked: Reranked, position: int, profile: Profile, threshold: float) -> dict[str, Any] | None:
    """The fewest terms whose absence would move the decision across the threshold, heaviest first; None when none would."""
    linked = float(reranked.scores.score[position]) >= threshold
    reasons = [r for r in reasons_of(reranked, profile, position) if (r.weight_bits > 0) == linked]
    needed = profile.model.bits_at(threshold) - reranked.scores.bits(position)
    removed: list[str] = []
    moved = 0.0
    for reason in reasons:
        removed.append(reason.code)
        moved -= reason.weight_bits
        if (moved < needed) if linked else (moved >= needed):
            return {"to": "no_match" if linked else "match", "without": removed, "bits_needed": round(needed, 2)}
    return None
