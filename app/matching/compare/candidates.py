"""Compares queries with all of their candidates, slot by slot, into features that the score weighs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from app.matching.compare.alignment import Alignment
from app.matching.compare.bag import Bag
from app.matching.compare.bags import BAG_FEATURES, BagPairs, FindElsewhere, compare_bags
from app.matching.compare.columns import Columns, parse_bags
from app.matching.compare.compounds import Compounds
from app.matching.compare.elsewhere import Elsewhere, Mask, slots_elsewhere
from app.matching.compare.hints import HINT_FEATURES, compare_hints
from app.matching.compare.scalars import Level, best_level
from app.matching.compare.words import Words
from app.matching.frequencies import TermFrequencies
from app.matching.index_terms import Form, host_words
from app.matching.layout import BAG_KINDS, MAIN_KINDS, Kind, Slot
from app.matching.rarity import value_bits

Floats = npt.NDArray[np.float64]

SCALAR_FEATURES = ("exact", "exact_bits", "close", "close_bits", "near", "differ")
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
_BITS_OF_LEVEL = {
    int(Level.EXACT): SCALAR_FEATURES.index("exact_bits"),
    int(Level.CLOSE): SCALAR_FEATURES.index("close_bits"),
}
"""Where it is said how rare the values are that agree, or nearly agree."""
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


class SlotComparison(NamedTuple):
    """One slot's features, (candidates, features of the kind); all zero where a side has no value.

    `pairs` holds for each candidate the two values that were compared (words of a bag, else the value), or None.
    """

    kind: str
    fields: tuple[str, ...]
    features: Floats
    pairs: list[Pair | None]

    def part(self, rows: range) -> SlotComparison:
        at = slice(rows.start, rows.stop)
        return SlotComparison(self.kind, self.fields, self.features[at], self.pairs[at])


@dataclass(frozen=True, slots=True)
class Comparison:
    slots: tuple[SlotComparison, ...]
    """Of the values that the query has, and the hints between them, last; nothing where there are no candidates."""
    candidates: int

    @property
    def of_one_value(self) -> bool:
        return len(self.slots) == 2


def feature_names(kind: str) -> tuple[str, ...]:
    """The columns of a kind's features, in order."""
    if kind == "hint":
        return HINT_FEATURES
    return BAG_FEATURES if Kind(kind) in BAG_KINDS else SCALAR_FEATURES


def compare(
    slots: tuple[Slot, ...], query: Form, candidates: Sequence[Form], frequencies: TermFrequencies
) -> Comparison:
    """Features of every slot for which the query has a value, and the hints between slots."""
    [comparison] = compare_all(slots, [query], [candidates], frequencies)
    return comparison


def compare_all(
    slots: tuple[Slot, ...], queries: Sequence[Form], candidates: Sequence[Sequence[Form]], frequencies: TermFrequencies
) -> list[Comparison]:
    """`compare` of each query with its candidates, all at once: what a call costs is shared by all."""
    if not any(candidates):
        return [Comparison((), 0) for _ in queries]
    columns = Columns(slots, queries, candidates)
    compared: list[tuple[int, SlotComparison]] = []
    for i, slot in enumerate(slots):
        if any(query[i] is not None for query in queries):
            compare_slot = _compare_bag_slot if slot.kind in BAG_KINDS else _compare_scalar_slot
            compared.append((i, compare_slot(i, columns, frequencies)))
    hints = SlotComparison("hint", (), compare_hints(columns, frequencies), [None] * len(columns))
    return [
        Comparison((*(slot.part(span) for i, slot in compared if query[i] is not None), hints.part(span)), len(span))
        if span
        else Comparison((), 0)
        for query, span in zip(queries, columns.spans, strict=True)
    ]


def joined(one: Comparison, other: Comparison, order: Sequence[int]) -> Comparison:
    """Candidates of two comparisons of the same query; `order` counts those of `other` on from those of `one`."""
    if not one.slots or not other.slots:
        return _picked(one if one.slots else other, order)
    slots = tuple(
        SlotComparison(a.kind, a.fields, np.concatenate([a.features, b.features]), [*a.pairs, *b.pairs])
        for a, b in zip(one.slots, other.slots, strict=True)
    )
    return _picked(Comparison(slots, one.candidates + other.candidates), order)


def _picked(comparison: Comparison, order: Sequence[int]) -> Comparison:
    slots = tuple(
        SlotComparison(slot.kind, slot.fields, slot.features[order], [slot.pairs[at] for at in order])
        for slot in comparison.slots
    )
    return Comparison(slots, len(order))


def _compare_bag_slot(slot: int, columns: Columns, frequencies: TermFrequencies) -> SlotComparison:
    kind, fields = columns.slots[slot].kind, columns.slots[slot].fields
    features = np.zeros((len(columns), len(BAG_FEATURES)))
    compared: list[Pair | None] = [None] * len(columns)
    pairs, owners = _bag_pairs(slot, columns)
    if owners:
        looked = kind in MAIN_KINDS and slots_elsewhere(columns.slots)
        found = compare_bags(pairs, frequencies, _find_elsewhere(columns, pairs, owners) if looked else None)
        best = _best_of_each(found, owners)
        features[[owners[p] for p in best]] = found[best]
        of = pairs.of.tolist()
        for p in best:
            compared[owners[p]] = pairs.queries[of[p]].tokens, pairs.rows[p].tokens
    return SlotComparison(kind.value, fields, features, compared)


