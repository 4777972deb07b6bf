"""Evidence between different slots: a host that spells the other side's name, a place named inside a name."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import chain, repeat

import numpy as np
import numpy.typing as npt

from app.matching.compare.bag import Bag
from app.matching.compare.columns import Columns, parse_bags
from app.matching.countries import country_in_text
from app.matching.frequencies import TermFrequencies
from app.matching.index_terms import Form, host_words, written_in
from app.matching.layout import Kind
from app.matching.rarity import value_bits

Floats = npt.NDArray[np.float64]

HINT_ALTERNATIVES = (
    ("host_spells_name", "host_begins_name", "host_spells_both_names", "host_begins_both_names"),
    ("name_spells_host", "name_begins_host", "both_names_spell_host", "both_names_begin_host"),
    ("host_beyond_name", "host_alone"),
    ("city_in_name", "city_missing_in_long_name"),
    ("country_in_name", "country_in_name_differs", "country_of_script", "country_of_other_script"),
)
"""Of each line one at most holds of a pair."""
HINT_FEATURES = tuple(name for either in HINT_ALTERNATIVES for name in either)
_AT = {name: i for i, name in enumerate(HINT_FEATURES)}
_LONG_NAME_TOKENS = 6
Values = list[str] | None
_LEAST_LABEL_CHARS = 3


def compare_hints(columns: Columns, frequencies: TermFrequencies) -> Floats:
    """Shape (rows, len(HINT_FEATURES)); zero wherever the slots themselves were compared and agree."""
    features = np.zeros((len(columns), len(HINT_FEATURES)))
    at = {slot.kind: i for i, slot in reversed(list(enumerate(columns.slots)))}
    name = next((at[kind] for kind in (Kind.ORG, Kind.TITLE) if kind in at), None)
    if name is None:
        return features
    for query, span in zip(columns.queries, columns.spans, strict=True):
        if Kind.HOST in at:
            _host_hints(features, query, columns, span, name, at[Kind.HOST])
        names = query[name]
        if names is None:
            continue
        text = " ".join(map(_words, names))
        if Kind.CITY in at and query[at[Kind.CITY]] is None:
            _city_hints(features, text, columns.values[at[Kind.CITY]], columns.values[name], span, frequencies)
        if Kind.COUNTRY in at and query[at[Kind.COUNTRY]] is None:
            _country_hints(features, text, names, columns.values[at[Kind.COUNTRY]], span, frequencies)
    return features


def _host_hints(features: Floats, query: Form, columns: Columns, span: range, name: int, host: int) -> None:
    """Notes hosts made from names; one made from its own side's name too says what the names have said already."""
    kind, owned, bags = columns.slots[name].kind, columns.values[host], columns.bags(name)
    same = tuple(f"{value.partition('|')[0]}|" for value in query[host] or ())
    asked = _Hosts([host_words(value) for value in query[host] or ()])
    named = _Names(parse_bags(kind, query[name]))
    from_own_name = _spelled(asked.hosts, named.bags) is not None
    shared = _AT["host_beyond_name" if named.bags else "host_alone"]
    labels = [] if from_own_name else [f"|{label}|" for label in asked.labels]
    for row in span:
        own = owned[row]
        if own and labels and any(map(" ".join(own).__contains__, labels)):
            features[row, shared] = 1.0
        if own and same and any(map(str.startswith, own, repeat(same))):
            continue
        names = list(filter(asked.may_spell, bags[row])) if asked.hosts else []
        if names:
            spelled = _spelled(asked.hosts, names)
            if spelled is not None:
                features[row, _AT[_HOST_HINTS[from_own_name, spelled]]] = 1.0
        hosts = list(map(host_words, filter(named.may_be, own))) if own and named.bags else []
        if hosts:
            spelled = _spelled(hosts, named.bags)
            if spelled is not None:
                both = _spelled(hosts, bags[row]) is not None
                features[row, _AT[_NAME_HINTS[both, spelled]]] = 1.0


_HOST_HINTS = {
    (False, True): "host_spells_name",
    (False, False): "host_begins_name",
    (True, True): "host_spells_both_names",
    (True, False): "host_begins_both_names",
}
"""Of the record's host, by whether it is made from the record's own name too, and whether it spells the candidate's."""
_NAME_HINTS = {
    (False, True): "name_spells_host",
    (False, False): "name_begins_host",
    (True, True): "both_names_spell_host",
    (True, False): "both_names_begin_host",
}
"""Of the candidate's host, by whether it is made from the candidate's own name too, and whether it spells the record's."""


