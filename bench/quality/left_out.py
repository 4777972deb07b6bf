"""What weights say of a set whose whole family of data they never saw, and how good that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.profiles import find_profile
from bench.quality.calibration import Best, Calibration
from bench.quality.collect import TrainingRows
from bench.quality.figures import Outcome, figures
from bench.quality.fit import best_of
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
    """What weights that never saw a set's family say of it."""

    rows: TrainingRows
    best: Best

    @property
    def family(self) -> str:
        return family_of(self.rows.name)


def left_out(model: Mapping[str, Any], rows: TrainingRows) -> LeftOut:
    return LeftOut(rows, best_of(model, rows))


def report(held_back: Sequence[LeftOut], label: str) -> dict[str, Any]:
    """Figures of every set with all its fields, by name, as if the model of that label had been fitted without its family.

    Neither weights nor calibration have seen the family.
    """
    whole = {one.rows.name: one for one in reversed(held_back)}  # with fields dropped it comes a second time, behind
    fitted = {
        family: Calibration.fitted([one.best for one in held_back if one.family != family])
        for family in {one.family for one in held_back}
    }
    return {
        name: {"model": label, "left_out": one.family, **_figures(one, fitted[one.family])}
        for name, one in sorted(whole.items())
    }


def _figures(one: LeftOut, calibration: Calibration) -> dict[str, Any]:
    profile = find_profile(profile_of(one.rows.name))
    asked = len(one.rows.answerable)
    score, is_right = np.zeros(asked), np.zeros(asked, np.bool_)
    answered = np.unique(one.rows.query)
    score[answered], is_right[answered] = calibration.published(one.best), one.best.right
    outcome = Outcome(score, is_right, is_right.astype(np.int64), one.rows.answerable)
    found = figures(outcome, profile.match_threshold)
    return {"match_from": profile.match_threshold, **{name: found[name] for name in _SHOWN}}
