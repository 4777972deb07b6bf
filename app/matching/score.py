"""Weighs the features of a comparison into evidence in bits, shares it out among competing candidates and calibrates it.

Every candidate c of one query has log-odds l_c = prior + sum of weighted features (Fellegi and Sunter 1969, the weights
fitted discriminatively so that correlated evidence is counted once). Only one candidate, or none, is the entity:
P(c) = e^l_c / (1 + sum over j of e^l_j), that is log-odds l_c - ln(1 + sum over j ≠ c of e^l_j): the competition is one more
term of the sum. A monotone calibrator then maps the log-odds to the published probability.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from app.matching.compare.candidates import Comparison, feature_names

Floats = npt.NDArray[np.float64]

BITS = 1.0 / math.log(2.0)
"""Nats to bits."""
_MAX_NATS = 60.0
_DECIDED_NATS = 104.0
"""150 bits: a person's word is more than all that comparison can find against it, and than any rival can have for it."""
_LEAST_ROWS = 64
"""The model was fitted on no smaller master; below this the prior stays what it is here."""


@dataclass(frozen=True, slots=True)
class Calibrator:
    """Monotone map of log-odds (nats), piecewise linear between knots and linear with slope 1 beyond them."""

    knots: tuple[float, ...] = (0.0,)
    values: tuple[float, ...] = (0.0,)

    def __call__(self, log_odds: Floats) -> Floats:
        inside = np.interp(log_odds, self.knots, self.values)
        below = np.minimum(log_odds - self.knots[0], 0.0)
        above = np.maximum(log_odds - self.knots[-1], 0.0)
        calibrated: Floats = inside + below + above
        return calibrated

    def inverse(self, probability: float) -> float:
        """The least log-odds (nats) whose calibrated probability reaches `probability`, itself strictly in (0, 1)."""
        wanted = math.log(probability / (1.0 - probability))
        if wanted < self.values[0]:
            return self.knots[0] + wanted - self.values[0]
        if wanted > self.values[-1]:
            return self.knots[-1] + wanted - self.values[-1]
        return float(np.interp(wanted, self.values, self.knots))


@dataclass(frozen=True, slots=True)
class ScoreModel:
    """Fitted weights; `weights[kind][feature]` in nats for a unit of the feature."""

    name: str
    prior: float
    prior_per_doubling: float
    """Taken off for each doubling of the master's size: a stranger as similar becomes likelier."""
    competition: float
    weights: Mapping[str, Mapping[str, float]]
    calibrator: Calibrator = field(default_factory=Calibrator)
    _vectors: dict[str, Floats] = field(default_factory=dict, init=False, repr=False, compare=False)

    def vector(self, kind: str) -> Floats:
        """The weights of a kind's features, in their order."""
        if kind not in self._vectors:
            weights = self.weights.get(kind, {})
            self._vectors[kind] = np.array([weights.get(name, 0.0) for name in feature_names(kind)])
        return self._vectors[kind]

    def bits_at(self, threshold: float) -> float:
        """The match weight (bits) at which the score reaches a threshold."""
        return self.calibrator.inverse(min(max(threshold, 1e-9), 1.0 - 1e-9)) * BITS


@dataclass(frozen=True, slots=True)
class Scores:
    """Of all candidates of one query, in retrieval order; nats unless said.

    `slots` is (slots, candidates): what each slot adds; `prior + slots.sum(0) + standing + competition` is `log_odds`.
    `standing` is not zero where a person has decided about the pair.
    """

    prior: float
    slots: Floats
    standing: Floats
    competition: Floats
    log_odds: Floats
    score: Floats

    def bits(self, candidate: int) -> float:
        """The match weight of one candidate."""
        return float(self.log_odds[candidate]) * BITS


def score(comparison: Comparison, model: ScoreModel, rows: int, decided: Mapping[int, bool] | None = None) -> Scores:
    """Scores every candidate of a comparison against a snapshot of `rows` records.

    `decided` says of candidates that a person has decided about whether they are the entity.
    """
    # Not a matrix product: that adds up a row's terms in an order that depends on the row's place among the others.
    slots = np.array([np.einsum("ij,j->i", slot.features, model.vector(slot.kind)) for slot in comparison.slots])
    return combine(slots.reshape(len(comparison.slots), comparison.candidates), model, rows, decided)


def prior_of(model: ScoreModel, rows: int) -> float:
    """The prior (nats) against a snapshot of `rows` records."""
    return model.prior - model.prior_per_doubling * math.log2(max(rows, _LEAST_ROWS))


def combine(slots: Floats, model: ScoreModel, rows: int, decided: Mapping[int, bool] | None = None) -> Scores:
    """From what each slot adds for each candidate, (slots, candidates) in nats, to shared out and calibrated scores."""
    prior = prior_of(model, rows)
    own = prior + slots.sum(axis=0)
    standing = np.zeros(len(own))
    for candidate, same in (decided or {}).items():
        standing[candidate] = (_DECIDED_NATS if same else -_DECIDED_NATS) - own[candidate]
    odds = np.exp(np.where(standing != 0.0, own + standing, np.minimum(np.maximum(own, -_MAX_NATS), _MAX_NATS)))
    competition = -model.competition * _others(odds)
    log_odds = own + standing + competition
    return Scores(prior, slots, standing, competition, log_odds, published(log_odds, model.calibrator))


def published(log_odds: Floats, calibrator: Calibrator) -> Floats:
    """The calibrated probability of the best candidate; the others keep their proportion to it.

    The calibrator was fitted on best candidates. Moving each candidate by itself would let many unlikely ones add up to more
    than certainty and take it from the likely one.
    """
    if not len(log_odds):
        return log_odds
    shares = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -_MAX_NATS, _MAX_NATS)))
    best = log_odds.max(keepdims=True)
    wanted = 1.0 / (1.0 + np.exp(-calibrator(np.clip(best, -_MAX_NATS, _MAX_NATS))))
    factor = min(float(wanted[0] / shares.max()), 1.0 / float(shares.sum()))
    published: Floats = shares * factor
    return published


def _others(odds: Floats) -> Floats:
    """ln(1 + sum over the other candidates of their odds), for each candidate."""
    rest = np.maximum(odds.sum() - odds, 0.0)
    others: Floats = np.log1p(rest)
    return others
