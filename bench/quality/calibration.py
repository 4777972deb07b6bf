"""Fits the calibrator on log-odds of sets that the weights had not seen: families of data are left out in turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar

from app.matching.score import Calibrator

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

KNOTS = np.array([-8.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0, 8.0])
TRUST = 0.4
"""How much of the correction is taken: kinds of data left out look less certain than they are once they are not."""
_ALONE_TRUST = 0.6
"""The same where one value is compared, which is mostly a name: every family has names, so none of them is quite unseen."""
_LARGEST_SHIFT = 3.0
_SMOOTHNESS = 2e-4


class Best(NamedTuple):
    """The best candidate of every query of a set: its log-odds (nats) after competition, and whether it is right.

    `alone` says whether one value is compared, `most` what its rivals leave of certainty.
    """

    log_odds: Floats
    right: Mask
    alone: Mask
    most: Floats


class Calibration(NamedTuple):
    """What a model's file says of it."""

    knots: list[float]
    values: list[float]
    shift_alone: float

    @classmethod
    def fitted(cls, held_back: Sequence[Best]) -> Calibration:
        """Every set counts the same, however large."""
        unshifted = cls(KNOTS.tolist(), _fitted_values(held_back), 0.0)
        return unshifted._replace(shift_alone=_fitted_shift(held_back, unshifted.calibrator))

    @property
    def calibrator(self) -> Calibrator:
        return Calibrator(tuple(self.knots), tuple(self.values))

    def published(self, best: Best) -> Floats:
        """Probabilities, as the product shares them out; of copies it knows nothing."""
        wanted = 1.0 / (1.0 + np.exp(-self.calibrator(best.log_odds + self.shift_alone * best.alone)))
        score: Floats = np.minimum(wanted, best.most)
        return score


def _fitted_values(held_back: Sequence[Best]) -> list[float]:
    """Of a rising piecewise-linear map, at the knots."""
    log_odds = np.clip(np.concatenate([one.log_odds for one in held_back]), -15, 15)
    right = np.concatenate([one.right for one in held_back])
    weight = np.concatenate([np.full(len(one.right), 1.0 / len(one.right)) for one in held_back])
    weight /= weight.sum()

    def values(parameters: Floats) -> Floats:
        steps = np.r_[0.0, np.cumsum(np.exp(parameters[1:]) * np.diff(KNOTS))]
        shifted: Floats = steps - np.interp(0.0, KNOTS, steps) + parameters[0]
        return shifted

    def loss(parameters: Floats) -> float:
        at = np.interp(log_odds, KNOTS, values(parameters))
        at = at + np.minimum(log_odds - KNOTS[0], 0.0) + np.maximum(log_odds - KNOTS[-1], 0.0)
        return float((weight * _cross_entropy(at, right)).sum() + _SMOOTHNESS * (parameters[1:] ** 2).sum())

    found = values(minimize(loss, np.zeros(len(KNOTS)), method="L-BFGS-B").x)
    taken = KNOTS + TRUST * (found - KNOTS)
    return [round(float(value), 3) for value in taken]


def _fitted_shift(held_back: Sequence[Best], calibrator: Calibrator) -> float:
    """What is added to log-odds where one value is compared."""
    parts = [(one.log_odds[one.alone], one.right[one.alone]) for one in held_back if one.alone.any()]

    def loss(shift: float) -> float:
        return sum(float(_cross_entropy(calibrator(log_odds + shift), right).mean()) for log_odds, right in parts)

    found = minimize_scalar(loss, bounds=(-_LARGEST_SHIFT, _LARGEST_SHIFT), method="bounded").x
    return round(_ALONE_TRUST * float(found), 3)


def _cross_entropy(log_odds: Floats, right: Mask) -> Floats:
    entropy: Floats = np.logaddexp(0, np.where(right, -log_odds, log_odds))
    return entropy
