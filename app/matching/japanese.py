"""Reads Japanese in Latin letters: kana by their sound, Chinese characters as a Japanese reader says them.

Transliteration alone takes every Chinese character for Chinese: `萩原` would be `qiuyuan` and never meet `Hagihara`.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import lru_cache

import jaconv
from sudachipy import Dictionary, SplitMode, Tokenizer

_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa\u30fc]+")
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_CHARACTERS = re.compile(f"[\u3005\u3041-\u30ff\u31f0-\u31ff{_HAN}]+")
"""Kana and Chinese characters."""
_UNREAD = re.compile(f"[{_HAN}]")
_VARIANTS = str.maketrans("髙﨑濵𠮷", "高崎浜吉")
"""Signs of family names, and those that dictionaries hold."""
_MAX_CHARS = 4_000
"""A longer run is cut here, as every value is; the reader refuses what is much longer."""
_JAPANESE_ONLY = re.compile("[\u3041-\u3096\u30a1-\u30fa]|株式会社|有限会社|合同会社|合資会社|(?<!團)法人|県")
"""Kana, legal forms and the sign for a prefecture: who writes one of them writes Japanese."""
_LONG_VOWEL = re.compile("oo|ou(?!e$)|uu|-")
"""Names in Latin letters leave out how long a vowel is: `Kyoto`, `Chuo`; not `Inoue`."""
_local = threading.local()


def is_japanese(text: str) -> bool:
    """Whether a text in Chinese characters must be Japanese; others may be, or Chinese."""
    return _JAPANESE_ONLY.search(unicodedata.normalize("NFKC", text)) is not None


def romanised(text: str) -> str:
    """The text with its kana in Latin letters: `スターライト` is `sutaraito`."""
    return _KANA.sub(_sound, text)


def read_out(text: str) -> str | None:
    """The text with its characters as they are read in Japanese; None where it has none, or one that is not used there."""
    text = text[:_MAX_CHARS].translate(_VARIANTS)
    found = {run: reading(run) for run in _CHARACTERS.findall(text)}
    if not found or None in found.values():
        return None
    return _CHARACTERS.sub(lambda run: f" {found[run.group()]} ", text)


@lru_cache(maxsize=16_384)
def reading(characters: str) -> str | None:
    """Chinese characters and kana as they are read, word by word; None where one is not known in Japan."""
    words = [word.reading_form() for word in _tokenizer().tokenize(characters, SplitMode.C)]
    return None if any(map(_UNREAD.search, words)) else " ".join(map(romanised, words))


def _tokenizer() -> Tokenizer:
    """One for each thread: it cannot be shared. The dictionary is mapped into memory and costs little."""
    if not hasattr(_local, "tokenizer"):
        _local.tokenizer = Dictionary(dict="small").tokenizer()
    found: Tokenizer = _local.tokenizer
    return found


def _sound(kana: re.Match[str]) -> str:
    sound: str = jaconv.kana2alphabet(jaconv.kata2hira(kana.group()))
    return _LONG_VOWEL.sub(lambda vowel: vowel.group()[0].replace("-", ""), sound)
