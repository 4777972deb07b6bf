"""Compares names and texts word by word: what is shared, what is missing on either side, and how rare it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rapidfuzz import process
from rapidfuzz.distance import Indel

from app.matching.compare.tokens import word_similarities
from app.matching.frequencies import TermFrequencies
from app.matching.layout import NAME_KINDS, PERSON_KINDS, Kind
from app.matching.rarity import token_bits

Floats = npt.NDArray[np.float64]

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
)
_MAX_TOKENS = 40
_CAP_BITS = 14.0
"""One word never says more: beyond this its rarity is chance."""
_LITTLE_BITS = 3.0
_LEAST_CODE_CHARS = 4


@dataclass(frozen=True, slots=True)
class Bag:
    """One value of a slot, parsed."""

    tokens: tuple[str, ...]
    legal: str
    acronym: str

    @property
    def joined(self) -> str:
        return "".join(self.tokens)

    @property
    def numbers(self) -> frozenset[str]:
        return frozenset(token for token in self.tokens if token.isdigit())

    @property
    def codes(self) -> frozenset[str]:
        """Tokens of letters and digits: model numbers, serials."""
        return frozenset(token for token in self.tokens if _is_code(token))


def _is_code(token: str) -> bool:
    return len(token) >= _LEAST_CODE_CHARS and any(c.isdigit() for c in token) and not token.isdigit()


def parse_bag(value: str) -> Bag:
    text, _, rest = value.partition("|")
    legal, _, acronym = rest.partition("|")
    return Bag(tuple(text.split()[:_MAX_TOKENS]), legal, acronym)


def namespace_of(kind: Kind) -> str:
    """The frequency table's namespace of a kind's tokens."""
    if kind in NAME_KINDS:
        return "name"
    return "place" if kind is Kind.ADDRESS else "text"


def compare_bags(kind: Kind, query: Bag, rows: Sequence[Bag], frequencies: TermFrequencies) -> Floats:
    """Features of the query against each row; shape (len(rows), len(BAG_FEATURES))."""
    words = sorted({token for row in rows for token in row.tokens})
    place = {word: j for j, word in enumerate(words)}
    width = max(len(row.tokens) for row in rows)
    index = np.full((len(rows), width), len(words))
    for r, row in enumerate(rows):
        index[r, : len(row.tokens)] = [place[token] for token in row.tokens]
    table = np.zeros((len(query.tokens), len(words) + 1), np.float64)
    table[:, :-1] = word_similarities(query.tokens, words, persons=kind in PERSON_KINDS)
    bits = np.minimum(token_bits([*query.tokens, *words], namespace_of(kind), frequencies), _CAP_BITS)
    query_bits, word_bits = bits[: len(query.tokens)], np.append(bits[len(query.tokens) :], 0.0)
    features = np.zeros((len(rows), len(BAG_FEATURES)))
    _align(features, table[:, index], query_bits, word_bits[index], index < len(words))
    _whole_strings(features, query, rows)
    return features


def _align(features: Floats, pairs: Floats, query_bits: Floats, row_bits: Floats, real: npt.NDArray[np.bool_]) -> None:
    """`pairs` is (query tokens, rows, row tokens): similarities of this row's words to the query's."""
    best = pairs.max(axis=2)
    partner = _partner_bits(pairs, row_bits)
    gain = np.where(best >= 0.999, 1.0, np.maximum(0.0, (best - 0.6) / 0.4) * 0.75)
    shared = np.minimum(query_bits[:, None], partner) * gain
    matched = shared.sum(axis=0)
    lost_query = np.where(best > 0, 0.0, query_bits[:, None]).sum(axis=0)
    best_row = pairs.max(axis=0)
    lost_row = np.where((best_row > 0) | ~real, 0.0, row_bits).sum(axis=1)
    cover_query = matched / np.maximum(matched + lost_query, 1e-9)
    cover_row = matched / np.maximum(matched + lost_row, 1e-9)
    columns = {
        "present": np.ones(len(matched)),
        "matched": np.minimum(matched, 40.0) / 10.0,
        "matched_first_bits": np.minimum(matched, 10.0) / 10.0,
        "unmatched_query": np.minimum(lost_query, 40.0) / 10.0,
        "unmatched_candidate": np.minimum(lost_row, 40.0) / 10.0,
        "unmatched_both": np.minimum(np.minimum(lost_query, lost_row), 20.0) / 10.0,
        "cover_query": cover_query,
        "cover_candidate": cover_row,
        "cover_high": np.maximum(0.0, cover_query * cover_row - 0.8) * 5.0,
        "first_word": (pairs[0, :, 0] > 0).astype(np.float64),
        "spelling": ((best > 0) & (best < 0.999)).sum(axis=0) / 3.0,
        "query_within": ((lost_query == 0) & (lost_row > 0)).astype(np.float64),
        "candidate_within": ((lost_row == 0) & (lost_query > 0)).astype(np.float64),
        "little_shared": (matched < _LITTLE_BITS).astype(np.float64),
        "rarest_query_lost": np.where(best > 0, 0.0, query_bits[:, None]).max(axis=0) / 10.0,
        "rarest_candidate_lost": np.where((best_row > 0) | ~real, 0.0, row_bits).max(axis=1) / 10.0,
    }
    for name, column in columns.items():
        features[:, _AT[name]] = column


def _partner_bits(pairs: Floats, row_bits: Floats) -> Floats:
    """Information of the row's word that each query word aligned with; shape (query tokens, rows)."""
    chosen = pairs.argmax(axis=2)
    found: Floats = row_bits[np.arange(row_bits.shape[0])[None, :], chosen]
    return found


def _whole_strings(features: Floats, query: Bag, rows: Sequence[Bag]) -> None:
    joined = query.joined
    similar = process.cdist([joined], [row.joined for row in rows], scorer=Indel.normalized_similarity)[0]
    features[:, _AT["joined_similar"]] = np.maximum(0.0, similar - 0.7) / 0.3
    features[:, _AT["joined_close"]] = np.maximum(0.0, similar - 0.9) / 0.1
    numbers, codes, ordered = query.numbers, query.codes, sorted(query.tokens)
    short = joined if len(query.tokens) <= 2 and 2 < len(joined) <= 8 else ""
    for r, row in enumerate(rows):
        if similar[r] >= 0.999 or (len(row.tokens) == len(ordered) and sorted(row.tokens) == ordered):
            features[r, _AT["exact"]] = 1.0
        if numbers and row.numbers:
            features[r, _AT["numbers_equal" if numbers == row.numbers else "numbers_differ"]] = 1.0
        if codes and row.codes:
            features[r, _AT["codes_differ" if codes.isdisjoint(row.codes) else "code_shared"]] = 1.0
        if (short and short == row.acronym) or (len(query.acronym) > 2 and query.acronym == row.joined):
            features[r, _AT["acronym"]] = 1.0
        if query.legal and row.legal:
            features[r, _AT["legal_same" if query.legal == row.legal else "legal_differs"]] = 1.0


_AT = {name: i for i, name in enumerate(BAG_FEATURES)}
