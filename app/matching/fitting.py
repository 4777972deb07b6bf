"""Refits a shipped model to labelled pairs of one dataset: few parameters, strongly held to what was shipped.

Each labelled pair is one observation of the published probability: with a record's candidates c at log-odds
l_c = prior + shift + sum over kinds k of scale_k * evidence_kc, the pair's is z = l_c - ln(1 + sum over the others of e^l),
and P = sigmoid(offset + slope * C(z)) with the shipped calibrator C. What is maximised is the likelihood of the labels times
normal priors around the shipped model (shift 0, scales 1, offset 0, slope 1), by damped Gauss-Newton steps. Candidates without
a label hold to their shipped scores, a little each: else a flat calibrator would give every one of fifty its share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.matching.adapting import Adaptation, adapted
from app.matching.score import ScoreModel, combine, prior_of
from app.matching.sharing import COPY_RIVALRY, Copies

Floats = npt.NDArray[np.float64]

_SHIFT_SD = 1.5
_SCALE_SD = 0.2
_OFFSET_SD = 0.7
_SLOPE_SD = 0.2
"""How far each may go from what was shipped: fifty labels move the prior, and hardly a weight."""
_UNLABELLED_WEIGHT = 0.25
"""Of a candidate without a label, beside 1 for a label."""
_LEAST_SCALE, _LEAST_SLOPE = 0.05, 0.2
_STEPS = 30
_ENOUGH = 1e-7
_LARGEST_NATS = 60.0


@dataclass(frozen=True, slots=True)
class LabelledRecord:
    """A record's candidates under the shipped model, and of some whether they are its entity.

    `evidence` is (kinds, candidates) in nats, `labels` by position of a candidate; the calibrator adds `shift` (nats).
    """

    evidence: Floats
    labels: Mapping[int, bool]
    copies: Copies = None
    shift: float = 0.0


@dataclass(frozen=True, slots=True)
class _Observed:
    """Of one record: the evidence, and for each candidate what its score should be and how much that counts."""

    evidence: Floats
    copies: Copies
    shift: float
    wanted: Floats
    weight: Floats


def fit(records: Sequence[LabelledRecord], kinds: Sequence[str], model: ScoreModel, rows: int) -> Adaptation:
    """The adaptation that explains the labels best; the shipped model itself where there are none."""
    start = np.r_[0.0, np.ones(len(kinds)), 0.0, 1.0]
    precision = np.r_[_SHIFT_SD, np.full(len(kinds), _SCALE_SD), _OFFSET_SD, _SLOPE_SD] ** -2.0
    least = np.r_[-np.inf, np.full(len(kinds), _LEAST_SCALE), -np.inf, _LEAST_SLOPE]
    prior = prior_of(model, rows)
    observed = [_observed(record, model, rows) for record in records]
    found, damping = start, 1e-3
    loss, gradient, curvature = _objective(observed, found, start, precision, model, prior)
    for _ in range(_STEPS):
        step = np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), gradient)
        tried = np.maximum(found - step, least)
        better = _objective(observed, tried, start, precision, model, prior)
        if better[0] > loss:
            damping *= 8.0
            continue
        gained = loss - better[0]
        found, (loss, gradient, curvature), damping = tried, better, max(damping / 4.0, 1e-6)
        if gained < _ENOUGH:
            break
    scales = {kind: round(float(scale), 4) for kind, scale in zip(kinds, found[1:-2], strict=True)}
    return Adaptation(round(float(found[0]), 4), scales, round(float(found[-2]), 4), round(float(found[-1]), 4))


def _observed(record: LabelledRecord, model: ScoreModel, rows: int) -> _Observed:
    wanted = combine(record.evidence, model, rows, copies=record.copies, shift=record.shift).score
    weight = np.full(len(wanted), _UNLABELLED_WEIGHT)
    at = list(record.labels)
    wanted[at], weight[at] = [float(same) for same in record.labels.values()], 1.0
    return _Observed(record.evidence, record.copies, record.shift, wanted, weight)


def _objective(
    records: Sequence[_Observed],
    parameters: Floats,
    start: Floats,
    precision: Floats,
    model: ScoreModel,
    prior: float,
) -> tuple[float, Floats, Floats]:
    """Minus the log posterior, its gradient and its Gauss-Newton curvature."""
    away = parameters - start
    loss = 0.5 * float(precision @ away**2)
    gradient, curvature = precision * away, np.diag(precision)
    for record in records:
        log_odds, slopes = _log_odds(record, parameters, model, prior)
        loss += float(record.weight @ (np.logaddexp(0.0, log_odds) - record.wanted * log_odds))
        probability = 1.0 / (1.0 + np.exp(-log_odds))
        gradient = gradient + slopes.T @ (record.weight * (probability - record.wanted))
        curvature = curvature + (slopes.T * (record.weight * probability * (1.0 - probability))) @ slopes
    return loss, gradient, curvature


def _log_odds(record: _Observed, parameters: Floats, model: ScoreModel, prior: float) -> tuple[Floats, Floats]:
    """Calibrated log-odds of the candidates, (candidates,), and their derivatives, (candidates, parameters)."""
    shift, scales, offset, slope = parameters[0], parameters[1:-2], parameters[-2], parameters[-1]
    own = np.clip(prior + shift + scales @ record.evidence, -_LARGEST_NATS, _LARGEST_NATS)
    others = np.tile(np.exp(own), (len(own), 1))
    if record.copies is not None:
        others[record.copies[:, None] == record.copies] *= COPY_RIVALRY
    np.fill_diagonal(others, 0.0)
    total = 1.0 + others.sum(axis=1)
    z = own - model.competition * np.log(total) + record.shift
    of_own = -model.competition * others / total[:, None]
    np.fill_diagonal(of_own, 1.0)
    calibrated = model.calibrator(z)
    through = slope * (model.calibrator(z + 1e-4) - model.calibrator(z - 1e-4)) / 2e-4
    by_shift = through * of_own.sum(axis=1)
    by_scales = through[:, None] * (of_own @ record.evidence.T)
    return offset + slope * calibrated, np.column_stack([by_shift, by_scales, np.ones(len(own)), calibrated])


def scores(
    records: Sequence[LabelledRecord], kinds: Sequence[str], model: ScoreModel, adaptation: Adaptation, rows: int
) -> Floats:
    """The published score of every labelled pair under an adaptation, in the records' order; the product's own arithmetic."""
    changed = adapted(model, adaptation, model.name)
    scales = np.array([adaptation.scales.get(kind, 1.0) for kind in kinds])
    found = [
        combine(one.evidence * scales[:, None], changed, rows, copies=one.copies, shift=one.shift).score[
            list(one.labels)
        ]
        for one in records
    ]
    return np.concatenate(found) if found else np.zeros(0)
