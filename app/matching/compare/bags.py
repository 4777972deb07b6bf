"""Compares names and texts word by word: what is shared, what is missing on either side, and how rare it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rapidfuzz import process
from rapidfuzz.distance import Indel

from app.matching.compare.alignment import SAME, Alignment, aligned
from app.matching.compare.bag import Bag
from app.matching.compare.words import Integers, Words
from app.matching.countries import countries_named
from app.matching.frequencies import TermFrequencies
from app.matching.index_terms import words_in_order
from app.matching.layout import NAME_KINDS, PERSON_KINDS, Kind
from app.matching.rarity import token_bits

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

BAG_FEATURES = (
    "present",
    "matched",
    "matched_first_bits",
    "unmatched_query",
    "unmatched_candidate",
    "unmatched_both",
    "exact",
    "cover_query",
    "cover_candidate",
    "cover_high",
    "joined_similar",
    "joined_close",
    "first_word",
    "numbers_differ",
    "numbers_equal",
    "spelling",
    "acronym",
    "legal_same",
    "legal_other",
    "legal_differs",
    "query_within",
    "candidate_within",
    "little_shared",
    "rarest_query_lost",
    "rarest_candidate_lost",
    "code_shared",
    "codes_differ",
    "query_elsewhere",
    "candidate_elsewhere",
    "run_candidate",
    "spelling_lost",
    "marks_differ",
    "mark_lost",
    "only_marks_differ",
    "replaced",
    "cover_sure",
    "only_common_shared",
    "acronym_long",
    "within_long",
    "countries_differ",
)
_CAP_BITS = 14.0
"""One word never says more: beyond this its rarity is chance."""
_LITTLE_BITS = 3.0
_LONG_BITS = 15.0
"""What a text says beside the name in it, where it is more than one rare word: an address, a department."""
_COMMON_BITS = 8.0
"""A word that says less hardly tells one name from another: `group`, `india`."""
_LEAST_ACRONYM_CHARS = 3
_MAX_ACRONYM_CHARS = 8
_LEAST_JOINED_SIMILARITY = 0.7
_MOSTLY = 0.5
"""Of what both sides say, so much must be shared before it is asked whether they are the same words."""


FindElsewhere = Callable[[Alignment], tuple[Mask, Mask]]
"""Which words of the queries stand in other fields of the candidate; which of the candidates' in those of either side."""


class BagPairs(NamedTuple):
    """Values of one kind that are compared: `queries[of[p]]` with `rows[p]`, all with a word at least."""

    kind: Kind
    queries: Sequence[Bag]
    of: Integers
    rows: Sequence[Bag]
    words: Words


def namespace_of(kind: Kind) -> str:
    """The frequency table's namespace of a kind's tokens."""
    if kind in NAME_KINDS:
        return "name"
    return "place" if kind is Kind.ADDRESS else "text"


def compare_bags(pairs: BagPairs, frequencies: TermFrequencies, elsewhere: FindElsewhere | None = None) -> Floats:
    """Features of every pair; shape (pairs, len(BAG_FEATURES)).

    With `elsewhere`, words that stand in another field of a side are told apart from words that the other side lacks.
    """
    queries, rows = [bag.tokens for bag in pairs.queries], [bag.tokens for bag in pairs.rows]
    words = pairs.words
    bits = np.minimum(token_bits(words.text, namespace_of(pairs.kind), frequencies), _CAP_BITS)
    alignment = aligned(queries, pairs.of, rows, words, bits, persons=pairs.kind in PERSON_KINDS)
    features = np.zeros((len(BAG_FEATURES), len(rows)))
    _weigh_words(features, alignment, None if elsewhere is None else elsewhere(alignment))
    _compare_marks(features, alignment, words)
    if pairs.kind not in PERSON_KINDS:
        _compare_countries(features, pairs)
    _whole_strings(features, pairs, bits)
    return np.ascontiguousarray(features.T)


