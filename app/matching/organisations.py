"""Organisation names: the legal form set apart, common words in one spelling, the acronym made."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from app.matching.text import fold, initials

_MAX_FORM_WORDS = 5
_ROMAN = {
    "ii": "2",
    "iii": "3",
    "iv": "4",
    "vi": "6",
    "vii": "7",
    "viii": "8",
    "ix": "9",
    "xi": "11",
    "xii": "12",
}
_LEADING_FORMS = frozenset("pt ooo oao zao ao pao pjsc ojsc cjsc jsc too tov uab sia ou as gie".split())
"""Forms that stand before the name: `PT Astra`, `OOO Gazprom`, `UAB Maxima`."""


@dataclass(frozen=True, slots=True)
class OrganisationName:
    """A normalised name: its tokens without the legal form, the class of the form (or ""), and its acronym."""

    tokens: tuple[str, ...]
    legal_class: str
    acronym: str

    @property
    def joined(self) -> str:
        return "".join(self.tokens)


@cache
def _legal_forms() -> dict[tuple[str, ...], str]:
    table = yaml.safe_load((files("app.matching.data") / "legal_forms.yaml").read_text("utf-8"))
    return {tuple(str(form).split()): kind for kind, forms in table.items() for form in forms}


@cache
def word_forms() -> dict[str, str]:
    """Variant -> canonical form, for single words."""
    table = yaml.safe_load((files("app.matching.data") / "words.yaml").read_text("utf-8"))
    forms = {str(variant): canonical for canonical, variants in table.items() for variant in variants}
    return forms | _ROMAN


def split_legal_form(tokens: list[str]) -> tuple[list[str], str]:
    """Cuts legal forms from the end (and known ones from the front); never cuts the whole name away."""
    forms = _legal_forms()
    found = ""
    while len(tokens) > 1:
        for length in range(min(_MAX_FORM_WORDS, len(tokens) - 1), 0, -1):
            kind = forms.get(tuple(tokens[-length:]))
            if kind is not None:
                tokens, found = tokens[:-length], kind
                break
        else:
            break
    if len(tokens) > 1 and tokens[0] in _LEADING_FORMS:
        found = found or forms[(tokens[0],)]
        tokens = tokens[1:]
    return tokens, found


def canonical_tokens(tokens: list[str]) -> list[str]:
    forms = word_forms()
    return [forms.get(token, token) for token in tokens]


def organisation_name(text: str) -> OrganisationName:
    """Normalises a name; the tokens are empty only when the text holds no letter or digit."""
    words = fold(text).split()
    tokens, legal_class = split_legal_form(words)
    if tokens and tokens[0] == "the" and len(tokens) > 1:
        tokens = tokens[1:]
    while len(tokens) > 1 and tokens[-1] == "and":
        tokens = tokens[:-1]
    return OrganisationName(tuple(canonical_tokens(tokens)), legal_class, initials(tokens) if len(tokens) > 1 else "")
