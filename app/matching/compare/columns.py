"""The candidates' comparable forms turned on their side: one column a slot, names and texts parsed once."""

from __future__ import annotations

from collections.abc import Sequence

from app.matching.compare.bags import Bag, parse_bag
from app.matching.layout import Kind, Slot
from app.matching.prepare import Form

_JOINED_KINDS = frozenset({Kind.GIVEN, Kind.FAMILY, Kind.ADDRESS})
"""Several values of these are parts of one."""


class Columns:
    """`values[i][c]` is what candidate c has in slot i, or None."""

    def __init__(self, slots: tuple[Slot, ...], candidates: Sequence[Form]) -> None:
        self.values: list[tuple[list[str] | None, ...]] = list(zip(*candidates, strict=True))
        self._slots = slots
        self._bags: dict[int, list[list[Bag]]] = {}

    def bags(self, slot: int) -> list[list[Bag]]:
        """The parsed values of every candidate in a slot of words."""
        if slot not in self._bags:
            kind = self._slots[slot].kind
            self._bags[slot] = [parse_bags(kind, found) for found in self.values[slot]]
        return self._bags[slot]


def parse_bags(kind: Kind, values: Sequence[str] | None) -> list[Bag]:
    """What a record has in a slot of words: each value, or all as one where they are parts of one."""
    if not values:
        return []
    if kind in _JOINED_KINDS:
        return [parse_bag(" ".join(values))]
    return [parse_bag(value) for value in values]
