"""Remarks that people leave in the field of a name: `Acme Ltd *DO NOT USE*`, `(old) Acme`, `Acme / Accounts Payable`.

They are the state of a record, or the part of a firm that is written to; never part of the name. Only what is set apart is
cut: *Old Navy*, *Test Valley* and *Parent Company Foundation* keep their words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from app.matching.data import lines_of

_CARE_OF = re.compile(r"(?:^|[\s,(]++)c/o\b[.:,]?", re.IGNORECASE)
_SEPARATOR = re.compile(r"[(\[*/|,;:–—-]|  ")
"""Without one, nothing is set apart."""
_MOST_CHARS = 200
"""A longer text is no name with a remark."""
_BRACKETS = "([*"
_AROUND_END = " *.!)]"
_TEST = re.compile(r"\s{2,}+TEST$")
"""The one word that two spaces and capitals make a remark: test systems mark records so."""


class _Patterns(NamedTuple):
    set_apart: re.Pattern[str]
    """In brackets or between asterisks, anywhere."""
    behind: re.Pattern[str]
    """At the end, one after another: sure ones behind a mark or two spaces, all of them behind a dash."""
    in_front: re.Pattern[str]
    last_words: tuple[str, ...]
    first_words: tuple[str, ...]


@cache
def _patterns() -> _Patterns:
    remarks = lines_of("remarks.txt")
    sure = _any_of(remark for remark in remarks if not remark.startswith("?"))
    every = _any_of(remark.removeprefix("? ") for remark in remarks)
    words = [remark.removeprefix("? ").split() for remark in remarks]
    return _Patterns(
        re.compile(
            rf"\(\s*+(?:{every})[\s!]*\)|\[\s*+(?:{every})[\s!]*\]|\*++\s*+(?:{every})[\s!]*\*++", re.IGNORECASE
        ),
        re.compile(
            rf"(?:(?:[/|,;*]|(?<=\s)[-–—:]|(?<!\s)\s{{2,}}+)\s*+(?:{sure})\s*+|\s[-–—]\s++(?:{every})\s*+)+[*.!]*$",
            re.IGNORECASE,
        ),
        re.compile(rf"^\W*+(?:(?:{sure})(?:\s*+[*/|:]|\s++[-–—](?=\s))|(?:{every})[*:])", re.IGNORECASE),
        tuple({last for *_, last in words}),
        tuple({first for first, *_ in words}),
    )


def _any_of(remarks: Iterable[str]) -> str:
    """The longest first."""
    return "|".join(r"\s++".join(map(re.escape, one.split())) for one in sorted(remarks, key=len, reverse=True))


def without_remarks(text: str) -> str:
    """The text without remarks; as it is where nothing would be left."""
    if len(text) > _MOST_CHARS or _SEPARATOR.search(text) is None:
        return text
    patterns, lower, left = _patterns(), text.lower(), text
    if "c/o" in lower:
        left = _CARE_OF.sub(" ", left)
    if any(bracket in text for bracket in _BRACKETS):
        left = patterns.set_apart.sub(" ", left)
    if lower.rstrip(_AROUND_END).endswith(patterns.last_words):
        left = _TEST.sub("", patterns.behind.sub("", left.rstrip()))
    if lower.lstrip(_BRACKETS).startswith(patterns.first_words):
        left = patterns.in_front.sub("", left)
    return left if left is text or any(map(str.isalnum, left)) else text
