"""Turns a record into what the index stores and what comparison reads; the same code for master records and queries.

A comparable form is a list with one entry a slot: None when the record has no value there, else a list of strings in the
slot's own notation: `tokens|legal class:form|acronyms` for organisations, with `|countries` behind where the script tells some,
`domain|label|other words` for hosts, plain values elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from app.matching import values
from app.matching.addresses import address
from app.matching.countries import country
from app.matching.dates import date
from app.matching.index_terms import Form, countable, index_terms
from app.matching.layout import Kind, Slot, slots_of
from app.matching.organisations import canonical_tokens, names_in, organisation_name
from app.matching.people import people_named, person_name
from app.matching.schema import MatchSchema
from app.matching.scripts import countries_writing
from app.matching.text import fold
from app.matching.translations import readings, spell_out

NORMALISER_VERSION = "13"
"""Changes with every change of the forms or index fields; a bundle of another version must be built again."""

_WHOLE_VERSION = re.compile(r"(?<![\d.])(\d+)\.0(?![\d.])")
"""`Photoshop 3.0` is `Photoshop 3`."""

_PLACE_KIND = re.compile("(?<=[\u4e00-\u9fff]{2})(?<!日)[県縣市府都区區町村郡省]$")
"""The last sign of a place in Chinese characters says that it is a city, a prefecture, …; `四日市` is a name."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A master record, ready for the index.

    `document` holds the engine's fields (name, joined, acronym, text, place, country, ids: strings or lists of strings);
    `form` is the comparable form, opaque bytes for the record store; `terms` are the hashed keys to count for
    `TermFrequencies`.
    """

    document: dict[str, Any]
    form: bytes
    terms: set[int]


def _organisation(text: str) -> str:
    name = organisation_name(text)
    if not name.tokens:
        return ""
    written_in = countries_writing(text)
    form = f"{' '.join(name.tokens)}|{name.legal}|{' '.join(name.acronyms)}"
    return f"{form}|{' '.join(written_in)}" if written_in else form


def _host(text: str) -> str:
    found = values.host(text)
    if found is None or found.domain in values.free_mail_domains():
        return ""
    return f"{found.domain}|{found.label}|{' '.join(found.parts)}"


def _title(text: str) -> str:
    return fold(_WHOLE_VERSION.sub(r"\1", text))


@lru_cache(maxsize=65_536)
def _place(text: str) -> str:
    """A city or region in one spelling: `München` is `munich`, `St. Louis` is `saint louis`."""
    return " ".join(canonical_tokens(fold(spell_out(text)).split()))


def _postal(text: str) -> str:
    return values.postal_code(text)


def _places_named(text: str) -> list[str]:
    return readings(_PLACE_KIND.sub("", text))


_NAMES_IN: dict[Kind, Callable[[str], list[str]]] = {
    Kind.ORG: names_in,
    Kind.AFFILIATE: names_in,
    Kind.PERSON: people_named,
    Kind.CITY: _places_named,
    Kind.REGION: _places_named,
}
"""What finds the names that one value gives, or may be read as."""

NORMALISERS: dict[Kind, Callable[[str], str]] = {
    Kind.ORG: _organisation,
    Kind.AFFILIATE: _organisation,
    Kind.TITLE: _title,
    Kind.TEXT: fold,
    Kind.PERSON: person_name,
    Kind.GIVEN: person_name,
    Kind.FAMILY: person_name,
    Kind.ADDRESS: address,
    Kind.CITY: _place,
    Kind.REGION: _place,
    Kind.POSTAL: _postal,
    Kind.COUNTRY: country,
    Kind.HOST: _host,
    Kind.EMAIL: values.email,
    Kind.PHONE: values.phone,
    Kind.IDENTIFIER: values.identifier,
    Kind.DATE: date,
    Kind.NUMBER: values.number,
}


def normalised(kind: Kind, text: str) -> list[str]:
    """The normal forms of a value that is not empty: one, or none, or several where it gives several names or readings."""
    normalise, find_names = NORMALISERS[kind], _NAMES_IN.get(kind)
    names = find_names(text) if find_names else ()
    if len(names) > 1:
        return list(filter(None, dict.fromkeys(map(normalise, names))))
    found = normalise(names[0] if names else text)
    return [found] if found else []


def normalise_slot(slot: Slot, record: Mapping[str, Any]) -> list[str] | None:
    """The slot's normalised values in field order, without repeats; None when there are none."""
    found: list[str] = []
    for name in slot.fields:
        value = record.get(name)
        if value is None or value == "":
            continue
        for text in normalised(slot.kind, value if isinstance(value, str) else str(value)):
            if text not in found:
                found.append(text)
    return found or None


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
            "joined": [*terms.joined, *terms.less_one],
            "acronym": terms.acronym,
            "text": " ".join(terms.text),
            "place": " ".join(terms.place),
            "country": terms.country,
            "ids": terms.ids,
        }
        return Prepared(
            {name: value for name, value in document.items() if value}, orjson.dumps(form), countable(terms)
        )
