"""Countries as ISO 3166 codes, from codes and from names in many languages."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import cache, lru_cache

from app.matching.data import lines_of
from app.matching.text import STOP_WORDS, fold, fold_cached

_NO_CODE = "-"
_LAST_WORDS = (4, 3, 2, 1)
_SHORT_NAMES = frozenset({"uae", "uk", "usa"})
_BETWEEN_PARTS = re.compile(r"[(),/:;|]| - ")


def _lines(name: str) -> Iterable[list[str]]:
    return (line.split("\t") for line in lines_of(name))


@cache
def _names() -> dict[str, str]:
    """Folded everyday name -> alpha-2 code."""
    return {name: code for code, *names in _lines("countries.txt") for name in names}


@cache
def _codes_and_names() -> dict[str, str]:
    """Also official, former and native names, and codes of three letters."""
    found: dict[str, str] = {}
    for code, alpha_3, of_sports, *names in _lines("country_aliases.txt"):
        found |= dict.fromkeys((alpha_3, of_sports, *names), code)
    found.pop(_NO_CODE, None)
    return found | _names()


@cache
def _by_word() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for name, code in _names().items():
        for word in name.split():
            if (len(word) > 2 or word == "uk") and word not in STOP_WORDS:
                found.setdefault(word, set()).add(code)
    return {word: frozenset(codes) for word, codes in found.items()}


@cache
def _of_one_word() -> dict[str, str]:
    return {name: code for name, code in _names().items() if name.isalpha() and (len(name) > 3 or name in _SHORT_NAMES)}


def countries_named(words: Collection[str]) -> dict[str, str]:
    """Of those words that are a country's name, its code."""
    known = _of_one_word()
    return {word: known[word] for word in known.keys() & set(words)}


def countries_called(words: Collection[str]) -> dict[str, frozenset[str]]:
    """Of those words that stand in a country's everyday name, the codes of all such countries (`deutschland`, `germany`: de)."""
    known = _by_word()
    return {word: known[word] for word in known.keys() & set(words)}


@lru_cache(maxsize=16_384)
def country(text: str) -> str:
    """The ISO 3166 alpha-2 code, in lower case, of a code or a name in one of many languages; else the folded text.

    Of several parts (`Germany (DE)`, `Bayern, Deutschland`) those that are known must be one country.
    """
    folded = fold_cached(text)
    if len(folded) < 3 and not text.isascii():  # no code, but letters of another script
        return text.casefold()
    code = _code(folded)
    if code:
        return code
    parts = {_code(fold(part)) for part in _BETWEEN_PARTS.split(text)} - {""}
    return parts.pop() if len(parts) == 1 else folded


def _code(folded: str) -> str:
    table = _codes_and_names()
    code = table.get(folded) or table.get(folded.removeprefix("the "), "")
    return code or (folded if len(folded) == 2 and folded.isalpha() else "")


def country_in_text(tokens: list[str]) -> str:
    """The country that a free text ends with or names in its last four words, or ""."""
    table = _names()
    for length in _LAST_WORDS:
        if len(tokens) > length:
            code = table.get(" ".join(tokens[-length:]))
            if code and (length > 1 or len(tokens[-1]) > 2):
                return code
    return ""
