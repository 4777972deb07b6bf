"""Chooses what to ask of the index for one record: the rarest terms of every channel, until they cost too much.

A term's postings are its cost and its rarity is its worth, so the document frequencies of the snapshot decide both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.matching.countries import country_in_text
from app.matching.frequencies import TermFrequencies
from app.matching.index_terms import IndexTerms, words_in_order
from app.matching.organisations import meant
from app.matching.people import nicknames
from app.matching.plan import PlannedTerm, RetrievalPlan
from app.matching.rarity import is_common
from app.matching.text import STOP_WORDS, trigrams


@dataclass(frozen=True, slots=True)
class RetrievalPolicy:
    """How far a plan may go; part of a profile."""

    budget_share: float = 0.2
    """Postings that a plan may read, as a share of the index's records."""
    budget_floor_postings: int = 60_000
    """A small index is cheap to read whole: the budget is never less."""
    tokens: int = 14
    trigrams: int = 16
    text_tokens: int = 10
    place_tokens: int = 5


@dataclass(slots=True)
class _Budget:
    left: int
    spent: int = 0

    def take(self, postings: int) -> bool:
        if postings > self.left:
            return False
        self.left -= postings
        self.spent += postings
        return True


_Channel = tuple[str, str, str, Sequence[str], int]
"""Its name, the index's field, the namespace of its document frequencies, the terms, and how many are asked at most."""
_CHANNEL_BOOST = {
    "identifier": 2.0,
    "joined": 1.5,
    "part": 3.0,
    "acronym": 0.8,
    "label": 0.8,
    "trigram": 0.4,
    "text": 0.6,
    "place": 1.2,
    "named_place": 0.7,
    "country": 2.0,
}
_LEAST_ACRONYM_CHARS = 3
_MAX_ACRONYM_CHARS = 8
_SHORT_NAME_TOKENS = 3
_MAX_ACRONYMS = 10
_MAX_ACRONYM_WORDS = 6
_LONGEST_ACRONYM_IN_NAME = 5
_MAX_LABELS = 14
_MAX_PART_TOKENS = 64
_LONGEST_PART = 9
_MANY_TOKENS = 24
_LONGEST_OF_MANY = 6
_MAX_PARTS = 300
_WHOLE_CHANNELS = frozenset({"identifier", "joined", "part"})
_SHORT_CHANNELS = frozenset({"acronym", "label"})
_SHORT_TOKEN_CHARS = 6
_LONGEST_ACRONYM_LIKE = 4
_SPELLING_BOOST = 0.9
_MAX_FORMAL_NAMES = 4
_MAX_NAMED_PLACES = 5
_MAX_COUNTRIES = 5
_FOUND_ALL = 50
"""Postings that are all found: a country would add its records, and rank nothing."""
_FEW_NAMES = 20
"""A word that no more names hold may be a misspelling, in a small master; decision 14."""
_FEW_POSTINGS = 8
_FEW_BOOST = 2.0
_SHORT_BOOST = 5.0
"""How much more a whole value counts that no more records have; a short name stands alone against all words of a long one."""


def plan_all(
    queries: Sequence[IndexTerms], frequencies: TermFrequencies, policy: RetrievalPolicy
) -> list[RetrievalPlan]:
    """The plan for each query; deterministic; empty when the query has no term that the index could hold.

    Their terms are looked up together: a look-up costs more than its terms.
    """
    words = [f"name:{token}" for query in queries for token in query.name]
    frequencies.counts_of([*words, *(f"place:{token}" for query in queries if not query.place for token in query.name)])
    channels = [
        (list(_cheap_channels(query, frequencies)), _costly_channels(query, frequencies, policy)) for query in queries
    ]
    terms = ((space, term) for parts in channels for part in parts for _, _, space, found, _ in part for term in found)
    frequencies.counts_of([f"{space}:{term}" for space, term in terms])
    return [
        _plan(query, cheap, costly, frequencies, policy)
        for query, (cheap, costly) in zip(queries, channels, strict=True)
    ]


