"""What weights say of a set whose whole family of data they never saw, and how good that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.matching.score import Calibrator
from app.profiles import find_profile
from bench.quality.calibration import calibrate
from bench.quality.collect import TrainingRows
from bench.quality.figures import Outcome, figures
from bench.quality.fit import Floats, best_log_odds
from bench.quality.sets import family_of, profile_of

_SHOWN = (
    "queries",
    "hit_at_1",
    "precision",
    "recall",
    "f1",
    "no_match_unlinked",
    "ece",
    "brier",
    "intervals",
    "reliability",
)
"""Of the figures those that the best candidates tell."""


@dataclass(frozen=True)
class LeftOut:
    """Of every query that found a candidate: the best one's log-odds (nats) and whether it is right."""

    rows: TrainingRows
    of_best: tuple[Floats, npt.NDArray[np.bool_]]

    @property
    def family(self) -> str:
        return family_of(self.rows.name)


def left_out(model: Mapping[str, Any], rows: TrainingRows) -> LeftOut:
    return LeftOut(rows, best_log_odds(model, rows))


def report(held_back: Sequence[LeftOut], label: str) -> dict[str, Any]:
    """Figures of every set with all its fields, by name, as if the model of that label had been fitted without its family.

    Neither weights nor calibrator have seen the family.
    """
    whole = {one.rows.name: one for one in reversed(held_back)}  # with fields dropped it comes a second time, behind
    calibrators = {family: _calibrator(family, held_back) for family in {one.family for one in held_back}}
    return {
        name: {"model": label, "left_out": one.family, **_figures(one, calibrators[one.family])}
        for name, one in sorted(whole.items())
    }


def _calibrator(family: str, held_back: Sequence[LeftOut]) -> Calibrator:
    fitted = calibrate([one.of_best for one in held_back if one.family != family])
    return Calibrator(tuple(fitted["knots"]), tuple(fitted["values"]))


def _figures(one: LeftOut, calibrator: Calibrator) -> dict[str, Any]:
    profile = find_profile(profile_of(one.rows.name))
    log_odds, right = one.of_best
    asked = len(one.rows.answerable)
    score, is_right = np.zeros(asked), np.zeros(asked, np.bool_)
    answered = np.unique(one.rows.query)
    score[answered], is_right[answered] = 1.0 / (1.0 + np.exp(-calibrator(log_odds))), right
    outcome = Outcome(score, is_right, is_right.astype(np.int64), one.rows.answerable)
    found = figures(outcome, profile.match_threshold)
    return {"match_from": profile.match_threshold, **{name: found[name] for name in _SHOWN}}
