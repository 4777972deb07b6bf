"""How much a value's agreement says: its information in bits, from the snapshot's frequencies and a general background.

A token that stands in one of 500 records looks rare in a small snapshot although every second company is a `group`;
so the snapshot's document frequency is blended with the token's share in a large public register
(`-log2((df + k·p) / (N + k))`, Dirichlet smoothing, Zhai and Lafferty 2004).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from app.matching.data import lines_of
from app.matching.frequencies import TermFrequencies

Floats = npt.NDArray[np.float64]

_BACKGROUND_RECORDS = 2_000.0
"""Weight of the background: as if this many records of the register were in the snapshot."""
_UNSEEN_SHARE = 5e-6
_COMMON_SHARE = 5e-4
_REMEMBERED_TOKENS = 30_000
"""A namespace; about 4 MB, and most words of most names."""
_VALUE_RECORDS = 20.0
_VALUE_SHARES = {"city": 2e-3, "region": 0.02, "country": 0.03, "postal": 5e-4, "number": 0.02, "date": 5e-5}
"""Share of a value that nobody else in the snapshot has, by kind: guesses of how many values there are."""
_UNIQUE_VALUE_SHARE = 1e-6
MAX_VALUE_BITS = 20.0
"""Hosts, phones and identifiers are owned by one; beyond one in a million, mistakes decide and not chance."""


@cache
def _background() -> dict[str, float]:
    """Share of a register's names in which a token stands."""
    pairs = (line.split("\t") for line in lines_of("token_shares.txt"))
    return {token: float(share) for token, share in pairs}


def is_common(token: str) -> bool:
    """Whether one in 2,000 names of the register holds it."""
    return _background().get(token, 0.0) >= _COMMON_SHARE


def is_known(token: str) -> bool:
    """Whether the register's names hold it often enough that it is no misspelling."""
    return token in _background()


def token_bits(tokens: Sequence[str], namespace: str, frequencies: TermFrequencies) -> Floats:
    """Information of each token of names or texts, in bits; shape (len(tokens),)."""
    known = frequencies.memo.setdefault(namespace, {})
    found = [known.get(token) for token in tokens]
    if None not in found:
        return np.array(found, np.float64)
    missing = [token for token, bits in zip(tokens, found, strict=True) if bits is None]
    new = dict(zip(missing, _computed_bits(missing, namespace, frequencies), strict=True))
    if len(known) > _REMEMBERED_TOKENS:
        known.clear()
    known.update(new)
    return np.array([new[token] if bits is None else bits for token, bits in zip(tokens, found, strict=True)])


def _computed_bits(tokens: Sequence[str], namespace: str, frequencies: TermFrequencies) -> list[float]:
    found = frequencies.search([f"{namespace}:{token}" for token in tokens])
    shares = _background()
    share = np.array([shares.get(token, _UNSEEN_SHARE) for token in tokens])
    total = frequencies.rows + _BACKGROUND_RECORDS
    bits = -np.log2((found + _BACKGROUND_RECORDS * share) / total)
    computed: list[float] = np.maximum(bits, 0.0).tolist()
    return computed


def value_bits(kind: str, terms: Sequence[str], frequencies: TermFrequencies) -> list[float]:
    """Information of each whole value (namespaced terms of one kind), in bits; a few at a time, too few for arrays.

    Counts the records that share the value beside the candidate itself: what it would take to agree by chance.
    """
    unique = _VALUE_RECORDS * _VALUE_SHARES.get(kind, _UNIQUE_VALUE_SHARE)
    total = frequencies.rows + _VALUE_RECORDS
    bits = (-math.log2((max(count - 1, 0) + unique) / total) for count in frequencies.counts_of(terms))
    return [min(max(said, 0.0), MAX_VALUE_BITS) for said in bits]
