"""Turns a record into what the index stores and what comparison reads; the same code for master records and queries.

A comparable form is a list with one entry a slot: None when the record has no value there, else a list of strings in the
slot's own notation: `tokens|legal class|acronyms` for organisations, `domain|label|other words` for hosts, plain values
elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson

from app.matching import values
from app.matching.frequencies import hash_term
from app.matching.layout import BAG_KINDS, NAME_KINDS, PERSON_KINDS, Kind, Slot, slots_of
from app.matching.organisations import canonical_tokens, organisation_name
from app.matching.schema import MatchSchema
from app.matching.text import STOP_WORDS, fold, trigrams
from app.matching.translations import spell_out

NORMALISER_VERSION = "4"
"""Changes with every change of the forms or index fields; a bundle of another version must be built again."""

Form = list[list[str] | None]

_PHONE_TAIL_DIGITS = 8
"""Numbers are retrieved by their last digits, so that a country code or trunk prefix does not matter."""
_WHOLE_VERSION = re.compile(r"(?<![\d.])(\d+)\.0(?![\d.])")
"""`Photoshop 3.0` is `Photoshop 3`."""
_MAX_INDEXED_TOKENS = 64
_MAX_JOINED_CHARS = 64


@dataclass(frozen=True, slots=True)
class Prepared:
    """A master record, ready for the index.

    `document` holds the engine's fields (name, joined, acronym, text, place, ids: strings or lists of strings);
    `form` is the comparable form, opaque bytes for the record store; `terms` are the hashed keys to count for
    `TermFrequencies`.
    """

    document: dict[str, Any]
    form: bytes
    terms: set[int]


def _organisation(text: str) -> str:
    name = organisation_name(text)
    return f"{' '.join(name.tokens)}|{name.legal_class}|{' '.join(name.acronyms)}" if name.tokens else ""


def _host(text: str) -> str:
    found = values.host(text)
    if found is None or found.domain in values.free_mail_domains():
        return ""
    return f"{found.domain}|{found.label}|{' '.join(found.parts)}"


def host_words(value: str) -> tuple[str, ...]:
    """The label of a host's form, then the words around it."""
    _, label, *parts = value.split("|")
    return (label, *" ".join(parts).split())


def _canonical(text: str) -> str:
    return " ".join(canonical_tokens(fold(text).split()))


def _title(text: str) -> str:
    return fold(_WHOLE_VERSION.sub(r"\1", text))


@lru_cache(maxsize=65_536)
def _place(text: str) -> str:
    """A city or region in one spelling: `München` is `munich`, `St. Louis` is `saint louis`."""
    return " ".join(canonical_tokens(fold(spell_out(text)).split()))


def _postal(text: str) -> str:
    return values.postal_code(text)


NORMALISERS: dict[Kind, Callable[[str], str]] = {
    Kind.ORG: _organisation,
    Kind.AFFILIATE: _organisation,
    Kind.TITLE: _title,
    Kind.TEXT: fold,
    Kind.PERSON: fold,
    Kind.GIVEN: fold,
    Kind.FAMILY: fold,
    Kind.ADDRESS: _canonical,
    Kind.CITY: _place,
    Kind.REGION: _place,
    Kind.POSTAL: _postal,
    Kind.COUNTRY: values.country,
    Kind.HOST: _host,
    Kind.EMAIL: values.email,
    Kind.PHONE: values.phone,
    Kind.IDENTIFIER: values.identifier,
    Kind.DATE: values.date,
    Kind.NUMBER: values.number,
}


def normalise_slot(slot: Slot, record: Mapping[str, Any]) -> list[str] | None:
    """The slot's normalised values in field order, without repeats; None when there are none."""
    normalise = NORMALISERS[slot.kind]
    found: list[str] = []
    for name in slot.fields:
        value = record.get(name)
        if value is None or value == "":
            continue
        text = normalise(value if isinstance(value, str) else str(value))
        if text and text not in found:
            found.append(text)
    return found or None


@dataclass(slots=True)
class IndexTerms:
    """The index's fields of one form, before they are joined to strings."""

    name: list[str] = field(default_factory=list)
    joined: list[str] = field(default_factory=list)
    acronym: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    place: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    """Those of `name` that are parts of persons' names; a query's may be nicknames."""
    counted: list[str] = field(default_factory=list)
    """Values that are counted but not indexed (city, country, region)."""


