"""Every reason code there is, with its label: the one place that names them; docs/reasons.md lists them for readers."""

from __future__ import annotations

from dataclasses import dataclass

from app.matching.layout import BAG_KINDS, Kind

SUBJECTS: dict[str, tuple[str, str]] = {
    "org": ("NAME", "name"),
    "affiliate": ("ORGANIZATION", "organisation"),
    "title": ("TITLE", "title"),
    "text": ("TEXT", "text"),
    "person": ("PERSON_NAME", "person name"),
    "given": ("GIVEN_NAME", "given name"),
    "family": ("FAMILY_NAME", "family name"),
    "address": ("ADDRESS", "address"),
    "city": ("CITY", "city"),
    "region": ("REGION", "region"),
    "postal": ("POSTAL_CODE", "postal code"),
    "country": ("COUNTRY", "country"),
    "host": ("DOMAIN", "domain"),
    "email": ("EMAIL", "e-mail address"),
    "phone": ("PHONE", "phone number"),
    "identifier": ("IDENTIFIER", "identifier"),
    "date": ("DATE", "date"),
    "number": ("NUMBER", "number"),
}
"""Kind of slot -> what its codes begin with, and what a person calls it."""

_WORD_LEVELS = ("EXACT", "ACRONYM", "SIMILAR", "DIFFERS")
_VALUE_LEVELS = ("EXACT", "CLOSE", "NEAR", "DIFFERS")
_LEVEL_LABELS = {
    "EXACT": "Same {}",
    "ACRONYM": "{} is the other's acronym",
    "SIMILAR": "Similar {}",
    "CLOSE": "Almost the same {}",
    "NEAR": "Somewhat similar {}",
    "DIFFERS": "Different {}",
}
_LEVEL_MEANINGS = {
    "EXACT": "equal once both are normalised",
    "ACRONYM": "one side is made of the first letters of the other",
    "SIMILAR": "most of what both say, by information, is shared or spelt alike",
    "CLOSE": "one slip apart, or one is a more precise form of the other",
    "NEAR": "partly the same",
    "DIFFERS": "compared, and not alike",
}

AMBIGUOUS = "AMBIGUOUS"
OTHER = "OTHER"
LEGAL_FORM_DIFFERS = "LEGAL_FORM_DIFFERS"
MARK_DIFFERS = "MARK_DIFFERS"
NAMED_COUNTRY_DIFFERS = "NAMED_COUNTRY_DIFFERS"
STANDING_ALWAYS = "STANDING_ALWAYS"
STANDING_NEVER = "STANDING_NEVER"


@dataclass(frozen=True, slots=True)
class ReasonCode:
    """A stable code, what a person reads on its chip, and what it stands for."""

    code: str
    label: str
    meaning: str


def _between_fields() -> dict[str, ReasonCode]:
    rows = (
        ("host_spells_name", "The record's domain spells the candidate's name", "domain label = name, acronym or word"),
        ("host_begins_name", "The record's domain resembles the candidate's name", "one begins the other"),
        ("name_spells_host", "The record's name spells the candidate's domain", "domain label = name, acronym or word"),
        ("name_begins_host", "The record's name resembles the candidate's domain", "one begins the other"),
        (
            "host_spells_both_names",
            "The record's domain spells both names",
            "it says little more than the names have said",
        ),
        (
            "host_begins_both_names",
            "The record's domain resembles both names",
            "it says little more than the names have said",
        ),
        (
            "both_names_spell_host",
            "Both names spell the candidate's domain",
            "it says little more than the names have said",
        ),
        (
            "both_names_begin_host",
            "Both names resemble the candidate's domain",
            "it says little more than the names have said",
        ),
        ("host_beyond_name", "The shared domain is not made from the name", "so it says more than the name has said"),
        ("host_alone", "The domain is shared, and the record has no name", "nothing of a name supports or opposes"),
        ("city_in_name", "The candidate's city stands in the record's name", "and not in the candidate's own name"),
        (
            "city_missing_in_long_name",
            "The candidate's city is not in the record's long name",
            "a long name without a city field usually holds its city",
        ),
        ("country_in_name", "The candidate's country stands in the record's name", "as a word or adjective"),
        ("country_in_name_differs", "The record's name holds another country", "than the candidate's"),
        (
            "country_of_script",
            "The record's name is written as in the candidate's country",
            "its script or letters; the record has no country",
        ),
        (
            "country_of_other_script",
            "The record's name is written as in other countries",
            "its script or letters; the record has no country",
        ),
    )
    return {name: ReasonCode(name.upper(), label, meaning) for name, label, meaning in rows}


BETWEEN_FIELDS = _between_fields()
"""Hint between two slots -> its code."""

SPECIAL = {
    code: ReasonCode(code, label, meaning)
    for code, label, meaning in (
        (LEGAL_FORM_DIFFERS, "Different legal form", "both names have one, `GmbH` and `B.V.`, or `GmbH` and `AG`"),
        (
            MARK_DIFFERS,
            "Another number, letter or code",
            "`Fund VIII` and `Fund IX`, `Facility E` and `Facility I`, two house numbers",
        ),
        (NAMED_COUNTRY_DIFFERS, "Both name a country, not the same", "`Bank of Chad` and `Bank of China`"),
        (AMBIGUOUS, "Other candidates fit as well or nearly as well", "the rivals' share of the odds"),
        (OTHER, "Small terms, summed up", "terms under 0.05 bits each"),
        (STANDING_ALWAYS, "Decided: always this record", "a standing decision outweighs all other evidence"),
        (STANDING_NEVER, "Decided: never this record", "a standing decision outweighs all other evidence"),
    )
}


def slot_code(kind: str, level: str) -> ReasonCode:
    """The code of a slot's level."""
    subject, noun = SUBJECTS[kind]
    label = _LEVEL_LABELS[level].format(noun)
    return ReasonCode(f"{subject}_{level}", label[0].upper() + label[1:], _LEVEL_MEANINGS[level])


def catalogue() -> tuple[ReasonCode, ...]:
    """All codes: of slots by kind and level, between slots, and all others."""
    slots = [
        slot_code(kind, level)
        for kind in SUBJECTS
        for level in (_WORD_LEVELS if Kind(kind) in BAG_KINDS else _VALUE_LEVELS)
    ]
    return (*slots, *BETWEEN_FIELDS.values(), *SPECIAL.values())
