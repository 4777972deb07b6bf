"""Legal forms of organisations: cut off, and told apart by class and by form."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import NamedTuple

import yaml

from app.matching.phrases import Phrases

_ONLY_AT_END = frozenset({("national", "association")})
"""Forms of several words that begin other names: `National Association of Realtors`."""
_LEADING_FORMS = [
    (form,)
    for form in (
        "pt ooo oao zao ao pao pjsc ojsc cjsc jsc too tov uab sia ou as gie "
        "llc osoo odo tdv prat vat zat nao ano fgup gup mup srl sarl eurl vof oy maatschap doo ctcp mchj"
    ).split()
]
"""Forms that stand before the name: `PT Astra`, `OOO Gazprom`, `UAB Maxima`."""


class LegalForm(NamedTuple):
    """`kind` is the class (`limited`), `name` the form in one of its spellings (`gmbh`); both are empty where there is none."""

    kind: str = ""
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.kind else ""


NO_FORM = LegalForm()


@cache
def _legal_forms() -> dict[tuple[str, ...], LegalForm]:
    named = {variant: name for name, variants in _table("legal_form_spellings.yaml") for variant in variants}
    return {
        tuple(form.split()): LegalForm(kind, named.get(form) or _short(form.split()))
        for kind, forms in _table("legal_forms.yaml")
        for form in forms
    }


def _table(name: str) -> list[tuple[str, list[str]]]:
    table = yaml.safe_load((files("app.matching.data") / name).read_text("utf-8"))
    return [(str(key), list(map(str, values))) for key, values in table.items()]


def _short(form: list[str]) -> str:
    """`s a` is `sa`, and so is `societe anonyme`."""
    return "".join([word[0] for word in form] if len(form) > 1 and max(map(len, form)) > 3 else form)


@cache
def _at_end() -> Phrases[LegalForm]:
    """Legal forms from their last word to their first."""
    return Phrases({form[::-1]: legal for form, legal in _legal_forms().items()})


@cache
def _in_front() -> Phrases[LegalForm]:
    """Legal forms that are written out in several words, and the short ones that stand in front."""
    forms = _legal_forms()
    several = {form for form in forms if len(form) > 1 and max(map(len, form)) > 2} - _ONLY_AT_END
    return Phrases({form: forms.get(form, NO_FORM) for form in (*several, *_LEADING_FORMS)})


def split_legal_form(tokens: list[str]) -> tuple[list[str], LegalForm]:
    """Cuts legal forms from the end (and known ones from the front); never cuts the whole name away."""
    at_end, found = _at_end(), NO_FORM
    while len(tokens) > 1:
        backwards = tokens[:0:-1]
        forms = (one for one in at_end.at(backwards, 0) if not _are_initials(tokens[-one[0] - 1 :]))
        length, form = next(forms, (0, NO_FORM))
        if not length:
            break
        tokens, found = without_and(tokens[:-length]), form
    if len(tokens) > 1:
        length, form = next(_in_front().at(tokens[:-1], 0), (0, NO_FORM))
        return tokens[length:], found if found.kind else form
    return tokens, found


def _are_initials(tokens: list[str]) -> bool:
    """`A K S` is no A with a form: its letters are all that the name has."""
    return max(map(len, tokens)) == 1


def without_and(tokens: list[str]) -> list[str]:
    """A name that lost its form must not end with the word that joined them: `Carnival Corporation & plc`."""
    return tokens[:-1] if len(tokens) > 1 and tokens[-1] == "and" else tokens