def index_terms(slots: tuple[Slot, ...], form: Form) -> IndexTerms:
    """What the index holds of a form; for a query, what may be asked of it."""
    terms = IndexTerms()
    for slot, found in zip(slots, form, strict=True):
        if found is None:
            continue
        for value in found:
            if slot.kind in BAG_KINDS:
                _add_bag(terms, slot.kind, value)
            else:
                _add_value(terms, slot, value)
    return terms


def joined_forms(tokens: list[str]) -> list[str]:
    """A name without its spaces, and its meaningful words in alphabetical order: `ghentuniversity`, `~ghentuniversity`."""
    content = sorted(token for token in tokens if token not in STOP_WORDS)
    return ["".join(tokens)[:_MAX_JOINED_CHARS], "~" + "".join(content)[:_MAX_JOINED_CHARS]]


def _add_bag(terms: IndexTerms, kind: Kind, value: str) -> None:
    text, _, rest = value.partition("|")
    tokens = text.split()[:_MAX_INDEXED_TOKENS]
    if kind in NAME_KINDS:
        terms.name += tokens
        if kind in PERSON_KINDS:
            terms.people += tokens
        if kind in (Kind.ORG, Kind.TITLE):
            terms.joined += joined_forms(tokens)
        terms.acronym += rest.partition("|")[2].split()
    elif kind is Kind.ADDRESS:
        terms.place += tokens
    else:
        terms.text += tokens


def _add_value(terms: IndexTerms, slot: Slot, value: str) -> None:
    kind = slot.kind
    if kind in (Kind.CITY, Kind.REGION):
        terms.place += value.split()
        terms.counted.append(f"{kind}:{value}")
    elif kind is Kind.POSTAL:
        terms.place.append(value.lower())
        terms.counted.append(f"postal:{value}")
    elif kind is Kind.COUNTRY:
        terms.counted.append(f"country:{value}")
    elif kind is Kind.HOST:
        terms.ids.append(f"host:{value.partition('|')[0]}")
        terms.ids += [f"label:{word}" for word in host_words(value)]
    elif kind is Kind.PHONE:
        terms.ids.append(f"phone:{value[-_PHONE_TAIL_DIGITS:]}")
    elif kind is Kind.NUMBER:
        terms.counted.append(f"number:{slot.fields[0]}:{value}")
    elif kind is Kind.IDENTIFIER:
        terms.ids.append(f"identifier:{value}")
    elif kind is Kind.DATE:
        terms.ids.append(f"date:{value}")
        if len(value) == 8:  # a mistake in one part leaves the others
            terms.ids += [f"month:{value[:6]}", f"anniversary:{value[4:]}", f"year_and_day:{value[:4]}{value[6:]}"]
    else:
        terms.ids.append(f"{kind}:{value}")


@lru_cache(maxsize=16_384)
def _countable_word(word: str) -> tuple[int, ...]:
    """The keys of one word of a name, hashed; words of names repeat."""
    return tuple(map(hash_term, (f"name:{word}", *(f"trigram:{gram}" for gram in trigrams(word)))))


def countable(terms: IndexTerms) -> set[int]:
    """The namespaced keys of `TermFrequencies` for one record, hashed."""
    keys = [f"joined:{value}" for value in terms.joined]
    keys += [f"acronym:{value}" for value in terms.acronym]
    keys += [f"text:{token}" for token in terms.text]
    keys += [f"place:{token}" for token in terms.place]
    keys += [f"ids:{value}" for value in terms.ids]
    keys += terms.counted
    return set(map(hash_term, keys)).union(*map(_countable_word, terms.name))


class RecordPreparer:
    """Prepares records of one schema; cheap to make, picklable, safe to share."""

    def __init__(self, schema: MatchSchema) -> None:
        self.schema = schema
        self.slots = slots_of(schema)

    def form(self, record: Mapping[str, Any]) -> Form:
        return [normalise_slot(slot, record) for slot in self.slots]

    def prepare(self, record: Mapping[str, Any]) -> Prepared:
        form = self.form(record)
        terms = index_terms(self.slots, form)
        document: dict[str, Any] = {
            "name": " ".join(terms.name),
            "joined": terms.joined,
            "acronym": terms.acronym,
            "text": " ".join(terms.text),
            "place": " ".join(terms.place),
            "ids": terms.ids,
        }
        return Prepared(
            {name: value for name, value in document.items() if value}, orjson.dumps(form), countable(terms)
        )
