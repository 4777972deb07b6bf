"""How much a value's agreement says: its information in bits, from the snapshot's frequencies and a general background.

A token that stands in one of 500 records looks rare in a small snapshot although every second company is a `group`;
so the snapshot's document frequency is blended with the token's share in a large public register
(`-log2((df + k·p) / (N + k))`, Dirichlet smoothing, Zhai and Lafferty 2004).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from app.matching.frequencies import TermFrequencies

Floats = npt.NDArray[np.float64]

_BACKGROUND_RECORDS = 2_000.0
"""Weight of the background: as if this many records of the register were in the snapshot."""
_UNSEEN_SHARE = 5e-6
_VALUE_RECORDS = 20.0
_VALUE_SHARE = 0.005
"""Values other than words have no register: a new city, host or date is taken for one of 200."""


@cache
def _background() -> dict[str, float]:
    """Share of a register's names in which a token stands."""
    lines = (files("app.matching.data") / "token_shares.txt").read_text("utf-8").splitlines()
    pairs = (line.split("\t") for line in lines if not line.startswith("#"))
    return {token: float(share) for token, share in pairs}


def token_bits(tokens: Sequence[str], namespace: str, frequencies: TermFrequencies) -> Floats:
    """Information of each token of names or texts, in bits; shape (len(tokens),)."""
    found = frequencies.lookup([f"{namespace}:{token}" for token in tokens])
    shares = _background()
    share = np.fromiter((shares.get(token, _UNSEEN_SHARE) for token in tokens), np.float64, len(tokens))
    total = frequencies.rows + _BACKGROUND_RECORDS
    bits: Floats = -np.log2((found + _BACKGROUND_RECORDS * share) / total)
    return np.maximum(bits, 0.0)


def value_bits(terms: Sequence[str], frequencies: TermFrequencies) -> Floats:
    """Information of each whole value (namespaced terms), in bits; shape (len(terms),)."""
    found = frequencies.lookup(terms)
    total = frequencies.rows + _VALUE_RECORDS
    bits: Floats = -np.log2((found + _VALUE_RECORDS * _VALUE_SHARE) / total)
    return np.maximum(bits, 0.0)
