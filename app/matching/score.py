"""Weighs the features of a comparison into evidence in bits, shares it out among competing candidates and calibrates it.

Every candidate c of one query has log-odds l_c = prior + sum of weighted features (Fellegi and Sunter 1969, the weights
fitted discriminatively so that correlated evidence is counted once). Only one candidate, or none, is the entity:
P(c) = e^l_c / (1 + sum over j of e^l_j), that is log-odds l_c - ln(1 + sum over j ≠ c of e^l_j): the competition is one more
term of the sum (`app.matching.sharing`). A monotone calibrator then maps the log-odds to the published probability.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from app.matching.compare.candidates import Comparison, feature_names
from app.matching.sharing import MAX_NATS, Copies, Sharing

Floats = npt.NDArray[np.float64]
Decided = Mapping[int, bool]
"""By candidate that a person has decided about, whether it is the entity."""

BITS = 1.0 / math.log(2.0)
"""Nats to bits."""
_DECIDED_NATS = 104.0
"""150 bits: a person's word is more than all that comparison can find against it, and than any rival can have for it."""
_LEAST_ROWS = 256
"""The model was fitted on hardly any smaller master; below this the prior stays what it is here."""


@dataclass(frozen=True, slots=True)
class Calibrator:
    """Monotone map of log-odds (nats), piecewise linear between knots and linear with slope 1 beyond them."""

    knots: tuple[float, ...] = (0.0,)
    values: tuple[float, ...] = (0.0,)

    def __call__(self, log_odds: Floats) -> Floats:
        following = np.searchsorted(self.knots[1:-1], log_odds, side="right") + 1 if len(self.knots) > 1 else 0
        rounded_up = np.interp(log_odds, self.knots, self.values)  # by the last bit, just before a knot
        inside = np.minimum(rounded_up, np.take(self.values, following))
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
    shift_alone: float = 0.0
    """What the calibrator adds (nats) to the log-odds of a record of which one value is compared: several values say the
    same in part, one does not."""
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
    `standing` is not zero where a person has decided about the pair. The calibrator takes `log_odds + shift`.
    """

    prior: float
    shift: float
    slots: Floats
    copies: Copies
    standing: Floats
    competition: Floats
    log_odds: Floats
    score: Floats

    def bits(self, candidate: int) -> float:
        """The match weight of one candidate."""
        return float(self.log_odds[candidate]) * BITS


def score(
    comparison: Comparison, model: ScoreModel, rows: int, decided: Decided | None = None, copies: Copies = None
) -> Scores:
    """Scores every candidate of a comparison against a snapshot of `rows` records.

    `decided` says of candidates that a person has decided about whether they are the entity.
    """
    [scores] = score_all([comparison], model, rows, [decided or {}], [copies])
    return scores


def score_all(
    comparisons: Sequence[Comparison],
    model: ScoreModel,
    rows: int,
    decided: Sequence[Decided],
    copies: Sequence[Copies],
) -> list[Scores]:
    """`score` of each comparison, all at once: what a call costs is shared by all."""
    slots = [np.empty((len(one.slots), one.candidates)) for one in comparisons]
    alike: dict[tuple[str, tuple[str, ...]], list[tuple[Floats, Floats]]] = {}
    for comparison, added in zip(comparisons, slots, strict=True):
        for at, slot in enumerate(comparison.slots):
            alike.setdefault((slot.kind, slot.fields), []).append((slot.features, added[at]))
    for (kind, _), parts in alike.items():
        features = parts[0][0] if len(parts) == 1 else np.concatenate([part for part, _ in parts])
        # Not a matrix product: that adds up a row's terms in an order that depends on the row's place among the others.
        weighed = np.einsum("ij,j->i", features, model.vector(kind))
        end = 0
        for part, added in parts:
            start, end = end, end + len(part)
            added[:] = weighed[start:end]
    shifts = [model.shift_alone if one.of_one_value else 0.0 for one in comparisons]
    return combine_all(slots, model, rows, decided, copies, shifts)


def prior_of(model: ScoreModel, rows: int) -> float:
    """The prior (nats) against a snapshot of `rows` records."""
    return model.prior - model.prior_per_doubling * math.log2(max(rows, _LEAST_ROWS))


def combine(
    slots: Floats,
    model: ScoreModel,
    rows: int,
    decided: Decided | None = None,
    copies: Copies = None,
    shift: float = 0.0,
) -> Scores:
    """From what each slot adds for each candidate, (slots, candidates) in nats, to shared out and calibrated scores.

    A candidate of which nothing is compared is not shifted.
    """
    [scores] = combine_all([slots], model, rows, [decided or {}], [copies], [shift])
    return scores


def combine_all(
    slots: Sequence[Floats],
    model: ScoreModel,
    rows: int,
    decided: Sequence[Decided],
    copies: Sequence[Copies],
    shifts: Sequence[float],
) -> list[Scores]:
    """`combine` of each query's candidates, all of them in one row of arrays."""
    prior = prior_of(model, rows)
    counts = np.fromiter((added.shape[1] for added in slots), np.intp, len(slots))
    ends = counts.cumsum()
    own = prior + np.concatenate([added.sum(axis=0) for added in slots]) if len(slots) else np.empty(0)
    standing = np.zeros(len(own))
    for start, of_query in zip((ends - counts).tolist(), decided, strict=True):
        for candidate, same in of_query.items():
            standing[start + candidate] = (_DECIDED_NATS if same else -_DECIDED_NATS) - own[start + candidate]
    seen_alone = own + standing
    odds = np.exp(np.where(standing != 0.0, seen_alone, np.minimum(np.maximum(own, -MAX_NATS), MAX_NATS)))
    sharing = Sharing(counts, copies)
    competition = -model.competition * np.log1p(sharing.rivals(odds))
    log_odds = seen_alone + competition
    shift = np.repeat(shifts, counts) * (own != prior) if any(shifts) else 0.0
    score = sharing.published(seen_alone, log_odds, model.calibrator, shift)
    arrays = (standing, competition, log_odds, score)
    return [
        Scores(prior, shift, added, alike, *(array[end - count : end] for array in arrays))
        for added, shift, count, end, alike in zip(slots, shifts, counts.tolist(), ends.tolist(), copies, strict=True)
    ]
