"""Compares one query with all of its candidates, slot by slot, into features that the score weighs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from app.matching.compare.bags import BAG_FEATURES, Bag, Context, compare_bags
from app.matching.compare.columns import Columns, context_slots, context_words, parse_bags
from app.matching.compare.hints import HINT_FEATURES, compare_hints
from app.matching.compare.scalars import Level, best_level
from app.matching.frequencies import TermFrequencies
from app.matching.layout import BAG_KINDS, Kind, Slot
from app.matching.prepare import Form
from app.matching.rarity import value_bits

Floats = npt.NDArray[np.float64]

SCALAR_FEATURES = ("exact", "exact_bits", "close", "near", "differ")
_LEVEL_ROWS = np.zeros((len(Level) + 1, len(SCALAR_FEATURES)))
for _level, _feature in (
    (Level.EXACT, "exact"),
    (Level.CLOSE, "close"),
    (Level.NEAR, "near"),
    (Level.DIFFERENT, "differ"),
):
    _LEVEL_ROWS[_level, SCALAR_FEATURES.index(_feature)] = 1.0
_NOTHING = len(Level)
"""Row of a candidate that has no value: nothing is said."""
_EXACT_BITS = SCALAR_FEATURES.index("exact_bits")
_MAIN_KINDS = frozenset({Kind.ORG, Kind.TITLE})
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


Pair = tuple[tuple[str, ...], tuple[str, ...]] | tuple[str, str]


@dataclass(frozen=True, slots=True)
class SlotComparison:
    """One slot's features, (candidates, features of the kind); all zero where a side has no value.

    `pairs` holds for each candidate the two values that were compared (words of a bag, else the value), or None.
    """

    kind: str
    fields: tuple[str, ...]
    features: Floats
    pairs: list[Pair | None]


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
    columns = Columns(slots, candidates)
    compared: list[SlotComparison] = []
    for i, (slot, wanted) in enumerate(zip(slots, query, strict=True)):
        if wanted is None:
            continue
        if slot.kind in BAG_KINDS:
            contexts = _Contexts(slots, query, columns) if slot.kind in _MAIN_KINDS and context_slots(slots) else None
            compared.append(_compare_bag_slot(slot, wanted, columns.bags(i), frequencies, contexts))
        else:
            compared.append(_compare_scalar_slot(slot, wanted, columns.values[i], frequencies))
    hints = compare_hints(slots, query, columns, frequencies)
    compared.append(SlotComparison("hint", (), hints, [None] * len(candidates)))
    return Comparison(tuple(compared), len(candidates))


def joined(one: Comparison, other: Comparison, order: Sequence[int]) -> Comparison:
    """Candidates of two comparisons of the same query; `order` counts those of `other` on from those of `one`."""
    if not one.slots or not other.slots:
        return _picked(one if one.slots else other, order)
    slots = tuple(
        replace(a, features=np.concatenate([a.features, b.features]), pairs=[*a.pairs, *b.pairs])
        for a, b in zip(one.slots, other.slots, strict=True)
    )
    return _picked(Comparison(slots, one.candidates + other.candidates), order)


def _picked(comparison: Comparison, order: Sequence[int]) -> Comparison:
    slots = tuple(
        replace(slot, features=slot.features[order], pairs=[slot.pairs[at] for at in order])
        for slot in comparison.slots
    )
    return Comparison(slots, len(order))


class _Contexts(NamedTuple):
    """What the other fields of the query and of the candidates say."""

    slots: tuple[Slot, ...]
    query: Form
    columns: Columns

    def of(self, owners: Sequence[int]) -> Context:
        """The words for rows that belong to these candidates."""
        words = self.columns.context_words()
        own = context_words([self.query[i] for i in context_slots(self.slots)])
        return Context(own, [words[c] for c in owners])


def _compare_bag_slot(
    slot: Slot,
    wanted: list[str],
    values: Sequence[list[Bag]],
    frequencies: TermFrequencies,
    contexts: _Contexts | None,
) -> SlotComparison:
    features = np.zeros((len(values), len(BAG_FEATURES)))
    pairs: list[Pair | None] = [None] * len(values)
    owners = [c for c, found in enumerate(values) for _ in found]
    rows = [bag for found in values for bag in found]
    context = contexts.of(owners) if contexts is not None and rows else None
    for query in parse_bags(slot.kind, wanted) if rows else ():
        if query.tokens:
            compared = compare_bags(slot.kind, query, rows, frequencies, context)
            _keep_best(features, pairs, compared, owners, query, rows)
    return SlotComparison(slot.kind.value, slot.fields, features, pairs)


def _keep_best(
    features: Floats,
    pairs: list[Pair | None],
    found: Floats,
    owners: Sequence[int],
    query: Bag,
    rows: Sequence[Bag],
) -> None:
    """Keeps each candidate's features where the row ranks above what was found for it before."""
    rank = (found @ _RANKING).tolist()
    kept = (features @ _RANKING).tolist()
    best: dict[int, int] = {}
    for r, c in enumerate(owners):
        if pairs[c] is None or rank[r] > kept[c]:
            best[c], kept[c] = r, rank[r]
            pairs[c] = query.tokens, rows[r].tokens
    features[list(best)] = found[list(best.values())]


def _compare_scalar_slot(
    slot: Slot, wanted: list[str], values: Sequence[list[str] | None], frequencies: TermFrequencies
) -> SlotComparison:
    known: dict[str | tuple[str, ...], tuple[int, Pair]] = {}
    levels = [_NOTHING] * len(values)
    pairs: list[Pair | None] = [None] * len(values)
    for c, found in enumerate(values):
        if found is None:
            continue
        key = found[0] if len(found) == 1 else tuple(found)
        if key not in known:
            level, left, right = best_level(slot.kind, wanted, found)
            known[key] = level, (left, right)
        levels[c], pairs[c] = known[key]
    features = _LEVEL_ROWS[levels]
    equal = [c for c, level in enumerate(levels) if level == Level.EXACT]
    if equal:
        terms = [_term(slot, str(pair[0])) for pair in (pairs[c] for c in equal) if pair is not None]
        features[equal, _EXACT_BITS] = value_bits(slot.kind.value, terms, frequencies) / 10.0
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
