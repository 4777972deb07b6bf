"""Compares names and texts word by word: what is shared, what is missing on either side, and how rare it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rapidfuzz import process
from rapidfuzz.distance import Indel

from app.matching.compare.tokens import word_similarities
from app.matching.frequencies import TermFrequencies
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
)
_MAX_TOKENS = 40
_CAP_BITS = 14.0
"""One word never says more: beyond this its rarity is chance."""
_LITTLE_BITS = 3.0
_LEAST_CODE_CHARS = 4


class Bag(NamedTuple):
    """One value of a slot, parsed; `joined` is its words without spaces."""

    tokens: tuple[str, ...]
    joined: str
    legal: str
    acronyms: frozenset[str]

    @property
    def numbers(self) -> frozenset[str]:
        return frozenset(token for token in self.tokens if token.isdigit())

    @property
    def codes(self) -> frozenset[str]:
        """Tokens of letters and digits: model numbers, serials."""
        return frozenset(token for token in self.tokens if _is_code(token))


class Context(NamedTuple):
    """Words of the other fields that name a place or another organisation: of the query, and of the owner of each row."""

    query: frozenset[str]
    rows: Sequence[frozenset[str]]


def _is_code(token: str) -> bool:
    if len(token) < _LEAST_CODE_CHARS or token.isalpha() or token.isdigit():
        return False
    return any(c.isdigit() for c in token)


def parse_bag(value: str) -> Bag:
    text, _, rest = value.partition("|")
    legal, _, acronyms = rest.partition("|")
    tokens = tuple(text.split()[:_MAX_TOKENS])
    return Bag(tokens, "".join(tokens), legal, frozenset(acronyms.split()))


def namespace_of(kind: Kind) -> str:
    """The frequency table's namespace of a kind's tokens."""
    if kind in NAME_KINDS:
        return "name"
    return "place" if kind is Kind.ADDRESS else "text"


def compare_bags(
    kind: Kind, query: Bag, rows: Sequence[Bag], frequencies: TermFrequencies, context: Context | None = None
) -> Floats:
    """Features of the query against each row; shape (len(rows), len(BAG_FEATURES)).

    With `context`, words that stand in another field of a side are told apart from words that the other side lacks.
    """
    words, index = _indexed([row.tokens for row in rows])
    table = np.zeros((len(query.tokens), len(words) + 1))
    table[:, :-1] = word_similarities(query.tokens, words, persons=kind in PERSON_KINDS)
    bits = np.minimum(token_bits([*query.tokens, *words], namespace_of(kind), frequencies), _CAP_BITS)
    query_bits, word_bits = bits[: len(query.tokens)], np.append(bits[len(query.tokens) :], 0.0)
    features = np.zeros((len(BAG_FEATURES), len(rows)))
    known_query, known_row = (None, None) if context is None else _named_elsewhere(query, rows, context, index.shape[1])
    left = _Left(query_bits[:, None], word_bits[index], known_query, known_row)
    _align(features, table[:, index], left)
    _whole_strings(features, query, rows)
    return features.T


def _indexed(rows: Sequence[Sequence[str]]) -> tuple[list[str], npt.NDArray[np.intp]]:
    """The distinct words of all rows, and each row's words by their place among them; past a row's end their number."""
    flat = [word for row in rows for word in row]
    place = {word: at for at, word in enumerate(dict.fromkeys(flat))}
    lengths = np.array([len(row) for row in rows])
    within = np.arange(lengths.max()) < lengths[:, None]
    index = np.full(within.shape, len(place))
    index[within] = [place[word] for word in flat]
    return list(place), index


class _Left(NamedTuple):
    """Information of words, (query tokens, 1) and (rows, row tokens), 0 past a row's end; which of them stand elsewhere."""

    query_bits: Floats
    row_bits: Floats
    known_query: Mask | None
    known_row: Mask | None


def _named_elsewhere(query: Bag, rows: Sequence[Bag], context: Context, width: int) -> tuple[Mask, Mask]:
    """Which words of the query stand elsewhere in each row's record, (query tokens, rows); which of a row in either record."""
    named = np.zeros((len(query.tokens), len(rows)), bool)
    owned = np.zeros((len(rows), width), bool)
    everywhere = frozenset().union(*context.rows)
    for q, token in enumerate(query.tokens):
        if token in everywhere:
            named[q] = [token in own for own in context.rows]
    for r, (row, own) in enumerate(zip(rows, context.rows, strict=True)):
        for t, token in enumerate(row.tokens):
            if token in own or token in context.query:
                owned[r, t] = True
    return named, owned


