"""Addresses with the words for streets, directions and parts of buildings in one spelling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files

import yaml

from app.matching.organisations import canonical_tokens
from app.matching.phrases import Phrases
from app.matching.text import fold

_STREET_IN_SHORT, _STREET = "str", "strasse"
_LEAST_CHARS = 6
"""Of a German street's name in one word: `hauptstr` is `hauptstrasse`, `astr` is no street."""


@cache
def _variants() -> Phrases[tuple[str, ...]]:
    table = yaml.safe_load((files("app.matching.data") / "address_words.yaml").read_text("utf-8"))
    return Phrases(
        {
            tuple(str(variant).split()): tuple(str(form).split())
            for form, variants in table.items()
            for variant in variants
        }
    )


def address(text: str) -> str:
    """`12 N. Main St, Apt. 4` is `12 north main street apartment 4`."""
    return " ".join(canonical_tokens(list(_spelt_out(fold(text).split()))))


def _spelt_out(tokens: Sequence[str]) -> Iterator[str]:
    variants = _variants()
    at = 0
    while at < len(tokens):
        word = tokens[at]
        known, form = next(variants.at(tokens, at), (0, ()))
        if known:
            yield from form
        elif word == "st":
            yield "street" if at and not tokens[at - 1].isdigit() else "saint"
        elif word.endswith(_STREET_IN_SHORT) and len(word) >= _LEAST_CHARS:
            yield word.removesuffix(_STREET_IN_SHORT) + _STREET
        else:
            yield word
        at += known or 1
