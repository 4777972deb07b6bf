"""Reads Japanese in Latin letters: kana by their sound, Chinese characters as a Japanese reader says them.

Transliteration alone takes every Chinese character for Chinese: `萩原` would be `qiuyuan` and never meet `Hagihara`.
"""

from __future__ import annotations

import re
import threading
from functools import lru_cache

import jaconv
from sudachipy import Dictionary, SplitMode, Tokenizer

_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa\u30fc]+")
_CHARACTERS = re.compile("[\u3005\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff]+")
"""Kana and Chinese characters."""
_JAPANESE_ONLY = re.compile("[\u3041-\u3096\u30a1-\u30fa]|株式会社|有限会社|合同会社|合資会社|(?<!團)法人|県")
"""Kana, legal forms and the sign for a prefecture: who writes one of them writes Japanese."""
_LONG_VOWEL = re.compile("oo|ou(?!e)|uu|-")
"""Names in Latin letters leave out how long a vowel is: `Kyoto`, `Chuo`; not `Inoue`."""
_local = threading.local()


def is_japanese(text: str) -> bool:
    """Whether a text in Chinese characters must be Japanese; others may be, or Chinese."""
    return _JAPANESE_ONLY.search(text) is not None


def romanised(text: str) -> str:
    """The text with its kana in Latin letters: `スターライト` is `sutaraito`."""
    return _KANA.sub(_sound, text)


def read_out(text: str) -> str | None:
    """The text with its characters as they are read in Japanese; None where it has none, or one that is not used there."""
    found = {run: reading(run) for run in _CHARACTERS.findall(text)}
    if not found or None in found.values():
        return None
    return _CHARACTERS.sub(lambda run: f" {found[run.group()]} ", text)


@lru_cache(maxsize=16_384)
def reading(characters: str) -> str | None:
    """Chinese characters and kana as they are read, word by word; None where one is not known in Japan."""
    words = _tokenizer().tokenize(characters, SplitMode.C)
    if any(word.is_oov() and not _KANA.fullmatch(word.surface()) for word in words):
        return None
    return " ".join([romanised(word.reading_form()) for word in words])


def _tokenizer() -> Tokenizer:
    """One for each thread: it cannot be shared. The dictionary is mapped into memory and costs little."""
    if not hasattr(_local, "tokenizer"):
        _local.tokenizer = Dictionary(dict="small").tokenizer()
    found: Tokenizer = _local.tokenizer
    return found


def _sound(kana: re.Match[str]) -> str:
    sound: str = jaconv.kana2alphabet(jaconv.kata2hira(kana.group()))
    return _LONG_VOWEL.sub(lambda vowel: vowel.group()[0].replace("-", ""), sound)
