"""The comparable forms turned on their side: one row for each candidate of each query, one column a slot."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from app.matching.compare.bag import Bag, parse_bag
from app.matching.index_terms import Form
from app.matching.layout import Kind, Slot

_JOINED_KINDS = frozenset({Kind.GIVEN, Kind.FAMILY, Kind.ADDRESS})
"""Several values of these are parts of one."""


class Columns:
    """`values[i][r]` is what the candidate of row r has in slot i, or None; the rows of query q are `spans[q]`.

    Names and texts are parsed once.
    """

    def __init__(self, slots: tuple[Slot, ...], queries: Sequence[Form], candidates: Sequence[Sequence[Form]]) -> None:
        self.slots = slots
        self.queries = queries
        self.spans = [range(*span) for span in pairwise(np.cumsum([0, *map(len, candidates)]).tolist())]
        self.owners = [q for q, found in enumerate(candidates) for _ in found]
        """Of each row its query."""
        self.values: list[tuple[list[str] | None, ...]] = list(
            zip(*(form for found in candidates for form in found), strict=True)
        )
        self._bags: dict[int, list[list[Bag]]] = {}

    def __len__(self) -> int:
        return len(self.owners)

    def bags(self, slot: int) -> list[list[Bag]]:
        """The parsed values of every row in a slot of words."""
        if slot not in self._bags:
            kind = self.slots[slot].kind
            self._bags[slot] = [parse_bags(kind, found) for found in self.values[slot]]
        return self._bags[slot]


def parse_bags(kind: Kind, values: Sequence[str] | None) -> list[Bag]:
    """What a record has in a slot of words: each value, or all as one where they are parts of one; none without a word."""
    if not values:
        return []
    if len(values) == 1:
        bag = parse_bag(values[0])
        return [bag] if bag.tokens else []
    parts = [" ".join(values)] if kind in _JOINED_KINDS else values
    return [bag for bag in map(parse_bag, parts) if bag.tokens]
