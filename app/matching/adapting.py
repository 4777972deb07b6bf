"""What a dataset's labels change of a shipped model: few numbers, so that fifty labelled pairs can carry them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from app.matching.score import Calibrator, ScoreModel

_FAR_NATS = 60.0
"""Beyond this nothing is scored."""


@dataclass(frozen=True, slots=True)
class Adaptation:
    """The default changes nothing.

    The evidence of a kind of slot is multiplied by its scale (at least 0), the prior moves by `prior_shift` (nats), and
    the calibrated log-odds c become `offset + slope * c`, which keeps their order.
    """

    prior_shift: float = 0.0
    scales: Mapping[str, float] = field(default_factory=dict)
    offset: float = 0.0
    slope: float = 1.0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Adaptation:
        return cls(**data)


def adapted(model: ScoreModel, adaptation: Adaptation, name: str) -> ScoreModel:
    """The model with what the labels changed; `name` tells it from the shipped one."""
    weights = {
        kind: {feature: weight * adaptation.scales.get(kind, 1.0) for feature, weight in features.items()}
        for kind, features in model.weights.items()
    }
    knots = (-_FAR_NATS, *model.calibrator.knots, _FAR_NATS)
    values = adaptation.offset + adaptation.slope * model.calibrator(np.array(knots))
    return replace(
        model,
        name=name,
        prior=model.prior + adaptation.prior_shift,
        weights=weights,
        calibrator=Calibrator(knots, tuple(values.tolist())),
    )
