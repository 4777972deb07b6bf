"""Folds text of any script into lower-case ASCII tokens; the first step of every normaliser."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from anyascii import anyascii

from app.matching.japanese import romanised

_DOTTED = re.compile(r"(?<![a-z0-9])(?:[a-z]\. ?){2,}(?:[a-z](?![a-z0-9]))?")
_APOSTROPHE = re.compile(r"(?<=[a-z0-9])['`](?=[a-z0-9])")
_ELIDED = re.compile(r"(?<=[\s(/,;–-])(d|l|dell|degl|dall|all|nell|sull)['’‘´`] ?(?=[^\W\d_])", re.IGNORECASE)
"""Articles and prepositions that lean on the next word; at the start they are part of a name: `L'Oréal`."""
_UNELIDED = {"l": "le ", "all": "a ", "nell": "a ", "sull": "a "}
_ONLY_WORDS = "".join(c if c.isalnum() else " " for c in map(chr, range(128)))
"""A table for `str.translate`: what is no letter or digit becomes a space."""
_LATIN_SPECIAL = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE", "œ": "oe", "đ": "d", "ł": "l", "Ł": "L"}
)
MAX_CHARS = 4_000
"""A longer value is cut here; no name, address or title that a person would match by is longer."""

STOP_WORDS = frozenset(
    "a an and the of for in at on by de des du la le les el et und der die das di da do y e & van von".split()
)


def to_ascii(text: str) -> str:
    """Transliterates other scripts, digits among them; nothing else is changed."""
    if text.isascii():
        return text
    return anyascii(romanised(unicodedata.normalize("NFKC", text)).translate(_LATIN_SPECIAL))


def without_elisions(text: str) -> str:
    """Elided French, Italian and Catalan words as words of their own: `Université d'Angers` has `de Angers`."""
    if not any(mark in text for mark in "'’‘´`"):
        return text
    return _ELIDED.sub(lambda found: _UNELIDED.get(found.group(1).lower(), "de "), text)


def fold(text: str) -> str:
    """Lower-case ASCII words, one space apart; idempotent.

    Transliterates other scripts, writes out ampersands, joins dotted abbreviations (`I.B.M.` is `ibm`, `S.A.` is `sa`)
    and possessives (`Arnie's` is `arnies`).
    """
    text = to_ascii(text[:MAX_CHARS])
    text = text.lower().replace("&", " and ").replace("+", " and ")
    if "." in text:
        text = _DOTTED.sub(lambda found: found.group().replace(".", "").replace(" ", "") + " ", text)
    if "'" in text or "`" in text:
        text = _APOSTROPHE.sub("", text)
    return " ".join(text.translate(_ONLY_WORDS).split())


@lru_cache(maxsize=65_536)
def fold_cached(text: str) -> str:
    """`fold` for values that repeat (cities, regions)."""
    return fold(text)


def trigrams(token: str) -> list[str]:
    """The distinct 3-grams of a token, as the index's 3..3 filter makes them; none for tokens under 3 letters."""
    return list(dict.fromkeys([token[i : i + 3] for i in range(len(token) - 2)]))


def initials(tokens: list[str]) -> str:
    """First letters of the tokens that carry meaning: `national bank of egypt` is `nbe`."""
    return "".join([token[0] for token in tokens if token not in STOP_WORDS])
