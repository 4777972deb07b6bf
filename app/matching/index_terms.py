"""What the index holds of a comparable form, field by field, and which of it is counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from app.matching.frequencies import hashed
from app.matching.layout import Kind, Slot
from app.matching.text import STOP_WORDS, trigrams

Form = list[list[str] | None]
"""The comparable form of a record; `app.matching.prepare` tells its notation."""

_PHONE_TAIL_DIGITS = 8
"""Numbers are retrieved by their last digits, so that a country code or trunk prefix does not matter."""
_MAX_INDEXED_TOKENS = 64
_MAX_JOINED_CHARS = 64
_LEAST_WORDS_LEFT = 3
_MOST_WORDS = 12


@dataclass(slots=True)
class IndexTerms:
    """The index's fields of one form, before they are joined to strings."""

    name: list[str] = field(default_factory=list)
    joined: list[str] = field(default_factory=list)
    less_one: list[str] = field(default_factory=list)
    """The joined forms of what is left of a name without its first or its last word; indexed beside `joined`, never asked."""
    acronym: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    place: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    """Those of `name` that are parts of persons' names; a query's may be nicknames."""
    country: list[str] = field(default_factory=list)
    written_in: list[str] = field(default_factory=list)
    """Countries where names are written as this one is; asked, never indexed."""
    counted: list[str] = field(default_factory=list)
    """Values that are counted as a whole (city, country, region)."""


def index_terms(slots: tuple[Slot, ...], form: Form) -> IndexTerms:
    """What the index holds of a form; for a query, what may be asked of it."""
    terms = IndexTerms()
    for slot, found in zip(slots, form, strict=True):
        if found is None:
            continue
        for value in found:
            _ADD[slot.kind](terms, slot, value)
    return terms


def host_words(value: str) -> tuple[str, ...]:
    """The label of a host's form, then the words around it."""
    _, label, *parts = value.split("|")
    return (label, *" ".join(parts).split())


def written_in(value: str) -> list[str]:
    """Of an organisation's form the countries where names are written so."""
    return value.split("|")[3].split() if value.count("|") > 2 else []


def joined_forms(tokens: list[str]) -> list[str]:
    """A name without its spaces, and its meaningful words in alphabetical order: `ghentuniversity`, `~ghentuniversity`."""
    return ["".join(tokens)[:_MAX_JOINED_CHARS], words_in_order(tokens)]


def words_in_order(tokens: Sequence[str]) -> str:
    """The meaningful words in alphabetical order as one term."""
    return "~" + "".join(sorted([token for token in tokens if token not in STOP_WORDS]))[:_MAX_JOINED_CHARS]


def _less_one(tokens: list[str]) -> list[str]:
    """`Royal Institute of Technology` for `KTH Royal Institute of Technology`: common words, but few names hold them all."""
    if not _LEAST_WORDS_LEFT < len(tokens) <= _MOST_WORDS:
        return []
    rests = (tokens[1:], tokens[:-1])
    return [
        words_in_order(rest) for rest in rests if len(rest) - len(STOP_WORDS.intersection(rest)) >= _LEAST_WORDS_LEFT
    ]


def _words(value: str) -> list[str]:
    return value.partition("|")[0].split()[:_MAX_INDEXED_TOKENS]


def _add_title(terms: IndexTerms, slot: Slot, value: str) -> None:
    tokens = _words(value)
    terms.name += tokens
    terms.joined += joined_forms(tokens)
    terms.less_one += _less_one(tokens)


def _add_organisation(terms: IndexTerms, slot: Slot, value: str) -> None:
    _add_title(terms, slot, value)
    terms.acronym += value.split("|")[2].split()
    terms.written_in += written_in(value)


def _add_person(terms: IndexTerms, slot: Slot, value: str) -> None:
    tokens = _words(value)
    terms.name += tokens
    terms.people += tokens


def _add_text(terms: IndexTerms, slot: Slot, value: str) -> None:
    terms.text += _words(value)


def _add_address(terms: IndexTerms, slot: Slot, value: str) -> None:
    terms.place += _words(value)


def _add_place(terms: IndexTerms, slot: Slot, value: str) -> None:
    terms.place += value.split()
    _add_counted(terms, slot, value)


def _add_postal(terms: IndexTerms, slot: Slot, value: str) -> None:
    terms.place.append(value.lower())
    _add_counted(terms, slot, value)


def _add_country(terms: IndexTerms, slot: Slot, value: str) -> None:
    terms.country.append(value)
    _add_counted(terms, slot, value)


def _add_counted(terms: IndexTerms, slot: Slot, value: str) -> None:
    terms.counted.append(f"{slot.kind}:{value}")


def _add_number(terms: IndexTerms, slot: Slot, value: str) -> None:
    terms.counted.append(f"number:{slot.fields[0]}:{value}")


def _add_host(terms: IndexTerms, slot: Slot, value: str) -> None:
    terms.ids.append(f"host:{value.partition('|')[0]}")
    terms.ids += [f"label:{word}" for word in host_words(value)]


def _add_phone(terms: IndexTerms, slot: Slot, value: str) -> None:
    terms.ids.append(f"phone:{value[-_PHONE_TAIL_DIGITS:]}")


def _add_date(terms: IndexTerms, slot: Slot, value: str) -> None:
    terms.ids.append(f"date:{value}")
    if len(value) == 8:  # a mistake in one part leaves the others
        terms.ids += [f"month:{value[:6]}", f"anniversary:{value[4:]}", f"year_and_day:{value[:4]}{value[6:]}"]


def _add_identifier(terms: IndexTerms, slot: Slot, value: str) -> None:
    terms.ids.append(f"{slot.kind}:{value}")


_ADD: dict[Kind, Callable[[IndexTerms, Slot, str], None]] = {
    Kind.ORG: _add_organisation,
    Kind.TITLE: _add_title,
    Kind.AFFILIATE: _add_text,
    Kind.TEXT: _add_text,
    Kind.PERSON: _add_person,
    Kind.GIVEN: _add_person,
    Kind.FAMILY: _add_person,
    Kind.ADDRESS: _add_address,
    Kind.CITY: _add_place,
    Kind.REGION: _add_place,
    Kind.POSTAL: _add_postal,
    Kind.COUNTRY: _add_country,
    Kind.HOST: _add_host,
    Kind.EMAIL: _add_identifier,
    Kind.PHONE: _add_phone,
    Kind.IDENTIFIER: _add_identifier,
    Kind.DATE: _add_date,
    Kind.NUMBER: _add_number,
}
"""Adds one normalised value of a slot to what the index holds."""


@lru_cache(maxsize=16_384)
def _countable_word(word: str) -> tuple[int, ...]:
    """The keys of one word of a name, hashed; words of names repeat."""
    return tuple(hashed([f"name:{word}", *(f"trigram:{gram}" for gram in trigrams(word))]))


def countable(terms: IndexTerms) -> set[int]:
    """The namespaced keys of `TermFrequencies` for one record, hashed."""
    keys = [f"joined:{value}" for value in (*terms.joined, *terms.less_one)]
    keys += [f"acronym:{value}" for value in terms.acronym]
    keys += [f"text:{token}" for token in terms.text]
    keys += [f"place:{token}" for token in terms.place]
    keys += [f"ids:{value}" for value in terms.ids]
    keys += terms.counted
    return set(hashed(keys)).union(*map(_countable_word, terms.name))
