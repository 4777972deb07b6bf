"""Finds, for each field of a record to match, the slot of the master's schema that it is compared in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from app.matching.index_terms import Form
from app.matching.layout import MAIN_KINDS, Kind, Slot
from app.matching.prepare import normalised
from app.matching.roles import infer_roles
from app.matching.schema import Role
from app.matching.text import fold

_KINDS_OF_ROLE: dict[Role, tuple[Kind, ...]] = {
    Role.ORGANIZATION_NAME: (Kind.ORG, Kind.TITLE, Kind.PERSON, Kind.AFFILIATE),
    Role.DOMAIN: (Kind.HOST,),
    Role.EMAIL: (Kind.EMAIL, Kind.HOST),
    Role.PHONE: (Kind.PHONE,),
    Role.PERSON_NAME: (Kind.PERSON, Kind.GIVEN, Kind.FAMILY, Kind.ORG, Kind.TITLE),
    Role.GIVEN_NAME: (Kind.GIVEN, Kind.PERSON),
    Role.FAMILY_NAME: (Kind.FAMILY, Kind.PERSON),
    Role.ADDRESS: (Kind.ADDRESS,),
    Role.CITY: (Kind.CITY,),
    Role.REGION: (Kind.REGION,),
    Role.POSTAL_CODE: (Kind.POSTAL,),
    Role.COUNTRY: (Kind.COUNTRY,),
    Role.IDENTIFIER: (Kind.IDENTIFIER,),
    Role.DATE: (Kind.DATE,),
    Role.NUMBER: (Kind.NUMBER,),
    Role.TEXT: (Kind.TITLE, Kind.ORG, Kind.TEXT),
}
"""Where a field may go when no slot has its name: the first kind that the master has; e-mail goes to both of its kinds."""

_LOOSE_ROLES = frozenset({Role.TEXT, Role.PERSON_NAME})
"""A field of unknown meaning, or a person, is the name of a thing only where no other field of the record is: a lead's
job title, source or notes are no second name of its company."""
_ALL_KINDS = frozenset({Role.EMAIL})
_BY_NAME_ONLY = frozenset({Kind.AFFILIATE, Kind.TEXT, Kind.IDENTIFIER, Kind.DATE, Kind.NUMBER})
"""Slots of one field: another field of the same role may mean something else, so only a lone pair is paired by role."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """`slots` gives for every paired field the positions of its slots; `unused` the fields that pair with nothing."""

    slots: dict[str, tuple[int, ...]]
    unused: tuple[str, ...]


def pair_fields(
    record: Mapping[str, Any], slots: tuple[Slot, ...], field_map: Mapping[str, str] | None = None
) -> Pairing:
    """Pairs by `field_map`, then by name, then by role, those whose role fits best first; what none of them places is unused."""
    by_field, by_folded = _slots_by_field(slots)
    mapped = field_map or {}
    paired: dict[str, tuple[int, ...]] = {}
    roles: dict[str, Role] = {}
    for name, value in record.items():
        target = by_field.get(mapped[name]) if name in mapped else by_folded.get(_folded(name))
        if target:
            paired[name] = target
        elif name not in mapped:
            roles[name] = infer_roles({name: "string"}, {name: [value]})[name]
    for late in (False, True):
        taken = {i for found in paired.values() for i in found}
        for name, role in roles.items():
            if (role in _LOOSE_ROLES) is late and (found := _by_role(role, slots, taken)):
                paired[name] = found
    return Pairing(paired, tuple(name for name in record if name not in paired))


@lru_cache(maxsize=256)
def _slots_by_field(slots: tuple[Slot, ...]) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
    """The positions of each field's slots, by its name and by its folded name."""
    by_field = {
        name: tuple(i for i, slot in enumerate(slots) if name in slot.fields) for slot in slots for name in slot.fields
    }
    return by_field, {_folded(name): found for name, found in by_field.items()}


@lru_cache(maxsize=4_096)
def _folded(name: str) -> str:
    return fold(name).replace(" ", "")


def _by_role(role: Role, slots: tuple[Slot, ...], taken: set[int]) -> tuple[int, ...]:
    """The slots of the first kind that the master has and the record leaves room for."""
    found: list[int] = []
    for kind in _KINDS_OF_ROLE[role]:
        places = [i for i, slot in enumerate(slots) if slot.kind is kind]
        if kind in _BY_NAME_ONLY:
            places = [i for i in places if i not in taken] if len(places) == 1 else []
        elif role in _LOOSE_ROLES and kind in MAIN_KINDS and not taken.isdisjoint(places):
            continue
        found += places
        if found and role not in _ALL_KINDS:
            break
    if role is Role.PERSON_NAME and found and slots[found[0]].kind is Kind.GIVEN:
        found += [i for i, slot in enumerate(slots) if slot.kind is Kind.FAMILY]
    return tuple(found)


def query_form(record: Mapping[str, Any], slots: tuple[Slot, ...], pairing: Pairing) -> Form:
    """The record's comparable form in the master's slots.

    A given and a family name that meet one person-name slot are joined; a full name that meets two is split.
    """
    values: list[list[str]] = [[] for _ in slots]
    parts: dict[int, list[str]] = {}
    for name, positions in pairing.slots.items():
        value = record[name]
        if value is None or value == "":
            continue
        text = value if isinstance(value, str) else str(value)
        split = _split_person(text) if len(positions) > 1 and slots[positions[0]].kind is Kind.GIVEN else None
        for i in positions:
            slot = slots[i]
            if slot.kind is Kind.PERSON and name not in slot.fields and _is_part(name):
                parts.setdefault(i, []).append(text)
                continue
            part = text if split is None else split[0 if slot.kind is Kind.GIVEN else 1]
            _append(values[i], normalised(slot.kind, part))
    for i, texts in parts.items():
        _append(values[i], normalised(slots[i].kind, " ".join(texts)))
    return [found or None for found in values]


def _append(values: list[str], new: list[str]) -> None:
    values += [value for value in new if value not in values]


def _is_part(name: str) -> bool:
    return infer_roles({name: "string"})[name] in (Role.GIVEN_NAME, Role.FAMILY_NAME)


def _split_person(text: str) -> tuple[str, str]:
    """Given and family part of a full name; `Family, Given` is turned round."""
    family, comma, given = text.partition(",")
    if comma:
        return given.strip(), family.strip()
    words = text.split()
    return " ".join(words[:-1]), words[-1] if words else ""
