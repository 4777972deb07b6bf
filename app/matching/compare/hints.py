"""Evidence between different slots: a host that spells the other side's name, a place named inside a name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from app.matching.compare.bags import Bag, parse_bag
from app.matching.compare.columns import Columns
from app.matching.frequencies import TermFrequencies
from app.matching.layout import Kind, Slot
from app.matching.prepare import Form, host_words
from app.matching.rarity import value_bits
from app.matching.values import country_in_text

Floats = npt.NDArray[np.float64]

HINT_FEATURES = (
    "host_spells_name",
    "host_begins_name",
    "name_spells_host",
    "name_begins_host",
    "city_in_name",
    "city_missing_in_long_name",
    "country_in_name",
    "country_in_name_differs",
)
_LONG_NAME_TOKENS = 6
Values = list[str] | None
_LEAST_LABEL_CHARS = 3


def compare_hints(slots: tuple[Slot, ...], query: Form, columns: Columns, frequencies: TermFrequencies) -> Floats:
    """Shape (candidates, len(HINT_FEATURES)); zero wherever the slots themselves were compared and agree."""
    features = np.zeros((len(columns.values[0]), len(HINT_FEATURES)))
    at = {slot.kind: i for i, slot in reversed(list(enumerate(slots)))}
    name = next((at[kind] for kind in (Kind.ORG, Kind.TITLE) if kind in at), None)
    if name is None:
        return features
    if Kind.HOST in at:
        _host_hints(features, query, columns, name, at[Kind.HOST])
    if query[name] is None:
        return features
    text = " ".join(value.partition("|")[0] for value in query[name] or ())
    if Kind.CITY in at and query[at[Kind.CITY]] is None:
        _city_hints(features, text, columns.values[at[Kind.CITY]], columns.values[name], frequencies)
    if Kind.COUNTRY in at and query[at[Kind.COUNTRY]] is None:
        _country_hints(features, text, columns.values[at[Kind.COUNTRY]])
    return features


def _host_hints(features: Floats, query: Form, columns: Columns, name: int, host: int) -> None:
    domains = _domains(query[host])
    owned = columns.values[host]
    words = _words(query[host])
    bags = columns.bags(name)
    names = [parse_bag(value) for value in query[name] or ()]
    for c, own in enumerate(owned):
        if own and any(value.partition("|")[0] in domains for value in own):
            continue
        if words:
            _note(features, c, 0, _spelled(words, bags[c]))
        if names and own:
            _note(features, c, 2, _spelled(_words(own), names))


def _note(features: Floats, candidate: int, first: int, spelled: bool | None) -> None:
    if spelled is not None:
        features[candidate, first if spelled else first + 1] = 1.0


def _domains(hosts: Sequence[str] | None) -> frozenset[str]:
    return frozenset(value.partition("|")[0] for value in hosts or ())


def _words(hosts: Sequence[str] | None) -> list[tuple[str, ...]]:
    return [host_words(value) for value in hosts or ()]


def _spelled(hosts: Sequence[tuple[str, ...]], names: Sequence[Bag]) -> bool | None:
    """True where a host spells a name or its acronym, False where a part of it does or one begins the other, else None."""
    begins = None
    for label, *parts in hosts:
        for tokens, joined, _, acronyms in names:
            if len(label) >= _LEAST_LABEL_CHARS:
                if label == joined or label in acronyms or label in tokens[:1]:
                    return True
                if (
                    joined.startswith(label)
                    or (len(joined) > 3 and label.startswith(joined))
                    or (len(label) > 3 and label in tokens)
                ):
                    begins = False
            if parts:
                if len(tokens) > 1 and {label, *parts}.issuperset(tokens):
                    return True
                if joined in parts or not acronyms.isdisjoint(parts):
                    begins = False
    return begins


def _city_hints(
    features: Floats, text: str, cities: Sequence[Values], names: Sequence[Values], frequencies: TermFrequencies
) -> None:
    padded = f" {text} "
    long = text.count(" ") + 1 >= _LONG_NAME_TOKENS
    for c, found in enumerate(cities):
        if not found:
            continue
        within = [value for value in found if f" {value} " in padded]
        own = " ".join(value.partition("|")[0] for value in names[c] or ()) if within else ""
        inside = [value for value in within if f" {value} " not in f" {own} "]
        if inside:
            features[c, 4] = float(value_bits("city", [f"city:{inside[0]}"], frequencies)[0]) / 10.0
        elif long and not within:
            features[c, 5] = 1.0


def _country_hints(features: Floats, text: str, countries: Sequence[Values]) -> None:
    named = country_in_text(text.split())
    for c, owned in enumerate(countries if named else ()):
        if owned:
            features[c, 6 if named in owned else 7] = 1.0
