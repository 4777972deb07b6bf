"""Compares one query with all of its candidates, slot by slot, into features that the score weighs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.matching.compare.bags import BAG_FEATURES, Bag, compare_bags, parse_bag
from app.matching.compare.hints import HINT_FEATURES, compare_hints
from app.matching.compare.scalars import Level, best_level
from app.matching.frequencies import TermFrequencies
from app.matching.layout import BAG_KINDS, Kind, Slot
from app.matching.prepare import Form
from app.matching.rarity import value_bits

Floats = npt.NDArray[np.float64]

SCALAR_FEATURES = ("exact", "exact_bits", "close", "near", "differ")
_LEVEL_COLUMN = {Level.CLOSE: 2, Level.NEAR: 3, Level.DIFFERENT: 4}
_RANKING = np.zeros(len(BAG_FEATURES))
for _name, _weight in (
    ("matched", 1.0),
    ("unmatched_query", -0.5),
    ("unmatched_candidate", -0.5),
    ("exact", 3.0),
    ("acronym", 3.0),
    ("joined_similar", 1.0),
):
    _RANKING[BAG_FEATURES.index(_name)] = _weight
"""Which of several names of a record is the nearest to the query's; the score itself has weights of its own."""


@dataclass(frozen=True, slots=True)
class SlotComparison:
    """One slot's features, (candidates, features of the kind); all zero where a side has no value.

    `pairs` holds for each candidate the two values that were compared, or None.
    """

    kind: str
    fields: tuple[str, ...]
    features: Floats
    pairs: list[tuple[str, str] | None]


@dataclass(frozen=True, slots=True)
class Comparison:
    slots: tuple[SlotComparison, ...]
    candidates: int


def feature_names(kind: str) -> tuple[str, ...]:
    """The columns of a kind's features, in order."""
    if kind == "hint":
        return HINT_FEATURES
    return BAG_FEATURES if Kind(kind) in BAG_KINDS else SCALAR_FEATURES


def compare(
    slots: tuple[Slot, ...], query: Form, candidates: Sequence[Form], frequencies: TermFrequencies
) -> Comparison:
    """Features of every slot for which the query has a value, and the hints between slots."""
    if not candidates:
        return Comparison((), 0)
    compared: list[SlotComparison] = []
    for i, slot in enumerate(slots):
        wanted = query[i]
        if wanted is None:
            continue
        values = [form[i] for form in candidates]
        compare_slot = _compare_bag_slot if slot.kind in BAG_KINDS else _compare_scalar_slot
        compared.append(compare_slot(slot, wanted, values, frequencies))
    hints = compare_hints(slots, query, candidates, frequencies)
    compared.append(SlotComparison("hint", (), hints, [None] * len(candidates)))
    return Comparison(tuple(compared), len(candidates))


def _compare_bag_slot(
    slot: Slot, wanted: list[str], values: Sequence[list[str] | None], frequencies: TermFrequencies
) -> SlotComparison:
    if slot.kind in (Kind.GIVEN, Kind.FAMILY, Kind.ADDRESS):
        wanted = [" ".join(wanted)]
        values = [[" ".join(found)] if found else None for found in values]
    owners = [c for c, found in enumerate(values) for _ in found or ()]
    texts = [text for found in values for text in found or ()]
    features = np.zeros((len(values), len(BAG_FEATURES)))
    pairs: list[tuple[str, str] | None] = [None] * len(values)
    rows = [parse_bag(text) for text in texts]
    for text in wanted if rows else ():
        query = parse_bag(text)
        if query.tokens:
            _keep_best(features, pairs, compare_bags(slot.kind, query, rows, frequencies), owners, query, rows)
    return SlotComparison(slot.kind.value, slot.fields, features, pairs)


def _keep_best(
    features: Floats,
    pairs: list[tuple[str, str] | None],
    found: Floats,
    owners: Sequence[int],
    query: Bag,
    rows: Sequence[Bag],
) -> None:
    rank = found @ _RANKING
    kept = features @ _RANKING
    for r, c in enumerate(owners):
        if pairs[c] is None or rank[r] > kept[c]:
            features[c], kept[c] = found[r], rank[r]
            pairs[c] = (" ".join(query.tokens), " ".join(rows[r].tokens))


def _compare_scalar_slot(
    slot: Slot, wanted: list[str], values: Sequence[list[str] | None], frequencies: TermFrequencies
) -> SlotComparison:
    features = np.zeros((len(values), len(SCALAR_FEATURES)))
    pairs: list[tuple[str, str] | None] = [None] * len(values)
    bits = dict(
        zip(
            wanted,
            value_bits(slot.kind.value, [_term(slot, value) for value in wanted], frequencies).tolist(),
            strict=True,
        )
    )
    known: dict[tuple[str, ...], tuple[Level, str, str]] = {}
    for c, found in enumerate(values):
        if not found:
            continue
        key = tuple(found)
        if key not in known:
            known[key] = best_level(slot.kind, wanted, found)
        level, left, right = known[key]
        pairs[c] = (left, right)
        if level is Level.EXACT:
            features[c, 0], features[c, 1] = 1.0, bits[left] / 10.0
        else:
            features[c, _LEVEL_COLUMN[level]] = 1.0
    return SlotComparison(slot.kind.value, slot.fields, features, pairs)


def _term(slot: Slot, value: str) -> str:
    """The key under which a value is counted; the counterpart of `prepare.countable`."""
    if slot.kind is Kind.HOST:
        return f"ids:host:{value.partition('|')[0]}"
    if slot.kind is Kind.PHONE:
        return f"ids:phone:{value[-8:]}"
    if slot.kind is Kind.NUMBER:
        return f"number:{slot.fields[0]}:{value}"
    if slot.kind in (Kind.CITY, Kind.REGION, Kind.COUNTRY, Kind.POSTAL):
        return f"{slot.kind.value}:{value}"
    return f"ids:{slot.kind.value}:{value}"
