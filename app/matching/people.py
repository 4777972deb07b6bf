"""Names of people: without titles, and the nicknames of given names."""

from __future__ import annotations

import unicodedata
from functools import cache

from app.matching.data import lines_of
from app.matching.japanese import is_japanese, read_out
from app.matching.text import fold

_TITLES = frozenset(
    "mr mrs ms miss mx dr prof professor doctor herr frau mme mlle monsieur madame sr sra srta signor signora dott dottssa "
    "drs mevr dhr meneer mevrouw pan pani hr fr shri smt".split()
)
"""In front of a name."""
_DEGREES = frozenset("phd md mba cpa dds jd esq esquire dphil msc bsc llm".split())
"""Behind it. `Jr` and `II` stay: they tell a son from his father."""


def person_name(text: str) -> str:
    """The folded name without titles and degrees; never nothing: `Prof. Dr. Ann Lee, PhD` is `ann lee`."""
    tokens = fold(text).split()
    while len(tokens) > 1 and tokens[0] in _TITLES:
        del tokens[0]
    while len(tokens) > 2 and tokens[-1] in _DEGREES:
        del tokens[-1]
    return " ".join(tokens)


def people_named(text: str) -> list[str]:
    """The name as it is read in Japanese where it must be Japanese, else as it stands and, where it may be, so read too."""
    if text.isascii():
        return [text]
    read = read_out(unicodedata.normalize("NFKC", text))
    if read is None:
        return [text]
    return [read] if is_japanese(text) else [text, read]


@cache
def nicknames() -> dict[str, frozenset[str]]:
    """Given name -> the names that it may stand for, itself included: formal ones, and one for all spellings of a name."""
    groups: dict[str, set[str]] = {}
    for name in ("nicknames.txt", "name_spellings.txt"):
        for line in lines_of(name):
            formal, *short = line.split()
            for called in (formal, *short):
                groups.setdefault(called, set()).add(formal)
    return {name: frozenset(formal) for name, formal in groups.items()}