def _longest_run(pairs: Floats, row_bits: Floats) -> Floats:
    """Information of the longest run of a row's words that stand in the query one after another; shape (rows,)."""
    alike = pairs > 0
    run = np.zeros_like(row_bits)
    longest = np.zeros_like(row_bits)
    for found in alike:
        shifted = np.zeros_like(run)
        shifted[:, 1:] = run[:, :-1]
        run = np.where(found, shifted + row_bits, 0.0)
        np.maximum(longest, run, out=longest)
    best: Floats = longest.max(axis=1)
    return best


def _align(features: Floats, pairs: Floats, left: _Left) -> None:
    """Fills what words say, one row of `features` a feature.

    `pairs` is (query tokens, rows, row tokens): similarities of this row's words to the query's.
    """
    query_bits, row_bits = left.query_bits, left.row_bits
    best = pairs.max(axis=2)
    found, same = best > 0, best >= 0.999
    partner = row_bits[np.arange(len(row_bits)), pairs.argmax(axis=2)]
    gain = np.where(same, 1.0, np.maximum(0.0, (best - 0.6) / 0.4) * 0.75)
    common = np.minimum(query_bits, partner)
    matched = (common * gain).sum(axis=0)
    query_left = np.where(found, 0.0, query_bits)
    row_left = np.where(pairs.max(axis=0) > 0, 0.0, row_bits)
    if left.known_query is not None and left.known_row is not None:
        features[_AT["query_elsewhere"]] = np.minimum((query_left * left.known_query).sum(axis=0), 30.0) / 10.0
        features[_AT["candidate_elsewhere"]] = np.minimum((row_left * left.known_row).sum(axis=1), 30.0) / 10.0
        query_left, row_left = query_left * ~left.known_query, row_left * ~left.known_row
    lost_query, lost_row = query_left.sum(axis=0), row_left.sum(axis=1)
    cover_query = matched / np.maximum(matched + lost_query, 1e-9)
    cover_row = matched / np.maximum(matched + lost_row, 1e-9)
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
        "first_word": pairs[0, :, 0] > 0,
        "spelling": (found & ~same).sum(axis=0) / 3.0,
        "spelling_lost": (common * (found - gain)).sum(axis=0) / 10.0,
        "query_within": (lost_query == 0) & (lost_row > 0),
        "candidate_within": (lost_row == 0) & (lost_query > 0),
        "little_shared": matched < _LITTLE_BITS,
        "rarest_query_lost": query_left.max(axis=0) / 10.0,
        "rarest_candidate_lost": row_left.max(axis=1) / 10.0,
        "run_candidate": _longest_run(pairs, row_bits) / np.maximum(row_bits.sum(axis=1), 1e-9),
    }
    for name, column in columns.items():
        features[_AT[name]] = column


def _whole_strings(features: Floats, query: Bag, rows: Sequence[Bag]) -> None:
    joined = query.joined
    similar = process.cdist([joined], [row.joined for row in rows], scorer=Indel.normalized_similarity)[0]
    features[_AT["joined_similar"]] = np.maximum(0.0, similar - 0.7) / 0.3
    features[_AT["joined_close"]] = np.maximum(0.0, similar - 0.9) / 0.1
    letters, ordered = len(joined), sorted(query.tokens)
    reordered = [len(row.joined) == letters and sorted(row.tokens) == ordered for row in rows]
    features[_AT["exact"]] = (similar >= 0.999) | np.array(reordered)
    short = joined if len(query.tokens) <= 2 and 2 < letters <= 8 else None
    long = {acronym for acronym in query.acronyms if len(acronym) > 2}
    if short or long:
        features[_AT["acronym"]] = [short in row.acronyms or row.joined in long for row in rows]
    if query.legal:
        features[_AT["legal_same"]] = [row.legal == query.legal for row in rows]
        features[_AT["legal_differs"]] = [row.legal not in ("", query.legal) for row in rows]
    if not joined.isalpha():
        _numbers_and_codes(features, query, rows)


def _numbers_and_codes(features: Floats, query: Bag, rows: Sequence[Bag]) -> None:
    numbers, codes = query.numbers, query.codes
    for r, row in enumerate(rows if numbers or codes else ()):
        if numbers and row.numbers:
            features[_AT["numbers_equal" if numbers == row.numbers else "numbers_differ"], r] = 1.0
        if codes and row.codes:
            features[_AT["codes_differ" if codes.isdisjoint(row.codes) else "code_shared"], r] = 1.0


_AT = {name: i for i, name in enumerate(BAG_FEATURES)}
