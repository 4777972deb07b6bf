"""In which countries a name is written so: a name in Hangul is hardly ever that of a record abroad."""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import cache, lru_cache
from importlib.resources import files

import yaml

_CHINESE = "CJK"
_JAPANESE = ("HIRAGANA", "KATAKANA")
"""Syllables between Chinese characters: few, and sure."""

_Countries = dict[str, tuple[str, ...]]


@cache
def _tables() -> tuple[_Countries, _Countries, _Countries]:
    """The countries of a letter, of a script by its name in Unicode, and of a character set."""
    table = yaml.safe_load((files("app.matching.data") / "scripts.yaml").read_text("utf-8"))
    letters = {letter: tuple(countries) for line, countries in table["letters"].items() for letter in line}
    scripts, charsets = (
        {name: tuple(countries) for name, countries in table[part].items()} for part in ("scripts", "charsets")
    )
    return letters, scripts, charsets


@lru_cache(maxsize=16_384)
def countries_writing(text: str) -> tuple[str, ...]:
    """ISO 3166 codes of the countries where names are written in these letters; none where that does not tell."""
    if text.isascii():
        return ()
    letters, scripts, _ = _tables()
    text = unicodedata.normalize("NFKC", text).lower()
    telling = next((letters[letter] for letter in text if letter in letters), None)
    if telling is not None:
        return telling
    count = Counter(unicodedata.name(letter, "").partition(" ")[0] for letter in text if letter.isalpha())
    main = next((script for script in _JAPANESE if count[script]), max(count, key=count.__getitem__, default=""))
    return _by_characters(text) if main == _CHINESE else scripts.get(main, ())


def _by_characters(text: str) -> tuple[str, ...]:
    """Of Chinese characters: `农业` is written in China, `農業` in Japan, Taiwan, Hong Kong and Macao, `北京` in all of them."""
    return tuple(code for charset, codes in _tables()[2].items() if _holds(charset, text) for code in codes)


def _holds(charset: str, text: str) -> bool:
    try:
        text.encode(charset)
    except UnicodeEncodeError:
        return False
    return True
