"""The candidates' comparable forms turned on their side: one column a slot, names and texts parsed once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from app.matching.compare.bags import Bag, parse_bag
from app.matching.layout import Kind, Slot
from app.matching.prepare import Form
from app.matching.values import country_words

_CONTEXT_KINDS = frozenset({Kind.CITY, Kind.REGION, Kind.COUNTRY, Kind.AFFILIATE})
_JOINED_KINDS = frozenset({Kind.GIVEN, Kind.FAMILY, Kind.ADDRESS})
"""Several values of these are parts of one."""


class Columns:
    """`values[i][c]` is what candidate c has in slot i, or None."""

    def __init__(self, slots: tuple[Slot, ...], candidates: Sequence[Form]) -> None:
        self.values: list[tuple[list[str] | None, ...]] = list(zip(*candidates, strict=True))
        self._slots = slots
        self._bags: dict[int, list[list[Bag]]] = {}
        self._contexts: list[frozenset[str]] | None = None

    def bags(self, slot: int) -> list[list[Bag]]:
        """The parsed values of every candidate in a slot of words."""
        if slot not in self._bags:
            kind = self._slots[slot].kind
            self._bags[slot] = [parse_bags(kind, found) for found in self.values[slot]]
        return self._bags[slot]

    def context_words(self) -> list[frozenset[str]]:
        """Of every candidate: the words of its places and of other organisations."""
        if self._contexts is None:
            rows = zip(*(self.values[i] for i in context_slots(self._slots)), strict=True)
            self._contexts = [context_words(row) for row in rows]
        return self._contexts


@lru_cache(maxsize=256)
def context_slots(slots: tuple[Slot, ...]) -> tuple[int, ...]:
    """Positions of the slots whose words may stand inside a name too: places, other organisations."""
    return tuple(i for i, slot in enumerate(slots) if slot.kind in _CONTEXT_KINDS)


def context_words(values: Sequence[Sequence[str] | None]) -> frozenset[str]:
    """The words of some slots' values, and of the names of countries given by their codes."""
    return frozenset().union(*[_words(value) for several in values if several for value in several])


@lru_cache(maxsize=65_536)
def _words(value: str) -> frozenset[str]:
    text = value.partition("|")[0]
    return frozenset(text.split()) | country_words(text)


def parse_bags(kind: Kind, values: Sequence[str] | None) -> list[Bag]:
    """What a record has in a slot of words: each value, or all as one where they are parts of one."""
    if not values:
        return []
    if kind in _JOINED_KINDS:
        return [parse_bag(" ".join(values))]
    return [parse_bag(value) for value in values]
