"""Phrases of several words that a table knows, found in a text word by word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, TypeVar

Meaning = TypeVar("Meaning")


class Phrases(Generic[Meaning]):
    """A table of phrases; most words begin none, and are told at once."""

    def __init__(self, table: Mapping[tuple[str, ...], Meaning]) -> None:
        self._table = table
        lengths: dict[str, set[int]] = {}
        for phrase in table:
            lengths.setdefault(phrase[0], set()).add(len(phrase))
        self._lengths = {word: sorted(found, reverse=True) for word, found in lengths.items()}

    def any_begins_with(self, words: Sequence[str]) -> bool:
        """Whether one of the words begins a phrase."""
        return not self._lengths.keys().isdisjoint(words)

    def at(self, words: Sequence[str], place: int) -> Iterator[tuple[int, Meaning]]:
        """The phrases that begin at a word, the longest first: how many words they have, and what they mean."""
        for length in self._lengths.get(words[place], ()):
            phrase = tuple(words[place : place + length])
            if len(phrase) == length and phrase in self._table:
                yield length, self._table[phrase]
