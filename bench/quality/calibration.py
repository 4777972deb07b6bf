"""Fits the calibrator on log-odds of sets that the weights had not seen: families of data are left out in turn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

Floats = npt.NDArray[np.float64]

KNOTS = np.array([-8.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0, 8.0])
TRUST = 0.4
"""How much of the correction is taken: kinds of data left out look less certain than they are once they are not."""
_SMOOTHNESS = 2e-4


def calibrate(held_back: Sequence[tuple[Floats, npt.NDArray[np.bool_]]]) -> dict[str, list[float]]:
    """Knots and values of a rising piecewise-linear map; every set counts the same, however large."""
    log_odds = np.clip(np.concatenate([odds for odds, _ in held_back]), -15, 15)
    right = np.concatenate([found for _, found in held_back]).astype(np.float64)
    weight = np.concatenate([np.full(len(odds), 1.0 / len(odds)) for odds, _ in held_back])
    weight /= weight.sum()

    def values(parameters: Floats) -> Floats:
        steps = np.r_[0.0, np.cumsum(np.exp(parameters[1:]) * np.diff(KNOTS))]
        shifted: Floats = steps - np.interp(0.0, KNOTS, steps) + parameters[0]
        return shifted

    def loss(parameters: Floats) -> float:
        at = np.interp(log_odds, KNOTS, values(parameters))
        at = at + np.minimum(log_odds - KNOTS[0], 0.0) + np.maximum(log_odds - KNOTS[-1], 0.0)
        cross_entropy = weight * (right * np.logaddexp(0, -at) + (1 - right) * np.logaddexp(0, at))
        return float(cross_entropy.sum() + _SMOOTHNESS * (parameters[1:] ** 2).sum())

    found = values(minimize(loss, np.zeros(len(KNOTS)), method="L-BFGS-B").x)
    taken = KNOTS + TRUST * (found - KNOTS)
    return {"knots": KNOTS.tolist(), "values": [round(float(value), 3) for value in taken]}
