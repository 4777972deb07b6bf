"""Infers the role of each field from its name and, where values are at hand, from what they look like."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files

import yaml

from app.matching.dates import date
from app.matching.organisations import organisation_name
from app.matching.schema import Role
from app.matching.text import fold
from app.matching.values import host

_BY_NAME: tuple[tuple[Role, str], ...] = (
    (Role.EMAIL, r"e ?mails?|mail|mail address|email address|.* email|email .*"),
    (
        Role.DOMAIN,
        r"domains?|web ?sites?|urls?|home ?pages?|hosts?|web|www|.* (domain|website|url)|(domain|website) .*|web address",
    ),
    (
        Role.PHONE,
        r"(tele)?phones?( no| number)?|tel|mobile|fax|cell|.* (phone|mobile|fax)|phone .*|telephone .*",
    ),
    (
        Role.POSTAL_CODE,
        r"zip( ?code)?|post ?code|postal( code)?|plz|cep|cap|.* (zip|postcode|postal code|zip code)|(zip|postcode|postal code) .*",
    ),
    (Role.COUNTRY, r"country( code| name| iso.*)?|nation|land|pais|.* country|country .*"),
    (
        Role.REGION,
        r"state( code| name)?|regions?|province|county|bundesland|canton|prefecture|.* (state|region|province)",
    ),
    (
        Role.CITY,
        r"city( name)?|town|suburb|locality|municipality|ort|stadt|ville|ciudad|.* (city|town)|birth ?place|place of birth|place",
    ),
    (
        Role.GIVEN_NAME,
        r"(first|given|fore) ?names?|fname( .*)?|first|contact first( name)?|vorname|prenom|middle ?names?|.* first ?name",
    ),
    (
        Role.FAMILY_NAME,
        r"(last|family|sur) ?names?|lname( .*)?|last|contact last( name)?|nachname|nom de famille|.* last ?name|maiden ?name",
    ),
    (
        Role.PERSON_NAME,
        r"full ?name|person( name)?|contact( name)?|first and surname|owner( name)?|customer name|employee( name)?|patient( name)?|authors?( names?)?|inventor|people",
    ),
    (
        Role.ORGANIZATION_NAME,
        r"(company|organi[sz]ation|organisation|account|org|business|firm|vendor|supplier|employer|institution|legal|corporate|affiliation|university|manufacturer|brand|brewery|publisher|applicant|agency|trading|entity|client|merchant|brew factory|hospital|school)( name)?s?|dba|doing business as|name",
    ),
    (
        Role.DATE,
        r"dob|date( of birth)?|birth ?da(te|y)|born|.* (date|at|on)|date .*|established|founded|incorporated|death ?date|year of birth",
    ),
    (
        Role.ADDRESS,
        r"addr(ess)?( .*)?|street( .*)?|road|.* (address|street|addr)|line 1|strasse|house ?(no|number)",
    ),
    (
        Role.IDENTIFIER,
        r"(soc sec|social security|ssn|tax|vat|lei|duns|isin|ein|siren|siret|isbn|issn|sku|upc|ean|gtin|orcid|ror|registration|company|national|passport|license|licence|model)( ?(id|no|nr|number|code))?|ids?|.* (id|key|uuid|guid)|vatid|uid|soc sec id|key|code|model(no)?",
    ),
    (
        Role.NUMBER,
        r"price|amount|cost|abv|volume|issue|lat(itude)?|lng|lon(gitude)?|revenue|employees|year|by|bm|bd|age|number|count|size|weight",
    ),
)
_NAME_RULES = tuple((role, re.compile(pattern)) for role, pattern in _BY_NAME)

_NAME = "name"
"""In `field_names.yaml`: what can be the name of anything; beside the other half of a person's name it is one half."""
_WHOSE = frozenset(
    "billing shipping mailing delivery invoice main primary secondary business company work home office hq headquarters registered "
    "legal personal private contact account customer client vendor supplier lead person organisation organization org corporate "
    "current physical postal local other direct alternate default parent".split()
)
"""Words in front of a field's name that say whose it is."""
_FIRST_OF_TWO = re.compile(r"^([^/|(]*\w[^/|(]*)[/|(]")
"""`Company / Account`, `First name (contact)`: what stands first says what it is."""
_OF_ANYONE = frozenset(
    {
        *(Role.EMAIL, Role.PHONE, Role.DOMAIN, Role.ADDRESS, Role.CITY, Role.REGION, Role.POSTAL_CODE, Role.COUNTRY),
        *(Role.GIVEN_NAME, Role.FAMILY_NAME),
    }
)
"""Roles of fields whose names such a word may precede."""
_EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
_HOST = re.compile(r"^(https?://|www\.)?([a-z0-9-]+\.)+[a-z]{2,}(/\S*)?$", re.IGNORECASE)
_PHONE = re.compile(r"^[+(]?[\d][\d\s()/.+-]{6,18}$")
_SEPARATED = re.compile(r"[\s()/.+-]")
_LONG_TEXT_WORDS = 9
_ENOUGH = 0.8
"""Share of the sampled values that must look like a role for the values to decide."""
_ENOUGH_FORMS = 0.3
"""Share of a customer's or owner's names that end with a legal form where most are companies."""
_NO_FORMS = ("company", "association", "trust", "shares", "status")
"""Classes of endings that people's names may have by chance."""


