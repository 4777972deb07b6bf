"""Legal forms of organisations: cut off, and told apart by class and by form."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

import yaml

from app.matching.misspellings import Misspellings
from app.matching.phrases import Phrases
from app.matching.rarity import is_known
from app.matching.text import MAX_CHARS, to_ascii

_ONLY_AT_END = frozenset({("national", "association")})
"""Forms of several words that begin other names: `National Association of Realtors`."""
_LEADING_FORMS = [
    (form,)
    for form in (
        "pt ooo oao zao ao pao pjsc ojsc cjsc jsc too tov uab sia ou as gie "
        "llc osoo odo tdv prat vat zat nao ano fgup gup mup srl sarl eurl vof oy maatschap doo ctcp mchj ltd gmbh"
    ).split()
]
"""Forms that stand before the name: `PT Astra`, `OOO Gazprom`, `UAB Maxima`."""
_UNMISTAKABLE = frozenset(
    "gmbh ggmbh mbh llc llp lllp pllc inc incorporated corp ltd ltda pvt pty pte plc bv bvba cvba nv sprl sarl eurl srl sasu "
    "kft zrt nyrt sro spzoo doo oyj aps kgaa gbr ohg vof vzw eood ood ehf bhd tbk jsc ojsc cjsc pjsc aktiengesellschaft "
    "aktiebolag ltee eireli unipessoal".split()
)
"""Forms of one word that are no other word of a name: they are known inside it too."""
_OF_COMPANIES = frozenset({"limited", "stock", "partnership", "company"})
_SHORT_FORM_CHARS = 7
_LEAST_MISSPELT_CHARS = 6


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
    return Phrases({form: forms.get(form, NO_FORM) for form in (*_of_several_words(), *_LEADING_FORMS)})


def _of_several_words() -> set[tuple[str, ...]]:
    """Forms that are written out, which are known wherever they stand."""
    return {form for form in _legal_forms() if len(form) > 1 and max(map(len, form)) > 2} - _ONLY_AT_END


@cache
def _inside() -> Phrases[LegalForm]:
    """Forms that are known between other words of a name: `Supply LLC Mark`, `Robert Bosch GmbH Stuttgart`."""
    forms = _legal_forms()
    return Phrases({form: forms[form] for form in (*_of_several_words(), *((form,) for form in _UNMISTAKABLE))})


@cache
def _short_forms() -> Mapping[str, LegalForm]:
    """Companies' forms of one short word that may be another word inside a name: `AG`, `S.p.A.`, `Co`."""
    forms = {
        form[0]: legal for form, legal in _legal_forms().items() if len(form) == 1 and len(form[0]) <= _SHORT_FORM_CHARS
    }
    return {form: legal for form, legal in forms.items() if legal.kind in _OF_COMPANIES and form not in _UNMISTAKABLE}


@cache
def _inner_words() -> frozenset[str]:
    """The words that a form between others begins with."""
    return frozenset(_short_forms()) | {form[0] for form in _of_several_words()} | _UNMISTAKABLE


def without_inner_forms(tokens: list[str], text: str) -> tuple[list[str], LegalForm]:
    """The words without the forms that stand between them, and the last of these; `text` is what they were read from.

    A short form that may be another word must be set apart in the text, by its dots or by what follows it.
    """
    if _inner_words().isdisjoint(tokens[1:]):
        return tokens, NO_FORM
    inside, short = _inside(), _set_apart(_short_forms().keys() & tokens[1:-1], text)
    kept, found, at = tokens[:1], NO_FORM, 1
    while at < len(tokens):
        length, form = next(inside.at(tokens, at), (0, NO_FORM))
        if tokens[at] in short and not length:
            length, form = 1, _short_forms()[tokens[at]]
        if length:
            kept, found = without_and(kept), form
        else:
            kept.append(tokens[at])
        at += length or 1
    return kept, found


def _set_apart(forms: Collection[str], text: str) -> set[str]:
    """Those that are known as forms by their dots (`S.p.A.`) or by what follows them (`AG,`, `AB (`)."""
    if not forms:
        return set()
    text = to_ascii(text[:MAX_CHARS])
    return {form for form in forms if re.search(_as_form(form), text, re.IGNORECASE)}


def _as_form(form: str) -> str:
    dotted, followed = r"\.\s?".join(form) + r"\.", rf"{form}\.?(?=\s*[,;(/\[]|\s+[-–])"
    return rf"(?<![\w.])(?:{dotted}|{followed})"


def split_legal_form(tokens: list[str]) -> tuple[list[str], LegalForm]:
    """Cuts legal forms from the end (and known ones from the front); never cuts the whole name away."""
    found = NO_FORM
    while len(tokens) > 1:
        length, form = _form_at_end(tokens)
        if not length:
            meant = _misspelt(tokens[-1])
            length, form = _form_at_end([*tokens[:-1], meant]) if meant else (0, NO_FORM)
        if not length:
            break
        tokens, found = without_and(tokens[:-length]), form
    if len(tokens) > 1:
        length, form = next(_in_front().at(tokens[:-1], 0), (0, NO_FORM))
        return tokens[length:], found if found.kind else form
    return tokens, found


def _form_at_end(tokens: list[str]) -> tuple[int, LegalForm]:
    """How many words it has, 0 where there is none."""
    forms = _at_end().at(tokens[:0:-1], 0)
    return next((one for one in forms if not _are_initials(tokens[-one[0] - 1 :])), (0, NO_FORM))


@lru_cache(maxsize=65_536)
def _misspelt(word: str) -> str | None:
    """The long word of a form that a word no register knows may be a misspelling of: `limitwd`, `corporaton`."""
    return None if len(word) < _LEAST_MISSPELT_CHARS or is_known(word) else _form_words().meant(word)


@cache
def _form_words() -> Misspellings:
    forms = (form for form, legal in _legal_forms().items() if legal.kind in _OF_COMPANIES)
    return Misspellings(word for form in forms for word in form if len(word) >= _LEAST_MISSPELT_CHARS)


def _are_initials(tokens: list[str]) -> bool:
    """`A K S` is no A with a form: its letters are all that the name has."""
    return max(map(len, tokens)) == 1


def without_and(tokens: list[str]) -> list[str]:
    """A name that lost its form must not end with the word that joined them: `Carnival Corporation & plc`."""
    return tokens[:-1] if len(tokens) > 1 and tokens[-1] == "and" else tokens
