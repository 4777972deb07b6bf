"""Finds words of a name that stand in another field of the record too: as a place, or as another organisation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from app.matching.compare.columns import Columns
from app.matching.compare.words import Integers, Words
from app.matching.countries import countries_called
from app.matching.layout import Kind, Slot

Mask = npt.NDArray[np.bool_]

_KINDS = frozenset({Kind.CITY, Kind.REGION, Kind.COUNTRY, Kind.AFFILIATE})


@lru_cache(maxsize=256)
def slots_elsewhere(slots: tuple[Slot, ...]) -> tuple[int, ...]:
    """Positions of the slots whose words may stand inside a name too."""
    return tuple(i for i, slot in enumerate(slots) if slot.kind in _KINDS)


class Elsewhere:
    """Which of `words` stand in other fields of each query, and of each row's candidate."""

    def __init__(self, columns: Columns, words: Words) -> None:
        self._words = len(words.text)
        named = _Named(words)
        of_queries, of_rows = [], []
        for i in slots_elsewhere(columns.slots):
            of_queries += named.keys([query[i] for query in columns.queries])
            of_rows += named.keys(columns.values[i])
        self._of_queries, self._of_rows = np.array(sorted(of_queries)), np.array(sorted(of_rows))

    def in_query(self, query: Integers, word: Integers) -> Mask:
        """Whether each word, by its place, stands in other fields of that query."""
        return _among(self._of_queries, query * self._words + word)

    def in_row(self, row: Integers, word: Integers) -> Mask:
        return _among(self._of_rows, row * self._words + word)


class _Named:
    """What each value of a place or organisation names, by the places of the words; most name nothing."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._known = {word: [at] for at, word in enumerate(words.text)}
        for word, codes in countries_called(words.text).items():
            for code in codes:
                self._known[code] = [*self._known.get(code, ()), *self._known[word]]

    def keys(self, values: Sequence[Sequence[str] | None]) -> list[int]:
        """For every word that a value names: the value's position times the number of words, plus the word's place."""
        known, width = self._known, len(self._words.text)
        found: list[int] = []
        for position, several in enumerate(values):
            for value in several or ():
                named = known.get(value)
                if named is None and (" " in value or "|" in value):
                    named = known[value] = self._inside(value)
                if named:
                    found += [position * width + at for at in named]
        return found

    def _inside(self, value: str) -> list[int]:
        """Of a value of several words."""
        text = value.partition("|")[0]
        if " " not in text:
            return self._known.get(text, [])
        places = [self._words.place(word) for word in text.split()]
        return [at for at in places if at is not None]


def _among(keys: Integers, wanted: Integers) -> Mask:
    if not len(keys):
        return np.zeros(len(wanted), bool)
    at = keys.searchsorted(wanted)
    at[at == len(keys)] = 0
    among: Mask = keys[at] == wanted
    return among
