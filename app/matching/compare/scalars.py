"""Compares values as wholes, in ordered levels: exact, close, near, different."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import IntEnum

from rapidfuzz.distance import OSA

from app.matching.layout import Kind


class Level(IntEnum):
    """What two values have in common; a value that is missing on a side has no level."""

    DIFFERENT = 0
    NEAR = 1
    CLOSE = 2
    EXACT = 3


_CLOSE = 0.8
_LEAST_PHONE_DIGITS = 7
_LOOK_ALIKE = (("rn", "m"), ("vv", "w"), ("0", "o"), ("1", "l"))
"""What a scanner, or a person who copies, reads for one letter: `Wornbwell` for *Wombwell*."""
_LOOKS = re.compile("|".join(look for look, _ in _LOOK_ALIKE))


def _spelling(left: str, right: str, close: float = _CLOSE) -> Level:
    if left == right:
        return Level.EXACT
    return Level.CLOSE if _alike(left, right, close) else Level.DIFFERENT


def _alike(left: str, right: str, close: float) -> bool:
    length, other = len(left), len(right)
    if length < close * other or other < close * length:  # each character more is an edit
        return False
    # The cutoff lets the alignment stop early; rapidfuzz rounds it, so what lies on the bound must lie above the cutoff.
    return OSA.normalized_similarity(left, right, score_cutoff=close - 1e-6) >= close


def _host(left: str, right: str) -> Level:
    if left == right:
        return Level.EXACT
    domain, label, _ = left.split("|", 2)
    other, other_label, _ = right.split("|", 2)
    if domain == other:
        return Level.EXACT
    if label == other_label:
        return Level.CLOSE
    short, long = (label, other_label) if len(label) <= len(other_label) else (other_label, label)
    if len(short) >= 4 and (long.startswith(short) or _alike(short, long, _CLOSE)):
        return Level.NEAR
    return Level.DIFFERENT


def _email(left: str, right: str) -> Level:
    if left == right:
        return Level.EXACT
    local, other = left.partition("@")[0], right.partition("@")[0]
    if local == other or OSA.normalized_similarity(left, right) >= 0.85:
        return Level.CLOSE
    return Level.NEAR if OSA.normalized_similarity(local, other) >= 0.75 else Level.DIFFERENT


def _phone(left: str, right: str) -> Level:
    short, long = sorted((left, right), key=len)
    if len(short) >= _LEAST_PHONE_DIGITS and long.endswith(short):
        return Level.EXACT
    if left[-_LEAST_PHONE_DIGITS:] == right[-_LEAST_PHONE_DIGITS:]:
        return Level.EXACT
    if OSA.distance(left[-8:], right[-8:]) <= 1:
        return Level.CLOSE
    return Level.NEAR if left[-4:] == right[-4:] else Level.DIFFERENT


def _postal(left: str, right: str) -> Level:
    if left == right:
        return Level.EXACT
    if left[:3] == right[:3] or OSA.distance(left, right) <= 1:
        return Level.CLOSE
    return Level.NEAR if left[:2] == right[:2] else Level.DIFFERENT


def _city(left: str, right: str) -> Level:
    level = _spelling(left, right)
    if level is Level.DIFFERENT and (_LOOKS.search(left) or _LOOKS.search(right)):
        level = Level.CLOSE if _as_it_looks(left) == _as_it_looks(right) else level
    if level is not Level.DIFFERENT or not (" " in left or " " in right):
        return level
    words, others = set(left.split()), set(right.split())
    if words <= others or others <= words:
        return Level.CLOSE
    return Level.NEAR if words & others else Level.DIFFERENT


def _as_it_looks(text: str) -> str:
    for look, letter in _LOOK_ALIKE:
        text = text.replace(look, letter)
    return text


def _region(left: str, right: str) -> Level:
    level = _spelling(left, right)
    if level is Level.DIFFERENT and min(len(left), len(right)) <= 3:
        short, long = sorted((left, right), key=len)
        initials = "".join(word[0] for word in long.split())
        return Level.CLOSE if long.startswith(short) or initials == short else Level.DIFFERENT
    return level


def _date(left: str, right: str) -> Level:
    if left == right:
        return Level.EXACT
    if len(left) != len(right):
        return Level.CLOSE if left[:4] == right[:4] else Level.DIFFERENT
    if len(left) == 8 and (OSA.distance(left, right) <= 1 or left == right[:4] + right[6:] + right[4:6]):
        return Level.CLOSE
    if left[:4] == right[:4] or left[4:] == right[4:] != "":
        return Level.NEAR
    return Level.DIFFERENT


def _number(left: str, right: str) -> Level:
    a, b = float(left), float(right)
    if a == b:
        return Level.EXACT
    apart = abs(a - b) / max(abs(a), abs(b))
    if apart <= 0.02:
        return Level.CLOSE
    return Level.NEAR if apart <= 0.2 else Level.DIFFERENT


def _equal(left: str, right: str) -> Level:
    return Level.EXACT if left == right else Level.DIFFERENT


COMPARATORS: dict[Kind, Callable[[str, str], Level]] = {
    Kind.HOST: _host,
    Kind.EMAIL: _email,
    Kind.PHONE: _phone,
    Kind.POSTAL: _postal,
    Kind.CITY: _city,
    Kind.REGION: _region,
    Kind.COUNTRY: _equal,
    Kind.IDENTIFIER: _spelling,
    Kind.DATE: _date,
    Kind.NUMBER: _number,
}


def best_level(kind: Kind, query: Sequence[str], candidate: Sequence[str]) -> tuple[Level, str, str]:
    """The highest level that any pair of values reaches, and that pair."""
    compare = COMPARATORS[kind]
    if len(query) == len(candidate) == 1:
        return compare(query[0], candidate[0]), query[0], candidate[0]
    best = Level.DIFFERENT, query[0], candidate[0]
    for left in query:
        for right in candidate:
            level = compare(left, right)
            if level > best[0]:
                best = level, left, right
            if level is Level.EXACT:
                return best
    return best
