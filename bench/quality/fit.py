"""Fits the score's weights: a conditional logit over each query's candidates with "none of them" as one more choice.

McFadden 1974. The weight of a feature of a word-by-word kind is a shared part plus the kind's own; both are shrunk, so that a
kind of which little was seen behaves like the others. Evidence keeps its sign: what is shared never opposes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

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
    "legal_same cover_query cover_candidate host_spells_name name_spells_host city_in_name country_in_name country_of_script "
    "code_shared run_candidate query_elsewhere close_bits host_spells_both_names both_names_spell_host host_beyond_name "
    "host_alone cover_sure acronym_long within_long".split()
)
_OPPOSE = frozenset(
    "unmatched_query unmatched_candidate unmatched_both numbers_differ little_shared legal_differs country_in_name_differs "
    "country_of_other_script city_missing_in_long_name codes_differ rarest_query_lost rarest_candidate_lost "
    "candidate_elsewhere spelling_lost marks_differ only_marks_differ legal_other replaced only_common_shared "
    "countries_differ".split()
)
_AT_MOST = {("org", "only_marks_differ"): -2.5, ("org", "countries_differ"): -3.0}
"""What the sets cannot teach, where the record that is asked for nearly always stands beside its relatives: *Fund VIII* is not
*Fund IX*, nor the *Bank of Chad* the *Bank of China*, in a master that has the other one alone; decision 29."""
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
    own = [_own_bounds(kind, name) for kind, name in COLUMNS]
    shared = [_sign(name, level=group == "values" and name in _LEVELS) for group, name in _SHARED]
    return [*own, *shared, (None, None), (0.0, 1.0)]


def _own_bounds(kind: str, name: str) -> tuple[float | None, float | None]:
    most = _AT_MOST.get((kind, name))
    return _sign(name, level=_is_level(kind, name)) if most is None else (None, most)


def _is_level(kind: str, name: str) -> bool:
    return _group(kind) == "values" and name in _LEVELS


def _sign(name: str, *, level: bool) -> tuple[float | None, float | None]:
    if level:
        return (None, 0.0) if name == _LEVELS[0] else (0.0, None)
    return (0.0, None) if name in _SUPPORT else (None, 0.0) if name in _OPPOSE else (None, None)


class _Queries(NamedTuple):
    """One entry a query: where its candidates begin, its weight, whether one is right, and its part without the right ones."""

    starts: npt.NDArray[np.int64]
    weight: Floats
    answered: npt.NDArray[np.bool_]
    gone: Floats


@dataclass(frozen=True)
class Taught:
    """Sets that weights are fitted on.

    `share` is the weight of each set by name. `strangers` is the part of an answered query's weight, by set, for which its right
    records are taken out of the master: what is left is as like it as a stranger's best candidate.
    """

    sets: Sequence[TrainingRows]
    share: Mapping[str, float]
    strangers: Mapping[str, float]

    def queries(self) -> _Queries:
        """Of all sets, one's after another's."""
        parts, before = [], 0
        for one in self.sets:
            first = _starts(one)
            answered = np.logical_or.reduceat(one.right, first)
            weight = np.full(len(first), self.share[one.name] / len(first))
            parts.append(_Queries(first + before, weight, answered, answered * self.strangers[one.name]))
            before += len(one.right)
        starts, weight, answered, gone = (np.concatenate(column) for column in zip(*parts, strict=True))
        return _Queries(starts, weight / weight.sum(), answered, gone)


def fit(taught: Taught, towards: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Prior, prior per doubling and weights by kind and feature (nats).

    With `towards` the weights are held to those of that model instead of to zero, and what it says of the master's size stays.
    """
    sets = taught.sets
    features = sparse.vstack([one.features for one in sets]).tocsr()
    flipped = features.T.tocsr()
    right = np.concatenate([one.right for one in sets])
    doublings = np.concatenate([np.full(len(one.right), np.log2(one.rows)) for one in sets])
    starts, weight, answered, gone = taught.queries()
    there, not_there = weight * (1.0 - gone), weight * gone
    owner = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(right)]))
    spread, bounds = _spread(), _bounds()
    start = np.r_[[_AT_MOST.get(column, 0.0) for column in COLUMNS], np.zeros(len(_SHARED)), -2.0, 0.3]
    if towards is not None:
        start = _parameters(towards)
        bounds[len(COLUMNS) : -2] = [(0.0, 0.0)] * len(_SHARED)
        bounds[-1] = (start[-1], start[-1])
    shrink = np.r_[np.full(len(COLUMNS), _SHRINKAGE), np.full(len(_SHARED), _SHRINKAGE * _SHARED_SHRINKAGE), 0.0, 0.0]

    def loss(parameters: Floats) -> tuple[float, Floats]:
        prior, per_doubling = parameters[-2:]
        log_odds = features @ (spread @ parameters[:-2]) + prior - per_doubling * doublings
        odds = np.exp(np.clip(log_odds, -50, 50))
        good, wrong = np.add.reduceat(odds * right, starts), np.add.reduceat(odds * ~right, starts)
        total = 1.0 + good + wrong
        chosen = np.where(answered, good, 1.0) / total
        wanted = np.where(answered[owner], odds * right / np.maximum(good[owner], 1e-300), 0.0)
        slope = (odds / total[owner] - wanted) * there[owner] + odds * ~right * (not_there / (1.0 + wrong))[owner]
        gradient = np.r_[spread.T @ (flipped @ slope), slope.sum(), -(slope * doublings).sum()]
        apart = parameters - start
        penalty = float((shrink * apart**2).sum())
        missed = float((not_there * np.log1p(wrong)).sum() - (there * np.log(chosen + 1e-12)).sum())
        return missed + penalty, gradient + 2 * shrink * apart

    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _ITERATIONS}).x
    weights: dict[str, dict[str, float]] = {}
    for (kind, name), value in zip(COLUMNS, spread @ found[:-2], strict=True):
        if abs(value) >= 0.005:
            weights.setdefault(kind, {})[name] = round(float(value), 4)
    return {"prior": round(found[-2], 4), "prior_per_doubling": round(found[-1], 4), "weights": weights}


