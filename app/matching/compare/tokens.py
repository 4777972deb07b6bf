"""Similarity of words: spelling, abbreviation, initials and nicknames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from rapidfuzz import process
from rapidfuzz.distance import OSA

from app.matching.people import nicknames

Similarities = npt.NDArray[np.float32]

ALIKE = 0.72
"""Least similarity of two words that count as one: one edit in four letters passes, one in three does not."""
_PREFIX_SIMILARITY = 0.85
_SHORT_PREFIX_SIMILARITY = 0.78
_INITIAL_SIMILARITY = 0.76
_NICKNAME_SIMILARITY = 0.9
_SKELETON_SIMILARITY = 0.78
_VOWELS = frozenset("aeiou")
_LEAST_PREFIX_CHARS = 3


def word_similarities(left: Sequence[str], right: Sequence[str], *, persons: bool) -> Similarities:
    """Similarity in [0, 1] of every pair, 0 below ALIKE; shape (len(left), len(right)).

    Spelling is optimal string alignment; a word that begins the other is its abbreviation. Between persons' names
    a nickname stands for its formal name and an initial for a name.
    """
    table: Similarities = process.cdist(
        left, right, scorer=OSA.normalized_similarity, score_cutoff=ALIKE, dtype=np.float32
    )
    initials = [word[0] for word in right]
    for row, word in zip(table, left, strict=True):
        first, last = word[0], word[-1]
        for j, initial in enumerate(initials):
            if initial != first:
                continue
            other = right[j]
            if other[-1] == last or other.startswith(word) or word.startswith(other):
                row[j] = max(row[j], _shortened(word, other, persons))
        if persons:
            _add_nicknames(row, word, right)
    return table


def _shortened(left: str, right: str, persons: bool) -> float:
    short, long = (left, right) if len(left) <= len(right) else (right, left)
    if not long.startswith(short):
        return _SKELETON_SIMILARITY if _is_skeleton(short, long) else 0.0
    if short.isdigit():
        return 0.0
    if len(short) >= _LEAST_PREFIX_CHARS:
        return _PREFIX_SIMILARITY if len(short) > _LEAST_PREFIX_CHARS else _SHORT_PREFIX_SIMILARITY
    return _INITIAL_SIMILARITY if persons and len(short) == 1 else 0.0


def _is_skeleton(short: str, long: str) -> bool:
    """Whether a word was shortened by leaving letters out: `strs` for stores, `biosolns` for biosolutions.

    What stands after the part that both begin with must be consonants, in order, the last one the word's own.
    """
    if not _LEAST_PREFIX_CHARS <= len(short) <= len(long) - 2 or short[-1] != long[-1] or short.isdigit():
        return False
    same = next(i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b)
    if not _VOWELS.isdisjoint(short[same:]):
        return False
    rest = iter(long[same:])
    return all(letter in rest for letter in short[same:])


def _add_nicknames(row: Similarities, word: str, right: Sequence[str]) -> None:
    formal = nicknames().get(word)
    if formal is None:
        return
    for j, other in enumerate(right):
        if row[j] < _NICKNAME_SIMILARITY and not formal.isdisjoint(nicknames().get(other, frozenset())):
            row[j] = _NICKNAME_SIMILARITY
