"""Fits the score's weights: a conditional logit over each query's candidates with "none of them" as one more choice.

McFadden 1974. The weight of a feature of a word-by-word kind is a shared part plus the kind's own; both are shrunk, so that a
kind of which little was seen behaves like the others. Evidence keeps its sign: what is shared never opposes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import minimize

from app.matching.layout import BAG_KINDS
from app.matching.sharing import MAX_NATS, Sharing
from bench.quality.calibration import Best
from bench.quality.collect import COLUMNS, TrainingRows

Floats = npt.NDArray[np.float64]

_BAGS = {kind.value for kind in BAG_KINDS}


def _group(kind: str) -> str:
    """Kinds that are compared in the same way share a part of their weights."""
    return "words" if kind in _BAGS else "hint" if kind == "hint" else "values"


_SHARED = sorted({(_group(kind), name) for kind, name in COLUMNS if kind != "hint"})
_SUPPORT = frozenset(
    "matched matched_first_bits exact cover_high joined_similar joined_close numbers_equal acronym exact_bits first_word "
    "legal_same cover_query cover_candidate host_spells_name name_spells_host city_in_name country_in_name code_shared "
    "run_candidate query_elsewhere close_bits host_spells_both_names both_names_spell_host host_beyond_name "
    "host_alone cover_sure acronym_long within_long".split()
)
_OPPOSE = frozenset(
    "unmatched_query unmatched_candidate unmatched_both numbers_differ little_shared legal_differs country_in_name_differs "
    "city_missing_in_long_name codes_differ rarest_query_lost rarest_candidate_lost candidate_elsewhere spelling_lost "
    "marks_differ only_marks_differ legal_other replaced only_common_shared".split()
)
_LEVELS = ("differ", "near", "close", "exact")
_SHRINKAGE = 1e-4
_SHARED_SHRINKAGE = 0.2
_ITERATIONS = 500


def _spread() -> sparse.csr_matrix:
    """(columns, parameters): a column's weight is its own parameter plus those that it is built on.

    Kinds that are compared alike share a part. Levels of values rise: near is different and something more, close is more.
    """
    at = {column: j for j, column in enumerate(COLUMNS)}
    shared = {column: len(COLUMNS) + j for j, column in enumerate(_SHARED)}
    cells = []
    for (kind, name), j in at.items():
        levels = _LEVELS[: _LEVELS.index(name) + 1] if _is_level(kind, name) else (name,)
        cells += [(j, at[kind, level]) for level in levels]
        cells += [(j, shared[_group(kind), level]) for level in levels if kind != "hint"]
    rows, columns = zip(*cells, strict=True)
    shape = (len(COLUMNS), len(COLUMNS) + len(_SHARED))
    return sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)


def _parameters(model: Mapping[str, Any]) -> Floats:
    """A model's weights as parameters of their own columns, with nothing shared."""
    weights = {(kind, name): value for kind, named in model["weights"].items() for name, value in named.items()}
    own = []
    for kind, name in COLUMNS:
        below = _LEVELS[_LEVELS.index(name) - 1] if _is_level(kind, name) and name != _LEVELS[0] else None
        own.append(weights.get((kind, name), 0.0) - (weights.get((kind, below), 0.0) if below else 0.0))
    return np.array([*own, *[0.0] * len(_SHARED), model["prior"], model["prior_per_doubling"]])


def _bounds() -> list[tuple[float | None, float | None]]:
    own = [_sign(name, level=_is_level(kind, name)) for kind, name in COLUMNS]
    shared = [_sign(name, level=group == "values" and name in _LEVELS) for group, name in _SHARED]
    return [*own, *shared, (None, None), (0.0, 1.0)]


def _is_level(kind: str, name: str) -> bool:
    return _group(kind) == "values" and name in _LEVELS


def _sign(name: str, *, level: bool) -> tuple[float | None, float | None]:
    if level:
        return (None, 0.0) if name == _LEVELS[0] else (0.0, None)
    return (0.0, None) if name in _SUPPORT else (None, 0.0) if name in _OPPOSE else (None, None)