class _Hosts:
    """The query's hosts, with what tells most names apart from them at once."""

    def __init__(self, hosts: list[tuple[str, ...]]) -> None:
        self.hosts = hosts
        self.labels = {host[0] for host in hosts}
        self._heads = tuple({label[:_LEAST_LABEL_CHARS] for label in self.labels})
        self._words = {word for host in hosts for word in host}

    def may_spell(self, name: Bag) -> bool:
        """Whether a name begins as one of the hosts does, or is or holds one of their words, or has it as acronym."""
        words = self._words
        if name.joined.startswith(self._heads) or name.joined in words or not words.isdisjoint(name.tokens):
            return True
        return any(word in name.acronyms for word in words)


class _Names:
    """The query's names, with what tells most hosts apart from them at once."""

    def __init__(self, bags: list[Bag]) -> None:
        self.bags = bags
        self._heads = {bag.joined[:_LEAST_LABEL_CHARS] for bag in bags}
        self._words = {word for bag in bags for word in (bag.joined, *bag.tokens, *bag.acronyms.split())}

    def may_be(self, host: str) -> bool:
        """Whether a host's form begins as one of the names does, or one of its words is one of theirs, or their acronym."""
        _, label, rest = host.split("|", 2)
        if label[:_LEAST_LABEL_CHARS] in self._heads or label in self._words:
            return True
        return bool(rest) and not self._words.isdisjoint(rest.split())


def _spelled(hosts: Sequence[tuple[str, ...]], names: Sequence[Bag]) -> bool | None:
    """True where a host spells a name or its acronym, False where a part of it does or one begins the other, else None."""
    begins = None
    for label, *parts in hosts:
        for name in names:
            if len(label) >= _LEAST_LABEL_CHARS:
                if label == name.joined or label == name.tokens[0] or name.is_called(label):
                    return True
                if _begins(label, name):
                    begins = False
            if parts:
                if len(name.tokens) > 1 and {label, *parts}.issuperset(name.tokens):
                    return True
                if name.joined in parts or any(name.is_called(part) for part in parts):
                    begins = False
    return begins


def _begins(label: str, name: Bag) -> bool:
    """Whether a label and a name begin alike, or the label is one of its longer words."""
    if name.joined.startswith(label) or (len(name.joined) > 3 and label.startswith(name.joined)):
        return True
    return len(label) > 3 and label in name.tokens


def _city_hints(
    features: Floats,
    text: str,
    cities: Sequence[Values],
    names: Sequence[Values],
    span: range,
    frequencies: TermFrequencies,
) -> None:
    padded = f" {text} "
    long = text.count(" ") + 1 >= _LONG_NAME_TOKENS
    for c in span:
        found = cities[c]
        if not found:
            continue
        within = [value for value in found if f" {value} " in padded]
        own = " ".join(map(_words, names[c] or ())) if within else ""
        inside = [value for value in within if f" {value} " not in f" {own} "]
        if inside:
            features[c, _AT["city_in_name"]] = value_bits("city", [f"city:{inside[0]}"], frequencies)[0] / 10.0
        elif long and not within:
            features[c, _AT["city_missing_in_long_name"]] = 1.0


def _country_hints(
    features: Floats,
    text: str,
    names: Sequence[str],
    countries: Sequence[Values],
    span: range,
    frequencies: TermFrequencies,
) -> None:
    """A name tells its country by a word, else by the script that it is written in."""
    named = country_in_text(text.split())
    told = frozenset([named] if named else chain(*map(written_in, names)))
    if not told:
        return
    if named:
        agrees, differs, says = "country_in_name", "country_in_name_differs", 1.0
    else:
        agrees, differs = "country_of_script", "country_of_other_script"
        says = _any_of("country", told, frequencies) / 10.0
    for c in span:
        owned = countries[c]
        if owned and told.isdisjoint(owned):
            features[c, _AT[differs]] = 1.0
        elif owned:
            features[c, _AT[agrees]] = says


def _any_of(kind: str, values: Collection[str], frequencies: TermFrequencies) -> float:
    """Information in bits of having one of several values."""
    bits = value_bits(kind, [f"{kind}:{value}" for value in values], frequencies)
    return max(0.0, -math.log2(sum(2.0**-said for said in bits)))


def _words(value: str) -> str:
    return value.partition("|")[0]
