"""Judges two models on the same labelled pairs: what each is worth, and whether one is better beyond chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_BINS = 10
_RESAMPLES = 500
_CONFIDENT = 0.9
"""Share of resamples in which the new model must lose less: one labelled set in ten may still fool us."""
_LEAST_PROBABILITY = 1e-6


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Pairs that neither model saw: both scores, the label, and the record that each belongs to."""

    before: Floats
    after: Floats
    right: npt.NDArray[np.bool_]
    record: npt.NDArray[np.int64]

    def part(self, at: npt.NDArray[np.int64]) -> HeldBack:
        return HeldBack(self.before[at], self.after[at], self.right[at], self.record[at])


def judge(pairs: HeldBack, threshold: float) -> dict[str, Any]:
    """Figures of both models with 95 % bootstrap intervals over records, and whether the new one is better."""
    resamples = [pairs.part(at) for at in _resamples(pairs.record)]
    before, after = _log_loss(pairs.before, pairs.right), _log_loss(pairs.after, pairs.right)
    gains = np.array([_log_loss(one.before, one.right) - _log_loss(one.after, one.right) for one in resamples])
    surety = float((gains > 0).mean())
    return {
        "before": _figures(pairs.before, [one.before for one in resamples], pairs, resamples, threshold),
        "after": _figures(pairs.after, [one.after for one in resamples], pairs, resamples, threshold),
        "log_loss_gain": {"value": round(before - after, 4), "interval": _interval(gains), "surety": round(surety, 3)},
        "better": bool(after < before and surety >= _CONFIDENT),
    }


def _resamples(record: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """Pairs of one record stay together, because they are wrong together."""
    rng = np.random.default_rng(0)
    places = [np.flatnonzero(record == one) for one in np.unique(record)]
    chosen = rng.integers(0, len(places), (_RESAMPLES, len(places)))
    return [np.concatenate([places[i] for i in row]) for row in chosen]


def _figures(
    score: Floats, scores: list[Floats], pairs: HeldBack, resamples: list[HeldBack], threshold: float
) -> dict[str, Any]:
    values = _measured(score, pairs.right, threshold)
    drawn = [_measured(one, part.right, threshold) for one, part in zip(scores, resamples, strict=True)]
    return {
        name: {
            "value": None if np.isnan(value) else round(value, 4),
            "interval": _interval([row[name] for row in drawn]),
        }
        for name, value in values.items()
    }


def _measured(score: Floats, right: npt.NDArray[np.bool_], threshold: float) -> dict[str, float]:
    linked = score >= threshold
    correct = float((linked & right).sum())
    return {
        "log_loss": _log_loss(score, right),
        "brier": float(((score - right) ** 2).mean()),
        "ece": _ece(score, right),
        "precision": correct / linked.sum() if linked.any() else float("nan"),
        "recall": correct / right.sum() if right.any() else float("nan"),
    }


def _log_loss(score: Floats, right: npt.NDArray[np.bool_]) -> float:
    safe = np.clip(score, _LEAST_PROBABILITY, 1.0 - _LEAST_PROBABILITY)
    return float(-np.log(np.where(right, safe, 1.0 - safe)).mean())


def _ece(score: Floats, right: npt.NDArray[np.bool_]) -> float:
    """Expected calibration error over bins of equal mass."""
    parts = [part for part in np.array_split(np.argsort(score, kind="stable"), _BINS) if len(part)]
    return sum(len(part) * abs(float(score[part].mean() - right[part].mean())) for part in parts) / len(score)


def _interval(values: Floats | list[float]) -> list[float] | None:
    found = np.array(values)
    found = found[~np.isnan(found)]
    if not len(found):
        return None
    low, high = np.quantile(found, (0.025, 0.975))
    return [round(float(low), 4), round(float(high), 4)]