def fit(
    sets: Sequence[TrainingRows], share: Mapping[str, float], towards: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Prior, prior per doubling and weights by kind and feature (nats); `share` is the weight of each set by name.

    With `towards` the weights are held to those of that model instead of to zero, and what it says of the master's size stays.
    """
    features = sparse.vstack([one.features for one in sets]).tocsr()
    flipped = features.T.tocsr()
    right = np.concatenate([one.right for one in sets])
    doublings = np.concatenate([np.full(len(one.right), np.log2(one.rows)) for one in sets])
    starts, weight = _queries(sets, share)
    owner = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(right)]))
    answered = np.add.reduceat(right.astype(np.int64), starts) > 0
    spread, bounds = _spread(), _bounds()
    start = np.r_[np.zeros(spread.shape[1]), -2.0, 0.3]
    if towards is not None:
        start = _parameters(towards)
        bounds[len(COLUMNS) : -2] = [(0.0, 0.0)] * len(_SHARED)
        bounds[-1] = (start[-1], start[-1])
    shrink = np.r_[np.full(len(COLUMNS), _SHRINKAGE), np.full(len(_SHARED), _SHRINKAGE * _SHARED_SHRINKAGE), 0.0, 0.0]

    def loss(parameters: Floats) -> tuple[float, Floats]:
        prior, per_doubling = parameters[-2:]
        log_odds = features @ (spread @ parameters[:-2]) + prior - per_doubling * doublings
        odds = np.exp(np.clip(log_odds, -50, 50))
        total = 1.0 + np.add.reduceat(odds, starts)
        good = np.add.reduceat(odds * right, starts)
        chosen = np.where(answered, good, 1.0) / total
        wanted = np.where(answered[owner], odds * right / np.maximum(good[owner], 1e-300), 0.0)
        slope = (odds / total[owner] - wanted) * weight[owner]
        gradient = np.r_[spread.T @ (flipped @ slope), slope.sum(), -(slope * doublings).sum()]
        apart = parameters - start
        penalty = float((shrink * apart**2).sum())
        return float(-(weight * np.log(chosen + 1e-12)).sum()) + penalty, gradient + 2 * shrink * apart

    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _ITERATIONS}).x
    weights: dict[str, dict[str, float]] = {}
    for (kind, name), value in zip(COLUMNS, spread @ found[:-2], strict=True):
        if abs(value) >= 0.005:
            weights.setdefault(kind, {})[name] = round(float(value), 4)
    return {"prior": round(found[-2], 4), "prior_per_doubling": round(found[-1], 4), "weights": weights}


def expecting(
    unanswered: float, model: Mapping[str, Any], sets: Sequence[TrainingRows], share: Mapping[str, float]
) -> dict[str, Any]:
    """The model for data where this share of the queries has no right candidate; it was fitted on `sets`, which have more.

    The prior correction of King and Zeng 2001: weights learn from strangers, and only the prior depends on how many there are.
    """
    right = np.concatenate([one.right for one in sets])
    starts, weight = _queries(sets, share)
    seen = 1.0 - float((np.logical_or.reduceat(right, starts) * weight).sum())
    shift = np.log((1.0 - unanswered) / unanswered) - np.log((1.0 - seen) / seen)
    return {**model, "prior": round(model["prior"] + float(shift), 4)}


def _queries(sets: Sequence[TrainingRows], share: Mapping[str, float]) -> tuple[npt.NDArray[np.int64], Floats]:
    """Where each query's candidates begin, and each query's weight; the weights of all add up to 1."""
    starts, weights, before = [], [], 0
    for one in sets:
        first = np.flatnonzero(np.r_[True, one.query[1:] != one.query[:-1]])
        starts.append(first + before)
        weights.append(np.full(len(first), share.get(one.name, 1.0) / len(first)))
        before += len(one.right)
    joined = np.concatenate(weights)
    return np.concatenate(starts), joined / joined.sum()


def best_of(model: Mapping[str, Any], one: TrainingRows) -> Best:
    """Of each query that found a candidate."""
    weights = np.array([model["weights"].get(kind, {}).get(name, 0.0) for kind, name in COLUMNS])
    own = one.features @ weights + model["prior"] - model["prior_per_doubling"] * np.log2(one.rows)
    starts = np.flatnonzero(np.r_[True, one.query[1:] != one.query[:-1]])
    ends = np.r_[starts[1:], len(own)]
    best = np.array([first + int(np.argmax(own[first:last])) for first, last in zip(starts, ends, strict=True)])
    sharing = Sharing(ends - starts, [None] * len(starts))
    log_odds = own - np.log1p(sharing.rivals(np.exp(np.clip(own, -MAX_NATS, MAX_NATS))))
    most = sharing.published(own, log_odds, _certain)
    return Best(log_odds[best], one.right[best], one.alone[one.query[best]], most[best])


def _certain(log_odds: Floats) -> Floats:
    """Instead of a calibrator: what is published then is what rivals leave."""
    return np.full_like(log_odds, MAX_NATS)
