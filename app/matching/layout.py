"""Groups a schema's fields into slots: what is compared together, and how.

A slot may hold several values of a record (a name and its aliases, two phone numbers); the best pair of values counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from app.matching.schema import FieldSpec, MatchSchema, Role
from app.matching.text import fold


class Kind(StrEnum):
    """How a slot is compared; weights are kept by kind."""

    ORG = "org"
    AFFILIATE = "affiliate"
    TITLE = "title"
    TEXT = "text"
    PERSON = "person"
    GIVEN = "given"
    FAMILY = "family"
    ADDRESS = "address"
    CITY = "city"
    REGION = "region"
    POSTAL = "postal"
    COUNTRY = "country"
    HOST = "host"
    EMAIL = "email"
    PHONE = "phone"
    IDENTIFIER = "identifier"
    DATE = "date"
    NUMBER = "number"


BAG_KINDS = frozenset(
    {Kind.ORG, Kind.AFFILIATE, Kind.TITLE, Kind.TEXT, Kind.PERSON, Kind.GIVEN, Kind.FAMILY, Kind.ADDRESS}
)
"""Compared token by token; all others value by value."""

MAIN_KINDS = frozenset({Kind.ORG, Kind.TITLE})
"""What a thing is called: an organisation, a product, a publication."""

PERSON_KINDS = frozenset({Kind.PERSON, Kind.GIVEN, Kind.FAMILY})

NAME_KINDS = frozenset({Kind.ORG, Kind.TITLE, Kind.PERSON, Kind.GIVEN, Kind.FAMILY})
"""What goes into the index's `name` field."""


@dataclass(frozen=True, slots=True)
class Slot:
    kind: Kind
    fields: tuple[str, ...]


_ALIAS = re.compile(
    r".*\b(alias(es)?|aka|also|dba|doing|legal|trad(e|ing)|former|short|other|alt|alternative|native|english|local"
    r"|label|acronym|name ?\d)\b.*"
)
_TITLE = re.compile(r".*\b(title|name|product|item|subject)\b.*")
_PRODUCT = re.compile(r"price|description|abv|style|sku|model( ?no)?|brand|manufacturer|upc|isbn")

_MERGED: dict[Role, Kind] = {
    Role.PERSON_NAME: Kind.PERSON,
    Role.GIVEN_NAME: Kind.GIVEN,
    Role.FAMILY_NAME: Kind.FAMILY,
    Role.ADDRESS: Kind.ADDRESS,
    Role.CITY: Kind.CITY,
    Role.REGION: Kind.REGION,
    Role.POSTAL_CODE: Kind.POSTAL,
    Role.COUNTRY: Kind.COUNTRY,
    Role.EMAIL: Kind.EMAIL,
    Role.PHONE: Kind.PHONE,
}
_SINGLE: dict[Role, Kind] = {Role.IDENTIFIER: Kind.IDENTIFIER, Role.DATE: Kind.DATE, Role.NUMBER: Kind.NUMBER}


@lru_cache(maxsize=256)
def slots_of(schema: MatchSchema) -> tuple[Slot, ...]:
    """The slots of a schema: merged roles first come one slot each, the others one slot a field."""
    fields = schema.fields
    slots = [*_name_slots(fields)]
    for role, kind in _MERGED.items():
        _add(slots, kind, (field.name for field in fields if field.role is role))
    _add(slots, Kind.HOST, (field.name for field in fields if field.role in (Role.DOMAIN, Role.EMAIL)))
    slots += [Slot(_SINGLE[field.role], (field.name,)) for field in fields if field.role in _SINGLE]
    return tuple(slots)


def _add(slots: list[Slot], kind: Kind, names: Iterable[str]) -> None:
    found = tuple(names)
    if found:
        slots.append(Slot(kind, found))


def _name_slots(fields: tuple[FieldSpec, ...]) -> list[Slot]:
    """One main name (organisation or title) with its aliases; other organisations and texts stand on their own."""
    organisations = [field.name for field in fields if field.role is Role.ORGANIZATION_NAME]
    texts = [field.name for field in fields if field.role is Role.TEXT]
    persons = any(field.role in (Role.PERSON_NAME, Role.FAMILY_NAME) for field in fields)
    title = _title_field(fields, organisations, texts, persons)
    slots = [Slot(Kind.TITLE, (title,))] if title else []
    main = [] if title else [n for i, n in enumerate(organisations) if i == 0 or _ALIAS.fullmatch(fold(n))]
    if main:
        slots.append(Slot(Kind.ORG, tuple(main)))
    slots += [Slot(Kind.AFFILIATE, (name,)) for name in organisations if name not in main and name != title]
    slots += [Slot(Kind.TEXT, (name,)) for name in texts if name != title]
    return slots


def _title_field(
    fields: tuple[FieldSpec, ...], organisations: list[str], texts: list[str], persons: bool
) -> str | None:
    product = any(_PRODUCT.fullmatch(fold(field.name)) for field in fields)
    if product and "name" in (fold(name) for name in organisations):
        return next(name for name in organisations if fold(name) == "name")
    titled = [name for name in texts if _TITLE.fullmatch(fold(name))]
    if titled:
        return titled[0]
    return texts[0] if texts and not organisations and not persons else None
