"""What is fitted on families that the weights had not seen: the calibrator, and what it adds where one value is compared."""

from __future__ import annotations

import numpy as np

from bench.quality.calibration import Best, Calibration


def best(log_odds: np.ndarray, off: float, *, alone: bool, seed: int) -> Best:
    """Right as often as the log-odds say once so much is added to them."""
    right = np.random.default_rng(seed).random(len(log_odds)) < 1 / (1 + np.exp(-(log_odds + off)))
    return Best(log_odds, right, np.full(len(log_odds), alone), np.ones(len(log_odds)))


SPREAD = np.linspace(-6, 6, 4_000)


def test_a_value_alone_that_is_scored_too_low_is_shifted_up_in_part() -> None:
    honest, low = best(SPREAD, 0.0, alone=False, seed=1), best(SPREAD, 1.0, alone=True, seed=2)
    found = Calibration.fitted([honest] * 9 + [low])
    assert 0.2 < found.shift_alone < 0.9
    wrong, better = (np.mean((one.published(low) - low.right) ** 2) for one in (found._replace(shift_alone=0.0), found))
    assert better < wrong
    assert found.published(honest).tolist() == found._replace(shift_alone=0.0).published(honest).tolist()


def test_every_set_counts_the_same_however_large() -> None:
    low, high = best(SPREAD, 1.0, alone=True, seed=3), best(SPREAD, -1.0, alone=True, seed=4)
    few = Best(*(array[::4] for array in high))  # type: ignore[arg-type]
    both, fewer = Calibration.fitted([low, high]), Calibration.fitted([low, few])
    assert abs(both.shift_alone - fewer.shift_alone) < 0.1


def test_no_probability_is_more_than_rivals_leave() -> None:
    crowded = best(SPREAD, 0.0, alone=False, seed=5)._replace(most=np.full(len(SPREAD), 0.4))
    assert Calibration.fitted([crowded]).published(crowded).max() == 0.4
