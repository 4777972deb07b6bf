"""Evidence between different slots: a host that spells the other side's name, a place named inside a name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from app.matching.compare.bags import Bag, parse_bag
from app.matching.frequencies import TermFrequencies
from app.matching.layout import Kind, Slot
from app.matching.prepare import Form
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
_LEAST_LABEL_CHARS = 3


def compare_hints(
    slots: tuple[Slot, ...], query: Form, candidates: Sequence[Form], frequencies: TermFrequencies
) -> Floats:
    """Shape (candidates, len(HINT_FEATURES)); zero wherever the slots themselves were compared and agree."""
    features = np.zeros((len(candidates), len(HINT_FEATURES)))
    at = {slot.kind: i for i, slot in reversed(list(enumerate(slots)))}
    name = next((at[kind] for kind in (Kind.ORG, Kind.TITLE) if kind in at), None)
    if name is None:
        return features
    if Kind.HOST in at:
        _host_hints(features, query, candidates, name, at[Kind.HOST])
    if query[name] is not None and (Kind.CITY in at or Kind.COUNTRY in at):
        _place_hints(features, query, candidates, name, at.get(Kind.CITY), at.get(Kind.COUNTRY), frequencies)
    return features


def _host_hints(features: Floats, query: Form, candidates: Sequence[Form], name: int, host: int) -> None:
    hosts = query[host] or []
    labels = [value.partition("|")[2] for value in hosts]
    names = [parse_bag(value) for value in query[name] or ()]
    for c, form in enumerate(candidates):
        own = form[host] or []
        if hosts and own and not set(hosts).isdisjoint(own):
            continue
        if labels:
            features[c, :2] = _spells(labels, [parse_bag(value) for value in form[name] or ()])
        if names and own:
            features[c, 2:4] = _spells([value.partition("|")[2] for value in own], names)


def _spells(labels: Sequence[str], names: Sequence[Bag]) -> tuple[float, float]:
    """Whether a label is a name or its acronym; whether one begins the other."""
    begins = False
    for label in labels:
        if len(label) < _LEAST_LABEL_CHARS:
            continue
        for bag in names:
            joined = bag.joined
            if label in (joined, bag.acronym) or label in bag.tokens[:1]:
                return 1.0, 0.0
            begins = begins or joined.startswith(label) or (len(joined) > 3 and label.startswith(joined))
            begins = begins or (len(label) > 3 and label in bag.tokens)
    return 0.0, float(begins)


def _place_hints(
    features: Floats,
    query: Form,
    candidates: Sequence[Form],
    name: int,
    city: int | None,
    country: int | None,
    frequencies: TermFrequencies,
) -> None:
    text = " ".join(value.partition("|")[0] for value in query[name] or ())
    tokens = text.split()
    padded = f" {text} "
    named = country_in_text(tokens) if country is not None and query[country] is None else ""
    search_city = city is not None and query[city] is None
    for c, form in enumerate(candidates):
        found = form[city] if search_city and city is not None else None
        if found:
            own = " ".join(value.partition("|")[0] for value in form[name] or ())
            inside = [value for value in found if f" {value} " in padded and f" {value} " not in f" {own} "]
            if inside:
                features[c, 4] = float(value_bits("city", [f"city:{inside[0]}"], frequencies)[0]) / 10.0
            elif len(tokens) >= _LONG_NAME_TOKENS and not any(f" {value} " in padded for value in found):
                features[c, 5] = 1.0
        owned = form[country] if named and country is not None else None
        if owned:
            features[c, 6 if named in owned else 7] = 1.0