def _bag_pairs(slot: int, columns: Columns) -> tuple[BagPairs, list[int]]:
    """Every value of each query with every value of its candidates, and each pair's row."""
    kind = columns.slots[slot].kind
    queries: list[Bag] = []
    places: list[range] = []
    for query in columns.queries:
        bags = parse_bags(kind, query[slot])
        places.append(range(len(queries), len(queries) + len(bags)))
        queries += bags
    pairs = [
        (at, bag, row)
        for row, (q, found) in enumerate(zip(columns.owners, columns.bags(slot), strict=True))
        for at in places[q]
        for bag in found
    ]
    if kind in MAIN_KINDS:
        pairs = _without_compounds(queries, pairs)
    of, rows, owners = zip(*pairs, strict=True) if pairs else ((), (), ())
    words = Words([word for bag in (*queries, *rows) for word in bag.tokens])
    return BagPairs(kind, queries, np.array(of, np.intp), rows, words), list(owners)


def _without_compounds(queries: list[Bag], pairs: list[tuple[int, Bag, int]]) -> list[tuple[int, Bag, int]]:
    """The same pairs, words taken apart; adds to `queries` what becomes of them beside some candidates."""
    compounds = [Compounds(query) for query in queries]
    places: dict[Bag, int] = {}
    parted: list[tuple[int, Bag, int]] = []
    for at, bag, row in pairs:
        if compounds[at].concern(bag):
            query, candidate = compounds[at].parted(bag)
            place = places.setdefault(query, len(queries))
            if place == len(queries):
                queries.append(query)
            parted.append((place, candidate, row))
        else:
            parted.append((at, bag, row))
    return parted


def _find_elsewhere(columns: Columns, pairs: BagPairs, owners: Sequence[int]) -> FindElsewhere:
    """Finds the words of each pair that stand in other fields of the two records."""
    row_of_pair = np.array(owners, np.intp)
    query_of_pair = np.array(columns.owners, np.intp)[row_of_pair]
    elsewhere = Elsewhere(columns, pairs.words)

    def found(alignment: Alignment) -> tuple[Mask, Mask]:
        query, row = alignment.query, alignment.row
        return (
            elsewhere.in_row(row_of_pair[query.pair], query.word),
            elsewhere.in_row(row_of_pair[row.pair], row.word) | elsewhere.in_query(query_of_pair[row.pair], row.word),
        )

    return found


def _best_of_each(found: Floats, owners: Sequence[int]) -> list[int]:
    """Of each row's pairs the one that ranks highest, the first of several."""
    if len(set(owners)) == len(owners):
        return list(range(len(owners)))
    best: dict[int, int] = {}
    rank = np.einsum("ij,j->i", found, _RANKING).tolist()
    for p, row in enumerate(owners):
        if row not in best or rank[p] > rank[best[row]]:
            best[row] = p
    return list(best.values())


def _compare_scalar_slot(slot: int, columns: Columns, frequencies: TermFrequencies) -> SlotComparison:
    of = columns.slots[slot]
    levels = [_NOTHING] * len(columns)
    pairs: list[Pair | None] = [None] * len(columns)
    for query, span in zip(columns.queries, columns.spans, strict=True):
        wanted = query[slot]
        if wanted is not None:
            _compare_values(of.kind, wanted, columns.values[slot], span, levels, pairs)
    features = _LEVEL_ROWS[levels]
    agreeing = [
        (row, _BITS_OF_LEVEL[level], _terms(of, level, pair))
        for row, (level, pair) in enumerate(zip(levels, pairs, strict=True))
        if level in _BITS_OF_LEVEL and pair
    ]
    if agreeing:
        distinct = list(dict.fromkeys(term for _, _, terms in agreeing for term in terms))
        said = dict(zip(distinct, value_bits(of.kind.value, distinct, frequencies), strict=True))
        rows, feature, terms = zip(*agreeing, strict=True)
        features[rows, feature] = [min(map(said.__getitem__, one)) / 10.0 for one in terms]
    return SlotComparison(of.kind.value, of.fields, features, pairs)


def _compare_values(
    kind: Kind,
    wanted: list[str],
    values: Sequence[list[str] | None],
    span: range,
    levels: list[int],
    pairs: list[Pair | None],
) -> None:
    """Fills in the levels of one query's rows, and what was compared; equal values are compared once."""
    known: dict[str | tuple[str, ...], tuple[int, Pair]] = {}
    for row in span:
        found = values[row]
        if found is None:
            continue
        key = found[0] if len(found) == 1 else tuple(found)
        compared = known.get(key)
        if compared is None:
            level, left, right = best_level(kind, wanted, found)
            compared = known[key] = int(level), (left, right)
        levels[row], pairs[row] = compared


def _terms(slot: Slot, level: int, pair: Pair) -> tuple[str, ...]:
    """What two values have in common, as it is counted: the value, or of close ones both, of close hosts the label."""
    left, right = str(pair[0]), str(pair[1])
    if level == Level.EXACT:
        return (_term(slot, left),)
    if slot.kind is Kind.HOST:
        return (f"ids:label:{host_words(left)[0]}",)
    return _term(slot, left), _term(slot, right)


def _term(slot: Slot, value: str) -> str:
    """The key under which a value is counted; the counterpart of `index_terms.countable`."""
    if slot.kind is Kind.HOST:
        return f"ids:host:{value.partition('|')[0]}"
    if slot.kind is Kind.PHONE:
        return f"ids:phone:{value[-8:]}"
    if slot.kind is Kind.NUMBER:
        return f"number:{slot.fields[0]}:{value}"
    if slot.kind in (Kind.CITY, Kind.REGION, Kind.COUNTRY, Kind.POSTAL):
        return f"{slot.kind.value}:{value}"
    return f"ids:{slot.kind.value}:{value}"
