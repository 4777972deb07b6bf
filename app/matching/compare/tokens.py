"""Similarity of words: spelling, abbreviation, initials and nicknames."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
from rapidfuzz import process
from rapidfuzz.distance import OSA

from app.matching.compare.words import Integers, Words
from app.matching.data import lines_of
from app.matching.organisations import meant
from app.matching.people import nicknames

Floats = npt.NDArray[np.float64]

ALIKE = 0.72
"""Least similarity of two words that count as one: one edit in four letters passes, one in three does not."""
_PREFIX_SIMILARITY = 0.85
_SHORT_PREFIX_SIMILARITY = 0.78
_INITIAL_SIMILARITY = 0.76
_NICKNAME_SIMILARITY = 0.9
_SKELETON_SIMILARITY = 0.78
_MISSPELT_SIMILARITY = 0.88
_VOWELS = frozenset("aeiou")
_LEAST_PREFIX_CHARS = 3
_MOST_EDITS = 1.0 - ALIKE + 1e-9
"""Of two words that count as one, to a letter of the longer."""


def word_similarities(left: Sequence[str], right: Sequence[str], *, persons: bool) -> Floats:
    """`pair_similarities` of every pair; shape (len(left), len(right)), both at least 1."""
    words = Words([*left, *right])
    rows, columns = words.places(left), words.places(right)
    pairs = pair_similarities(words, np.repeat(rows, len(right)), np.tile(columns, len(left)), persons=persons)
    return pairs.reshape(len(left), len(right))


def pair_similarities(words: Words, left: Integers, right: Integers, *, persons: bool) -> Floats:
    """Similarity in [0, 1] of each pair of words, given by their places, 0 below ALIKE; shape (len(left),).

    Spelling is optimal string alignment; a word that begins the other is its abbreviation. Between persons' names
    a nickname stands for its formal name and an initial for a name; other words that only look alike are told apart.
    """
    similar = np.zeros(len(left))
    same = left == right
    similar[same] = 1.0
    other = (~same).nonzero()[0]
    left, right = left[other], right[other]
    found = np.zeros(len(other))
    shorter = words.length[left] < words.length[right]
    short, long = np.where(shorter, left, right), np.where(shorter, right, left)
    lacking = np.bitwise_count(words.letters[short] & ~words.letters[long])
    _add_spelling(found, words, short, long, lacking)
    _add_shortened(found, words, short, long, lacking, persons)
    if persons:
        _add_nicknames(found, words, left, right)
    else:
        _add_meant(found, words, left, right)
        _tell_apart(found, words, left, right)
    similar[other] = found
    return similar


def closeness(words: Words, left: Integers, right: Integers) -> Floats:
    """How near each pair of words that do not count as one is to that by its spelling, in [0, 1).

    Marks of a series (`12`, `21`) and words that are told apart are not near however they are spelled.
    """
    similar: Floats = process.cpdist(
        [words.text[word] for word in left.tolist()],
        [words.text[word] for word in right.tolist()],
        scorer=OSA.normalized_similarity,
        dtype=np.float64,
    )
    apart = words.mark[left] | words.mark[right] | (similar >= ALIKE)
    return np.where(apart, 0.0, similar / ALIKE)


def _add_spelling(found: Floats, words: Words, short: Integers, long: Integers, lacking: npt.NDArray[np.uint8]) -> None:
    """Aligns the pairs that may be alike: every letter that one lacks, and every letter more, costs an edit."""
    more = np.bitwise_count(words.letters[long] & ~words.letters[short])
    least = np.maximum(np.maximum(lacking, more), words.length[long] - words.length[short])
    at = (least <= _MOST_EDITS * words.length[long]).nonzero()[0]
    if len(at):
        text = words.text
        found[at] = process.cpdist(
            [text[word] for word in short[at].tolist()],
            [text[word] for word in long[at].tolist()],
            scorer=OSA.normalized_similarity,
            score_cutoff=ALIKE,
            dtype=np.float64,
        )


def _add_shortened(
    found: Floats, words: Words, short: Integers, long: Integers, lacking: npt.NDArray[np.uint8], persons: bool
) -> None:
    may = (words.first[short] == words.first[long]) & (lacking == 0) & (words.length[short] < words.length[long])
    at = may.nonzero()[0]
    for pair, one, other in zip(at.tolist(), short[at].tolist(), long[at].tolist(), strict=True):
        found[pair] = max(found[pair], _shortened(words.text[one], words.text[other], persons))


def _shortened(short: str, long: str, persons: bool) -> float:
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


def _add_nicknames(found: Floats, words: Words, left: Integers, right: Integers) -> None:
    formal = [nicknames().get(word, frozenset()) for word in words.text]
    called = np.fromiter(map(bool, formal), np.bool_, len(formal))
    for pair in (called[left] & called[right] & (found < _NICKNAME_SIMILARITY)).nonzero()[0].tolist():
        if not formal[left[pair]].isdisjoint(formal[right[pair]]):
            found[pair] = _NICKNAME_SIMILARITY


def _add_meant(found: Floats, words: Words, left: Integers, right: Integers) -> None:
    """A misspelt variant of a word that names are compared by: `finanve` meets `financial`, which stands for *finance*."""
    known = ((at, words.place(word)) for at, word in enumerate(map(meant, words.text)) if word is not None)
    met = {at: place for at, place in known if place is not None}
    if not met:
        return
    stands_for = np.full(len(words.text), -1)
    stands_for[list(met)] = list(met.values())
    same = (stands_for[left] == right) | (stands_for[right] == left)
    found[same] = np.maximum(found[same], _MISSPELT_SIMILARITY)


def _tell_apart(found: Floats, words: Words, left: Integers, right: Integers) -> None:
    """`northwestern` is not `northeastern` misspelt."""
    lines, text, none = _lines_of_words(), words.text, frozenset[int]()
    for pair in found.nonzero()[0].tolist():
        mine = lines.get(text[left[pair]], none)
        if mine and not mine.isdisjoint(lines.get(text[right[pair]], none)):
            found[pair] = 0.0


@cache
def _lines_of_words() -> dict[str, frozenset[int]]:
    """Word -> the lines of `told_apart.txt` that it stands in."""
    found: dict[str, set[int]] = {}
    for at, line in enumerate(lines_of("told_apart.txt")):
        for word in line.split():
            found.setdefault(word, set()).add(at)
    return {word: frozenset(lines) for word, lines in found.items()}