def infer_roles(types: Mapping[str, str], samples: Mapping[str, Sequence[object]] | None = None) -> dict[str, Role]:
    """A role for every field of `types` (name -> stored type), in order.

    `samples` gives some non-empty values a field; a column of hosts is a domain whatever its name is.
    """
    return _halves_of_names(
        {
            name: _infer(name, kind, [str(value) for value in (samples or {}).get(name, ()) if value not in (None, "")])
            for name, kind in types.items()
        }
    )


def _halves_of_names(roles: dict[str, Role]) -> dict[str, Role]:
    """`nom` beside `prénom` is the family name, `nombre` beside `apellidos` the given one."""
    found = set(roles.values())
    if (Role.GIVEN_NAME in found) is (Role.FAMILY_NAME in found):
        return roles
    other = Role.FAMILY_NAME if Role.GIVEN_NAME in found else Role.GIVEN_NAME
    names = _names_of_fields()
    return {name: other if names.get(_words(name).replace(" ", "")) == _NAME else role for name, role in roles.items()}


def _infer(name: str, kind: str, values: list[str]) -> Role:
    named = _role_by_name(name)
    if values and kind == "string":
        return _role_by_values(named, values)
    if named is not None:
        return named
    return {"timestamp": Role.DATE, "string": Role.TEXT}.get(kind, Role.NUMBER)


@lru_cache(maxsize=4_096)
def _role_by_name(name: str) -> Role | None:
    words = _words(name)
    role = _role_called(words) or _role_of_anyone(words)
    if role is None:
        first = _FIRST_OF_TWO.match(name)
        return _role_by_name(first[1]) if first else None
    return role


def _role_of_anyone(words: str) -> Role | None:
    """The role of what follows a word that says whose it is: `billing street`."""
    while words.partition(" ")[0] in _WHOSE:
        words = words.partition(" ")[2]
        role = _role_called(words)
        if role is not None:
            return role if role in _OF_ANYONE else None
    return None


def _words(name: str) -> str:
    return fold(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name))


def _role_called(words: str) -> Role | None:
    return _role_of(words) or _role_of(words.rstrip("0123456789 "))


def _role_of(words: str) -> Role | None:
    for role, pattern in _NAME_RULES:
        if pattern.fullmatch(words):
            return role
    called = _names_of_fields().get(words.replace(" ", ""))
    return Role.ORGANIZATION_NAME if called == _NAME else Role(called) if called else None


@cache
def _names_of_fields() -> dict[str, str]:
    """Folded name of a field, without spaces -> its role, or `name`; the first role that lists a name has it."""
    table = yaml.safe_load((files("app.matching.data") / "field_names.yaml").read_text("utf-8"))
    found: dict[str, str] = {}
    for role, names in table.items():
        for name in names:
            found.setdefault(fold(name).replace(" ", ""), role)
    return found


def _share(values: list[str], test: Callable[[str], object]) -> float:
    return sum(bool(test(value)) for value in values) / len(values)


def _role_by_values(named: Role | None, values: list[str]) -> Role:
    if _share(values, _EMAIL.match) >= _ENOUGH:
        return Role.EMAIL
    if _share(values, lambda value: _HOST.match(value.strip()) and host(value)) >= _ENOUGH:
        return Role.DOMAIN
    if named in (None, Role.NUMBER, Role.IDENTIFIER) and _share(values, _is_written_phone) >= _ENOUGH:
        return Role.PHONE
    if named is None:
        return _role_of_unnamed(values)
    if named is Role.DATE and _share(values, date) < 0.5:
        return Role.TEXT
    if named is Role.PERSON_NAME and _share(values, _has_legal_form) >= _ENOUGH_FORMS:
        return Role.ORGANIZATION_NAME
    return named


def _has_legal_form(value: str) -> bool:
    return organisation_name(value).legal.kind not in ("", *_NO_FORMS)


def _is_written_phone(value: str) -> bool:
    value = value.strip()
    return bool(_PHONE.match(value)) and len(_SEPARATED.findall(value)) >= 2 and not date(value)


def _role_of_unnamed(values: list[str]) -> Role:
    if _share(values, lambda value: re.fullmatch(r"\d{4}-\d{2}-\d{2}.*", value)) >= _ENOUGH:
        return Role.DATE
    if _share(values, lambda value: re.fullmatch(r"[-+]?[\d.,]+\s?%?", value.strip())) >= _ENOUGH:
        return Role.NUMBER
    coded = _share(values, lambda value: " " not in value.strip() and any(c.isdigit() for c in value))
    distinct = len(set(values)) / len(values)
    return Role.IDENTIFIER if coded >= _ENOUGH and distinct >= 0.9 else Role.TEXT


def is_long_text(values: Sequence[str]) -> bool:
    """Whether values are free strings (descriptions, raw affiliations) rather than names."""
    return bool(values) and sum(len(value.split()) for value in values) / len(values) >= _LONG_TEXT_WORDS
