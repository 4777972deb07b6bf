"""The figures of one set: hits, precision and recall at a threshold, calibration, with bootstrap intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_BINS = 15
_RESAMPLES = 200


@dataclass(frozen=True)
class Outcome:
    """Of every query: the best candidate's score, whether it is right, at which rank a right one stands, if there is any."""

    score: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]
    rank: npt.NDArray[np.int64]
    """Rank of the first right candidate, from 1; 0 when none was returned."""
    answerable: npt.NDArray[np.bool_]

    def part(self, at: npt.NDArray[np.int64]) -> Outcome:
        return Outcome(self.score[at], self.right[at], self.rank[at], self.answerable[at])


def figures(outcome: Outcome, threshold: float) -> dict[str, Any]:
    """All figures of one set; those that its queries cannot show are None."""
    precision, recall, f1 = links(outcome, threshold)
    linked, strangers = outcome.score >= threshold, ~outcome.answerable
    return {
        "queries": len(outcome.score),
        "hit_at_1": _hits(outcome, 1),
        "hit_at_5": _hits(outcome, 5),
        "hit_at_10": _hits(outcome, 10),
        "recall_at_50": _hits(outcome, 50),
        "intervals": intervals(outcome, threshold),
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "f1": round(f1, 4),
        "recall_at_precision_95": _recall_at(outcome, 0.95),
        "recall_at_precision_99": _recall_at(outcome, 0.99),
        "no_match_unlinked": round(float(1 - linked[strangers].mean()), 4) if strangers.any() else None,
        "ece": round(_ece(outcome), 4),
        "brier": round(float(((outcome.score - outcome.right) ** 2).mean()), 4),
        "reliability": _reliability(outcome),
    }


def links(outcome: Outcome, threshold: float) -> tuple[float, float, float]:
    """Precision, recall and F1 of linking the best candidate from a score on."""
    linked = outcome.score >= threshold
    correct = int((linked & outcome.right).sum())
    precision = correct / max(int(linked.sum()), 1)
    recall = correct / max(int(outcome.answerable.sum()), 1)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


def intervals(outcome: Outcome, threshold: float) -> dict[str, tuple[float, float]]:
    """95 % bootstrap intervals over the queries."""
    rng = np.random.default_rng(0)
    count = len(outcome.score)
    drawn = [outcome.part(rng.integers(0, count, count)) for _ in range(_RESAMPLES)]
    samples = np.array([(_hits(part, 1), *links(part, threshold), _ece(part)) for part in drawn])
    low, high = np.quantile(samples, (0.025, 0.975), axis=0).round(4).tolist()
    names = ("hit_at_1", "precision", "recall", "f1", "ece")
    return {name: (low[i], high[i]) for i, name in enumerate(names)}


def _hits(outcome: Outcome, first: int) -> float:
    found = (outcome.rank > 0) & (outcome.rank <= first) & outcome.answerable
    return round(float(found.sum() / max(outcome.answerable.sum(), 1)), 4)


def _recall_at(outcome: Outcome, precision: float) -> float:
    order = np.argsort(-outcome.score, kind="stable")
    correct = np.cumsum(outcome.right[order])
    enough = np.flatnonzero(correct / np.arange(1, len(order) + 1) >= precision)
    return round(float(correct[enough[-1]] / max(outcome.answerable.sum(), 1)), 4) if len(enough) else 0.0


def _bins(outcome: Outcome) -> list[npt.NDArray[np.int64]]:
    return [part for part in np.array_split(np.argsort(outcome.score, kind="stable"), _BINS) if len(part)]


def _ece(outcome: Outcome) -> float:
    """Expected calibration error over bins of equal mass."""
    gaps = [len(part) * abs(outcome.score[part].mean() - outcome.right[part].mean()) for part in _bins(outcome)]
    return float(sum(gaps) / max(len(outcome.score), 1))


def _reliability(outcome: Outcome) -> list[tuple[float, float, int]]:
    """Mean score, share that is right, and size of each bin."""
    return [
        (round(float(outcome.score[part].mean()), 4), round(float(outcome.right[part].mean()), 4), len(part))
        for part in _bins(outcome)
    ]
