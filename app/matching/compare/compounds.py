"""Takes words apart that the other side writes as two or three: `CobaltMedium` and `Cobalt Medium` share both words."""

from __future__ import annotations

from app.matching.compare.alignment import MAX_WORDS
from app.matching.compare.bags import Bag

_LEAST_COMPOUND_CHARS = 6
"""Shorter words are the sum of two others by chance."""
_PARTS = (2, 3)
"""Words that are one on the other side."""


class Compounds:
    """A query's value, with what tells most candidates apart from those that write one of its words otherwise."""

    def __init__(self, query: Bag) -> None:
        self.query = query
        self._compounds = frozenset(_parts_by_compound(query))
        self._long = frozenset(word for word in query.tokens if len(word) >= _LEAST_COMPOUND_CHARS)

    def concern(self, candidate: Bag) -> bool:
        """Whether one side writes as one word what the other writes as several."""
        words = candidate.tokens
        if not self._compounds.isdisjoint(words):
            return True
        return any(map(candidate.joined.__contains__, self._long.difference(words)))

    def parted(self, candidate: Bag) -> tuple[Bag, Bag]:
        """The query's value and a candidate's, each with the words apart that the other has as neighbours."""
        query = self.query
        return _taken_apart(query, candidate), _taken_apart(candidate, query)


def _parts_by_compound(bag: Bag) -> dict[str, tuple[str, ...]]:
    words = bag.tokens
    parts = [words[at : at + count] for count in _PARTS for at in range(len(words) - count + 1)]
    compounds = {"".join(some): some for some in parts}
    return {word: some for word, some in compounds.items() if len(word) >= _LEAST_COMPOUND_CHARS}


def _taken_apart(bag: Bag, other: Bag) -> Bag:
    """A word that the other side has as one word too stays whole."""
    parts = _parts_by_compound(other)
    words: list[str] = []
    for word in bag.tokens:
        words += parts[word] if word in parts and word not in other.tokens else (word,)
    return bag._replace(tokens=tuple(words[:MAX_WORDS]))