def _weigh_words(features: Floats, alignment: Alignment, elsewhere: tuple[Mask, Mask] | None) -> None:
    """Fills what words say, one row of `features` a feature."""
    query, row, best = alignment.query, alignment.row, alignment.best
    found, same = best > 0, best >= SAME
    gain = np.where(same, 1.0, np.maximum(0.0, (best - 0.6) / 0.4) * 0.75)
    common = np.minimum(query.bits, alignment.partner_bits)
    matched = query.sums(common * gain)
    query_left = np.where(found, 0.0, query.bits)
    row_left = np.where(alignment.row_found, 0.0, row.bits)
    if elsewhere is not None:
        of_query, of_row = elsewhere
        features[_AT["query_elsewhere"]] = np.minimum(query.sums(query_left * of_query), 30.0) / 10.0
        features[_AT["candidate_elsewhere"]] = np.minimum(row.sums(row_left * of_row), 30.0) / 10.0
        query_left, row_left = query_left * ~of_query, row_left * ~of_row
    lost_query, lost_row = query.sums(query_left), row.sums(row_left)
    common_left = query.sums(common * (found - gain))
    sure = matched**2 / np.maximum((matched + lost_query + common_left) * (matched + lost_row + common_left), 1e-9)
    cover_query = matched / np.maximum(matched + lost_query, 1e-9)
    cover_row = matched / np.maximum(matched + lost_row, 1e-9)
    rarest_shared = query.most(np.where(found, common, 0.0))
    rarest_query_lost, rarest_row_lost = query.most(query_left), row.most(row_left)
    rarest_lost = np.minimum(rarest_query_lost, rarest_row_lost)
    run = alignment.longest_run / np.maximum(row.sums(row.bits), 1e-9)
    columns = {
        "present": 1.0,
        "matched": np.minimum(matched, 40.0) / 10.0,
        "matched_first_bits": np.minimum(matched, 10.0) / 10.0,
        "unmatched_query": np.minimum(lost_query, 40.0) / 10.0,
        "unmatched_candidate": np.minimum(lost_row, 40.0) / 10.0,
        "unmatched_both": np.minimum(np.minimum(lost_query, lost_row), 20.0) / 10.0,
        "cover_query": cover_query,
        "cover_candidate": cover_row,
        "cover_high": np.maximum(0.0, cover_query * cover_row - 0.8) * 5.0,
        "first_word": alignment.begins_alike,
        "spelling": query.sums((found & ~same).astype(float)) / 3.0,
        "spelling_lost": common_left / 10.0,
        "cover_sure": np.maximum(0.0, sure - 0.8) * 5.0,
        "only_common_shared": (rarest_shared > 0) & (rarest_shared < _COMMON_BITS) & (rarest_lost >= _COMMON_BITS),
        "replaced": np.minimum(query.sums(alignment.replaced), 20.0) / 10.0,
        "query_within": (lost_query == 0) & (lost_row > 0),
        "candidate_within": (lost_row == 0) & (lost_query > 0),
        "within_long": (lost_row == 0) & (run >= 1.0 - 1e-9) & (lost_query >= _LONG_BITS),
        "little_shared": matched < _LITTLE_BITS,
        "rarest_query_lost": rarest_query_lost / 10.0,
        "rarest_candidate_lost": rarest_row_lost / 10.0,
        "run_candidate": run,
    }
    for name, column in columns.items():
        features[_AT[name]] = column


def _compare_marks(features: Floats, alignment: Alignment, words: Words) -> None:
    """What tells members of a series apart: each side has a mark that the other lacks, or one side alone.

    Where both have all other words, the marks are all that the names are told apart by.
    """
    query, row = alignment.query, alignment.row
    query_mark, row_mark = words.mark[query.word], words.mark[row.word]
    of_query = query.sums(query_mark & (alignment.best < SAME)) > 0
    of_row = row.sums(row_mark & ~alignment.row_same) > 0
    others_lost = query.sums(~query_mark & (alignment.best == 0)) + row.sums(~row_mark & ~alignment.row_found)
    features[_AT["marks_differ"]] = of_query & of_row
    features[_AT["mark_lost"]] = of_query ^ of_row
    features[_AT["only_marks_differ"]] = of_query & of_row & (others_lost == 0)


def _compare_countries(features: Floats, pairs: BagPairs) -> None:
    """Both sides name countries, and not one that is the same: `Bank of Chad`, `Bank of China`."""
    named = countries_named(pairs.words.text)
    if len(set(named.values())) < 2:
        return
    asked = [_countries_of(query, named) for query in pairs.queries]
    for p, (at, row) in enumerate(zip(pairs.of.tolist(), pairs.rows, strict=True)):
        if asked[at]:
            others = _countries_of(row, named)
            features[_AT["countries_differ"], p] = bool(others) and asked[at].isdisjoint(others)


def _countries_of(bag: Bag, named: Mapping[str, str]) -> frozenset[str]:
    return frozenset(named[word] for word in bag.tokens if word in named)