def _plan(
    query: IndexTerms,
    cheap: Sequence[_Channel],
    costly: Sequence[_Channel],
    frequencies: TermFrequencies,
    policy: RetrievalPolicy,
) -> RetrievalPlan:
    budget = _Budget(max(int(frequencies.rows * policy.budget_share), policy.budget_floor_postings))
    clauses: list[tuple[PlannedTerm, ...]] = []
    for channel, field, namespace, terms, most in cheap:
        clauses += _rarest(channel, field, namespace, terms, most, frequencies, budget)
    tokens = list(dict.fromkeys(query.name))
    clauses += _token_clauses(tokens, frozenset(query.people), frequencies, budget, policy.tokens)
    for channel, field, namespace, terms, most in costly:
        clauses += _rarest(channel, field, namespace, terms, most, frequencies, budget)
    if budget.spent > _FOUND_ALL:
        clauses += _rarest("country", "country", "country", _countries(query), _MAX_COUNTRIES, frequencies, budget)
    return RetrievalPlan(tuple(clauses), budget.spent)


def _cheap_channels(query: IndexTerms, frequencies: TermFrequencies) -> Iterable[_Channel]:
    """Channels of keyword fields: whole values, acronyms both ways, and the words of a host as names."""
    short = _acronym_like(query.name, frequencies)
    labelled = [*query.joined[::2], *short, *query.acronym]
    labels = [value.removeprefix("label:") for value in query.ids if value.startswith("label:")]
    yield "identifier", "ids", "ids", [value for value in query.ids if not value.startswith("label:")], 12
    yield "joined", "joined", "joined", [*query.joined, *labels], 6
    yield "acronym", "acronym", "acronym", [*short, *labels, *_around_acronyms(query.name, short)], _MAX_ACRONYMS
    yield "acronym", "name", "name", [a for a in query.acronym if len(a) >= _LEAST_ACRONYM_CHARS], _MAX_ACRONYM_WORDS
    yield "label", "ids", "ids", [f"label:{name}" for name in (*labelled, *labels)], _MAX_LABELS
    yield "part", "joined", "joined", _parts(query.name), _MAX_PARTS


def _costly_channels(query: IndexTerms, frequencies: TermFrequencies, policy: RetrievalPolicy) -> list[_Channel]:
    """Channels of terms that many records share: parts of words, words of texts, places."""
    grams = [gram for token in _unfamiliar(query.name, frequencies) for gram in trigrams(token)]
    return [
        ("trigram", "name.trigram", "trigram", grams, policy.trigrams),
        ("text", "text", "text", query.text, policy.text_tokens),
        ("place", "place", "place", query.place, policy.place_tokens),
        ("named_place", "place", "place", _named_places(query, frequencies), _MAX_NAMED_PLACES),
    ]


