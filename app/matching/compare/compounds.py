"""Brings the words of two names together that are written apart, in one word or by their first letters.

`CobaltMedium` and `Cobalt Medium` share both words; `Nebraska DOT` and `Nebraska Department of Transportation` share both too.
"""

from __future__ import annotations

from collections.abc import Iterator

from app.matching.compare.alignment import MAX_WORDS
from app.matching.compare.bag import Bag
from app.matching.rarity import is_common
from app.matching.text import STOP_WORDS

_LEAST_COMPOUND_CHARS = 6
"""Shorter words are the sum of two others by chance."""
_PARTS = (2, 3)
"""Words that are one on the other side."""
_MAX_INITIALS = 6
_LEAST_INITIALS = 3
"""Two letters are the first ones of some words by chance; at the beginning of both names they count."""


class Compounds:
    """A query's value, with what tells most candidates apart from those that write one of its words otherwise."""

    def __init__(self, query: Bag) -> None:
        self.query = query
        self._compounds = frozenset(_parts_by_compound(query))
        self._long = frozenset(word for word in query.tokens if len(word) >= _LEAST_COMPOUND_CHARS)
        self._initials = frozenset(initials for initials, _, _ in _runs(query.tokens))
        self._short = [word for word in query.tokens if _may_be_initials(word)] if len(query.tokens) > 1 else []
        self._least_letters = min(map(len, self._short), default=MAX_WORDS + 1)

    def concern(self, candidate: Bag) -> bool:
        """Whether one side writes as one word, or by first letters, what the other writes as several words."""
        words, joined = candidate.tokens, candidate.joined
        if not self._compounds.isdisjoint(words) or not self._initials.isdisjoint(words):
            return True
        if len(words) >= self._least_letters and any(map(_first_letters(words).__contains__, self._short)):
            return True
        return any(map(joined.__contains__, self._long.difference(words)))

    def parted(self, candidate: Bag) -> tuple[Bag, Bag]:
        """The query's value and a candidate's, written alike."""
        query = self.query
        query, candidate = _taken_apart(query, candidate), _taken_apart(candidate, query)
        return _by_initials(query, candidate), _by_initials(candidate, query)


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


def _may_be_initials(word: str) -> bool:
    """Common words (`air`, `new`) are no initials, even where they could be."""
    return 1 < len(word) <= _MAX_INITIALS and word.isalpha() and word not in STOP_WORDS and not is_common(word)


def _first_letters(words: tuple[str, ...]) -> str:
    """Of all words, then of those that are no stop words."""
    return "".join([word[0] for word in words] + [" "] + [word[0] for word in words if word not in STOP_WORDS])


def _runs(words: tuple[str, ...]) -> Iterator[tuple[str, int, int]]:
    """First letters of neighbouring words, not all of a name, and where they begin and end; stop words may be left out."""
    for start in range(len(words) - 1):
        if words[start] in STOP_WORDS:
            continue
        every = told = words[start][0]
        for end in range(start + 1, len(words)):
            every += words[end][0]
            if words[end] in STOP_WORDS:
                continue
            told += words[end][0]
            if len(told) > _MAX_INITIALS:
                break
            if end + 1 - start < len(words):
                for initials in dict.fromkeys((told, every)):
                    if _may_be_initials(initials) and (len(initials) >= _LEAST_INITIALS or start == 0):
                        yield initials, start, end + 1


def _by_initials(bag: Bag, other: Bag) -> Bag:
    """With its words by their first letters where the other side has those, beside other words, and not the words themselves."""
    mine, theirs = bag.tokens, other.tokens
    if len(theirs) < 2:
        return bag
    for initials, start, end in _runs(mine):
        if initials not in theirs or initials in mine:
            continue
        if len(initials) < _LEAST_INITIALS and theirs[0] != initials:
            continue
        if not any(word in theirs for word in mine[start:end] if word not in STOP_WORDS):
            return bag._replace(tokens=(*mine[:start], initials, *mine[end:]))
    return bag