def _whole_strings(features: Floats, pairs: BagPairs, bits: Floats) -> None:
    queries = [pairs.queries[at] for at in pairs.of.tolist()]
    left, right = [query.joined for query in queries], [row.joined for row in pairs.rows]
    similar = process.cpdist(
        left, right, scorer=Indel.normalized_similarity, score_cutoff=_LEAST_JOINED_SIMILARITY, dtype=np.float64
    )
    features[_AT["joined_similar"]] = np.maximum(0.0, similar - _LEAST_JOINED_SIMILARITY) / 0.3
    features[_AT["joined_close"]] = np.maximum(0.0, similar - 0.9) / 0.1
    features[_AT["exact"]] = similar >= SAME
    for p, (one, other) in enumerate(zip(left, right, strict=True)):
        if len(one) == len(other) and sorted(queries[p].tokens) == sorted(pairs.rows[p].tokens):
            features[_AT["exact"], p] = 1.0
    mostly_shared = features[_AT["cover_query"]] * features[_AT["cover_candidate"]] > _MOSTLY
    for p in mostly_shared.nonzero()[0].tolist():
        query, row = queries[p], pairs.rows[p]
        if query.is_whole and row.is_whole and words_in_order(query.tokens) == words_in_order(row.tokens):
            features[[_AT["joined_similar"], _AT["joined_close"]], p] = 1.0
    _acronyms(features, pairs, bits)
    _legal_forms(features, pairs)
    if not all(query.joined.isalpha() for query in pairs.queries):
        _numbers_and_codes(features, pairs)


def _legal_forms(features: Floats, pairs: BagPairs) -> None:
    asked = [query.legal for query in pairs.queries]
    if any(asked):
        for p, (at, row) in enumerate(zip(pairs.of.tolist(), pairs.rows, strict=True)):
            if asked[at] and row.legal:
                features[_AT[_between_forms(asked[at], row.legal)], p] = 1.0


def _between_forms(form: str, other: str) -> str:
    """The feature of two legal forms: the same, another of the same class, or one of another class."""
    if form == other:
        return "legal_same"
    return "legal_other" if form.partition(":")[0] == other.partition(":")[0] else "legal_differs"


def _acronyms(features: Floats, pairs: BagPairs, bits: Floats) -> None:
    """One side is an acronym of the other; three letters are so by chance a thousand times as often as five."""
    rare = frozenset(word for word, said in zip(pairs.words.text, bits.tolist(), strict=True) if said >= _COMMON_BITS)
    short = [_short_names(query, rare) for query in pairs.queries]
    long = [
        frozenset(word for word in query.acronyms.split() if len(word) >= _LEAST_ACRONYM_CHARS)
        for query in pairs.queries
    ]
    if not (any(short) or any(long)):
        return
    for p, (at, row) in enumerate(zip(pairs.of.tolist(), pairs.rows, strict=True)):
        met = [*filter(row.is_called, short[at]), *_short_for(row, long[at], rare)]
        if met:
            features[_AT["acronym"], p] = 1.0
            features[_AT["acronym_long"], p] = max(map(len, met)) - _LEAST_ACRONYM_CHARS


def _short_names(bag: Bag, rare: frozenset[str]) -> list[str]:
    """What may be an acronym: a name of a word or two, and the one word that stands beside common ones (`NBE Egypt`)."""
    found = [bag.joined] if len(bag.tokens) <= 2 and _may_be_acronym(bag.joined) else []
    if len(bag.tokens) > 1:
        told_by = [word for word in bag.tokens if word in rare]
        found += [word for word in told_by if len(told_by) == 1 and _may_be_acronym(word)]
    return found


def _may_be_acronym(word: str) -> bool:
    return _LEAST_ACRONYM_CHARS <= len(word) <= _MAX_ACRONYM_CHARS


def _short_for(bag: Bag, acronyms: frozenset[str], rare: frozenset[str]) -> Iterable[str]:
    """What stands in the value for these acronyms."""
    if acronyms.isdisjoint(bag.tokens):
        return (bag.joined,) if bag.joined in acronyms else ()
    return acronyms.intersection(_short_names(bag, rare))


def _numbers_and_codes(features: Floats, pairs: BagPairs) -> None:
    numbers, codes = [query.numbers for query in pairs.queries], [query.codes for query in pairs.queries]
    for p, (at, row) in enumerate(zip(pairs.of.tolist(), pairs.rows, strict=True)):
        if (numbers[at] or codes[at]) and not row.joined.isalpha():
            if numbers[at] and row.numbers:
                features[_AT["numbers_equal" if numbers[at] == row.numbers else "numbers_differ"], p] = 1.0
            if codes[at] and row.codes:
                features[_AT["codes_differ" if codes[at].isdisjoint(row.codes) else "code_shared"], p] = 1.0


_AT = {name: i for i, name in enumerate(BAG_FEATURES)}
