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
    "gmbh ggmbh mbh llc llp lllp pllc incorporated ltd ltda pvt pty pte bvba cvba sprl sarl eurl srl sasu kft zrt nyrt sro spzoo "
    "oyj kgaa ohg vof vzw eood ood ehf bhd tbk jsc ojsc cjsc pjsc aktiengesellschaft aktiebolag ltee eireli unipessoal".split()
)
"""Forms of one word that hardly any name has as another word: they are known inside it too."""
_NOT_INSIDE = frozenset({("public", "company"), ("and", "co"), ("est",), ("cia",)}) | _ONLY_AT_END
"""Forms that are other words inside a name: `Public Company Accounting Oversight Board`, `Security and Co-operation`."""
_OF_COMPANIES = frozenset({"limited", "stock", "partnership", "company"})
_LEAST_SPELT_CHARS = 5
"""Of a form of three words and more, that single letters are none by chance: `sa de cv`, `sp z oo`."""
_OFTEN_MISSPELT = (
    "limited company corporation incorporated private public partnership proprietary gesellschaft aktiengesellschaft limitada "
    "aktiebolag".split()
)


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
    several = {form for form in forms if _is_written_out(form)} - _ONLY_AT_END
    return Phrases({form: forms.get(form, NO_FORM) for form in (*several, *_LEADING_FORMS)})


def _is_written_out(form: tuple[str, ...]) -> bool:
    return len(form) > 1 and max(map(len, form)) > 2


@cache
def _inside() -> Phrases[LegalForm]:
    """Companies' forms that are known between other words of a name: `Supply LLC Mark`, `Robert Bosch GmbH Stuttgart`."""
    return Phrases({form: legal for form, legal in _of_companies().items() if _is_known_inside(form)})


def _is_known_inside(form: tuple[str, ...]) -> bool:
    if len(form) == 1:
        return form[0] in _UNMISTAKABLE
    return _is_written_out(form) or (len(form) > 2 and sum(map(len, form)) >= _LEAST_SPELT_CHARS)


@cache
def _of_one_word() -> Mapping[str, LegalForm]:
    """Companies' forms that may be another word inside a name: `AG`, `S.p.A.`, `Co`."""
    forms = ((form[0], legal) for form, legal in _of_companies().items() if len(form) == 1)
    return {form: legal for form, legal in forms if form not in _UNMISTAKABLE}


def company_forms() -> frozenset[str]:
    """Companies' forms of one word, of three letters and more."""
    return frozenset(form[0] for form in _of_companies() if len(form) == 1 and len(form[0]) > 2)


@cache
def _of_companies() -> dict[tuple[str, ...], LegalForm]:
    known = _legal_forms().items()
    return {form: legal for form, legal in known if legal.kind in _OF_COMPANIES and form not in _NOT_INSIDE}


@cache
def _inner_words() -> frozenset[str]:
    """The words that a form between others begins with."""
    return frozenset(form[0] for form in _of_companies())


def without_inner_forms(tokens: list[str], text: str) -> tuple[list[str], LegalForm]:
    """The words without the forms that stand between them, and the first of these; `text` is what they were read from.

    A form that may be another word must be set apart in the text, by its dots or by what follows it; only the last one is cut.
    """
    if _inner_words().isdisjoint(tokens[1:]):
        return tokens, NO_FORM
    inside, short = _inside(), _set_apart(_of_one_word().keys() & tokens[1:-1], text)
    last = {token: at for at, token in enumerate(tokens[:-1]) if token in short}
    kept, found, at = tokens[:1], NO_FORM, 1
    while at < len(tokens):
        length, form = next(inside.at(tokens, at), (0, NO_FORM))
        if not length and last.get(tokens[at]) == at:
            length, form = 1, _of_one_word()[tokens[at]]
        if length:
            kept, found = without_and(kept), found if found.kind else form
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
    """Two letters with dots are a person's initials as often (`A.S. Pushkin`), between commas a state (`Boulder, CO, USA`)."""
    dotted, apart = r"\.\s?".join(form) + r"\.", r"(?=\s*[,;(/\[]|\s+[-–])"
    if len(form) == 2:
        return rf"(?<![\w.])(?:{dotted}|(?<!,\s)(?<!,){form}){apart}"
    return rf"(?<![\w.])(?:{dotted}|{form}\.?{apart})"


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
    """The word of a form that a word no register knows may be a misspelling of, its first and last letter right: `limitwd`."""
    meant = None if is_known(word) else _form_words().meant(word)
    return meant if meant and (meant[0], meant[-1]) == (word[0], word[-1]) else None


@cache
def _form_words() -> Misspellings:
    return Misspellings(_OFTEN_MISSPELT)


def _are_initials(tokens: list[str]) -> bool:
    """`A K S` is no A with a form: its letters are all that the name has."""
    return max(map(len, tokens)) == 1


def without_and(tokens: list[str]) -> list[str]:
    """A name that lost its form must not end with the word that joined them: `Carnival Corporation & plc`."""
    return tokens[:-1] if len(tokens) > 1 and tokens[-1] == "and" else tokens
