"""Says words of organisation and place names in English: a name in another language or script finds its English one.

The table is `data/translations.txt`. Scripts that are written without spaces are cut at the words that the table knows.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

from app.matching.data import lines_of
from app.matching.japanese import is_japanese, read_out
from app.matching.phrases import Phrases
from app.matching.text import fold, without_elisions

_UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
"""Thai, kana, Han and Hangul."""
_RUN = re.compile(f"[{_UNSPACED}]+")
_MARKED_FORM = re.compile(r"\( ?[株有合資社財주유재사股] ?\)")
"""A legal form in short: `(株)`, and `㈱` once it is normalised."""
_CHINESE_FORM = "公司"
_LEAST_CHARS = {True: 4, False: 3}
"""Of a folded word, by whether it was Latin: a shorter word of one language is another word of the next (`su`, `nam`)."""
_MAX_PHRASE_WORDS = 4
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_ONES = "one two three four five six seven eight nine".split()
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth".split()
_ORDINAL_ENDS = {1: "st", 2: "nd", 3: "rd"}


@cache
def _table() -> dict[str, list[str]]:
    """English words -> what they are called elsewhere."""
    pairs = (line.split(":", 1) for line in lines_of("translations.txt"))
    return {meaning: [word.strip() for word in words.split(",")] for meaning, words in pairs}


@cache
def _unspaced() -> tuple[re.Pattern[str], dict[str, str]]:
    """A pattern that finds known words, the longest first, and what they mean."""
    words = ((unicodedata.normalize("NFKC", word), meaning) for meaning, some in _table().items() for word in some)
    meanings = {word: meaning for word, meaning in words if _RUN.fullmatch(word)}
    return re.compile("|".join(sorted(map(re.escape, meanings), key=len, reverse=True))), meanings


@cache
def word_translations() -> dict[str, tuple[str, ...]]:
    """Folded word -> its English words."""
    return {words[0]: meaning for words, meaning in _spaced() if len(words) == 1}


@cache
def _phrases() -> Phrases[tuple[str, ...]]:
    """Phrases of two to four folded words, numbers among them."""
    translated = {words: meaning for words, meaning in _spaced() if 1 < len(words) <= _MAX_PHRASE_WORDS}
    return Phrases(translated | _numbers())


def _numbers() -> dict[tuple[str, ...], tuple[str, ...]]:
    """`forty four` is 44, `twenty first` is 21st."""
    numbers: dict[tuple[str, ...], tuple[str, ...]] = {}
    for many, ten in zip(range(20, 100, 10), _TENS, strict=True):
        for few, (one, ordinal) in enumerate(zip(_ONES, _ORDINALS, strict=True), start=1):
            numbers[ten, one] = (str(many + few),)
            numbers[ten, ordinal] = (f"{many + few}{_ORDINAL_ENDS.get(few, 'th')}",)
    return numbers


def _spaced() -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Folded variants and their meanings, of scripts with spaces."""
    pairs = ((variant, tuple(meaning.split())) for meaning, variants in _table().items() for variant in variants)
    folded = (
        (tuple(fold(variant).split()), meaning, variant) for variant, meaning in pairs if not _RUN.search(variant)
    )
    return [
        (words, meaning)
        for words, meaning, variant in folded
        if words and words != meaning and (len(words) > 1 or len(words[0]) >= _LEAST_CHARS[_is_latin(variant)])
    ]


def _is_latin(text: str) -> bool:
    return "LATIN" in unicodedata.name(text[0], "")


def spell_out(text: str) -> str:
    """Puts the meaning of known words into runs of unspaced script: `東京大学` is ` tokyo  university `.

    What is left of a Japanese text is read in Japanese; elided articles become words (`d'Angers` is `de Angers`).
    """
    text = without_elisions(text)
    if text.isascii():
        return text
    spelled = _meanings(text)
    return (read_out(spelled) if is_japanese(text) else None) or spelled


def readings(text: str) -> list[str]:
    """The text, and what it is in Japanese where that is not sure: `木戸病院` is Kido or Muhu Hospital."""
    if text.isascii() or is_japanese(text) or _CHINESE_FORM in text or read_out(text) is None:
        return [text]
    return [text, *filter(None, [read_out(_meanings(text))])]


def _meanings(text: str) -> str:
    text = _MARKED_FORM.sub(" ", unicodedata.normalize("NFKC", text))
    if not _RUN.search(text):
        return text
    pattern, meanings = _unspaced()
    return _RUN.sub(lambda run: pattern.sub(lambda word: f" {meanings[word.group()]} ", run.group()), text)


def translate_phrases(tokens: Sequence[str]) -> list[str]:
    """Replaces phrases (`dai hoc`, `rumah sakit`) by their English words; single words are left alone."""
    phrases = _phrases()
    if not phrases.any_begins_with(tokens):
        return list(tokens)
    translated: list[str] = []
    at = 0
    while at < len(tokens):
        length, meaning = next(phrases.at(tokens, at), (1, (tokens[at],)))
        translated += meaning
        at += length
    return translated