def expecting(unanswered: float, model: Mapping[str, Any], taught: Taught) -> dict[str, Any]:
    """The model for data where this share of the queries has no right candidate; it was taught with more.

    The prior correction of King and Zeng 2001: weights learn from strangers, and only the prior depends on how many there are.
    """
    _, weight, answered, gone = taught.queries()
    seen = 1.0 - float((weight * answered * (1.0 - gone)).sum())
    shift = np.log((1.0 - unanswered) / unanswered) - np.log((1.0 - seen) / seen)
    return {**model, "prior": round(model["prior"] + float(shift), 4)}


def _starts(one: TrainingRows) -> npt.NDArray[np.int64]:
    """Where the candidates of each query begin."""
    return np.flatnonzero(np.r_[True, one.query[1:] != one.query[:-1]])


def best_of(model: Mapping[str, Any], one: TrainingRows) -> Best:
    """Of each query that found a candidate."""
    weights = np.array([model["weights"].get(kind, {}).get(name, 0.0) for kind, name in COLUMNS])
    own = one.features @ weights + model["prior"] - model["prior_per_doubling"] * np.log2(one.rows)
    starts = _starts(one)
    ends = np.r_[starts[1:], len(own)]
    best = np.array([first + int(np.argmax(own[first:last])) for first, last in zip(starts, ends, strict=True)])
    sharing = Sharing(ends - starts, [None] * len(starts))
    log_odds = own - np.log1p(sharing.rivals(np.exp(np.clip(own, -MAX_NATS, MAX_NATS))))
    most = sharing.published(own, log_odds, _certain)
    return Best(log_odds[best], one.right[best], one.alone[one.query[best]], most[best])


def _certain(log_odds: Floats) -> Floats:
    """Instead of a calibrator: what is published then is what rivals leave."""
    return np.full_like(log_odds, MAX_NATS)