def _acronym_like(tokens: Sequence[str], frequencies: TermFrequencies) -> list[str]:
    """Words that may be acronyms: the short ones of a short name; of a longer text only those that few names hold."""
    short = [token for token in dict.fromkeys(tokens) if 1 < len(token) <= _MAX_ACRONYM_CHARS]
    if len(tokens) <= _SHORT_NAME_TOKENS:
        return short
    found = frequencies.counts_of([f"name:{token}" for token in short])
    few = max(frequencies.rows // 500, 2)
    return [
        token for token, names in zip(short, found, strict=True) if len(token) >= _LEAST_ACRONYM_CHARS and names <= few
    ]


def _around_acronyms(tokens: Sequence[str], short: Sequence[str]) -> list[str]:
    """Of a name with an acronym in it that of all its words: `VKS University` is `vksu`, as *Veer Kunwar Singh University*."""
    words = [token for token in tokens if token not in STOP_WORDS]
    if not 1 < len(words) < _MAX_ACRONYM_CHARS:
        return []
    acronyms = [token for token in short if len(token) <= _LONGEST_ACRONYM_IN_NAME and not is_common(token)]
    return ["".join(word if word == acronym else word[0] for word in words) for acronym in acronyms]


def _unfamiliar(tokens: Sequence[str], frequencies: TermFrequencies) -> list[str]:
    """Words that few names hold: a word that many hold is hardly a misspelling, and its trigrams find all of them again."""
    words = [token for token in dict.fromkeys(tokens) if token not in STOP_WORDS]
    found = frequencies.counts_of([f"name:{word}" for word in words])
    few = max(_FEW_NAMES, frequencies.rows // 50_000)
    return [word for word, names in zip(words, found, strict=True) if names <= few]


def _named_places(query: IndexTerms, frequencies: TermFrequencies) -> list[str]:
    """Words of a name that may be places, where no field gives one: those that several records have as a place, rarest first.

    A word that stands in no place is as rare there as a village, so such words come last.
    """
    if query.place:
        return []
    words = [token for token in dict.fromkeys(query.name) if len(token) > 3]
    found = frequencies.counts_of([f"place:{word}" for word in words])
    ranked = sorted(zip(words, found, strict=True), key=lambda one: (one[1] <= 1, one[1], one[0]))
    return [word for word, _ in ranked[:_MAX_NAMED_PLACES]]


def _countries(query: IndexTerms) -> list[str]:
    """The record's, or those that its name tells, by a word or else by its script; many countries rank nothing."""
    named = country_in_text(query.name)
    told = query.country or ([named] if named else list(dict.fromkeys(query.written_in)))
    return told if len(told) <= _MAX_COUNTRIES else []


def _parts(tokens: Sequence[str]) -> list[str]:
    """Runs of words inside a longer text, as whole names: a raw affiliation holds its organisation somewhere."""
    words = tokens[:_MAX_PART_TOKENS]
    longest = min(_LONGEST_PART if len(words) <= _MANY_TOKENS else _LONGEST_OF_MANY, len(words) - 1)
    runs = [words[i : i + n] for n in range(longest, 1, -1) for i in range(len(words) - n + 1)]
    return [words_in_order(run) for run in runs if run[0] not in STOP_WORDS]


def _token_clauses(
    tokens: Sequence[str], people: frozenset[str], frequencies: TermFrequencies, budget: _Budget, most: int
) -> list[tuple[PlannedTerm, ...]]:
    """One clause a token, with its sound as an alternative where the token itself is rare."""
    found = frequencies.counts_of([f"name:{token}" for token in tokens])
    clauses: list[tuple[PlannedTerm, ...]] = []
    for token, postings in sorted(zip(tokens, found, strict=True), key=lambda pair: (pair[1], pair[0]))[:most]:
        if not budget.take(postings):
            break
        exact = PlannedTerm("token", "name", token)
        formal = sorted(nicknames().get(token, frozenset()) - {token})[:_MAX_FORMAL_NAMES] if token in people else []
        called = [PlannedTerm("nickname", "name", name, 0.7) for name in formal]
        clauses.append((exact, *called, *_misspelt(token, postings, frequencies.rows)))
    return clauses


def _misspelt(token: str, postings: int, rows: int) -> list[PlannedTerm]:
    """Where a token is so rare that it may be a mistake: what sounds like it, a short one's neighbours by one edit, and the
    common word of which it may be a misspelt variant.

    A short word shares no trigram with its misspelling when the mistake is in its middle.
    """
    if postings > max(20, rows // 1000) or len(token) < 4 or not token.isalpha():
        return []
    found = [PlannedTerm("phonetic", "name.phonetic", token, 0.5, analyzed=True)]
    if postings <= 1 and len(token) <= _SHORT_TOKEN_CHARS:
        found.append(PlannedTerm("spelling", "name", token, _spelling_boost(token), edits=1))
    stands_for = meant(token)
    if stands_for is not None:
        found.append(PlannedTerm("spelling", "name", stands_for, _SPELLING_BOOST))
    return found


def _spelling_boost(token: str) -> float:
    """A word of four letters that no name holds is an acronym as often as a misspelling."""
    return _SPELLING_BOOST if len(token) > _LONGEST_ACRONYM_LIKE else 0.5


def _rarest(
    channel: str,
    field: str,
    namespace: str,
    terms: Sequence[str],
    most: int,
    frequencies: TermFrequencies,
    budget: _Budget,
) -> list[tuple[PlannedTerm, ...]]:
    clauses: list[tuple[PlannedTerm, ...]] = []
    if not terms:
        return clauses
    terms = list(dict.fromkeys(terms))
    found = frequencies.counts_of([f"{namespace}:{term}" for term in terms])
    for term, postings in sorted(zip(terms, found, strict=True), key=lambda pair: (pair[1], pair[0])):
        if len(clauses) == most or not budget.take(postings):
            break
        boost = _CHANNEL_BOOST[channel] * _rarity_boost(channel, field, term, postings)
        clauses.append((PlannedTerm(channel, field, term, boost),))
    return clauses


def _rarity_boost(channel: str, field: str, term: str, postings: int) -> float:
    """A whole value of few records must bring them among the candidates, whatever else matches; 1 for one of many.

    A name's acronym of three letters is a word of some other name by chance: its rarity says nothing.
    """
    if channel in _SHORT_CHANNELS and (field != "name" or len(term) > _LEAST_ACRONYM_CHARS):
        return max(1.0, _SHORT_BOOST - math.log2(max(postings / _FEW_POSTINGS, 1.0)))
    return _FEW_BOOST if channel in _WHOLE_CHANNELS and postings <= _FEW_POSTINGS else 1.0
