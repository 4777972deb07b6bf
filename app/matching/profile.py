"""A profile: which model scores, how deep retrieval goes, what is ignored, and where the decisions lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import InternalError
from app.matching.compare.candidates import feature_names
from app.matching.first import FirstPolicy
from app.matching.layout import Kind
from app.matching.planner import RetrievalPolicy
from app.matching.score import Calibrator, ScoreModel


@dataclass(frozen=True, slots=True)
class Profile:
    """Thresholds are inclusive probabilities; `candidates` is how many are retrieved and compared."""

    name: str
    version: int
    description: str
    model: ScoreModel
    match_threshold: float
    review_threshold: float
    high_confidence: float
    medium_confidence: float
    candidates: int
    ignored_kinds: frozenset[Kind]
    retrieval: RetrievalPolicy
    first: FirstPolicy | None = None
    """None asks for the full plan at once."""
    calibration: str = ""
    """`cal<number>` where a dataset's labels have changed the model."""

    @property
    def label(self) -> str:
        """`name@version`, and `+cal<number>` where it is a dataset's own."""
        shipped = f"{self.name}@{self.version}"
        return f"{shipped}+{self.calibration}" if self.calibration else shipped

    def decide(self, score: float, threshold: float) -> str:
        """match at the threshold, review below it down to the review band, else no_match."""
        if score >= threshold:
            return "match"
        return "review" if score >= min(self.review_threshold, threshold) else "no_match"

    def confidence(self, score: float) -> str:
        if score >= self.high_confidence:
            return "high"
        return "medium" if score >= self.medium_confidence else "low"


def parse_model(data: Mapping[str, Any]) -> ScoreModel:
    """Reads a fitted model; raises InternalError naming what is wrong in it."""
    weights: dict[str, dict[str, float]] = {}
    for kind, values in data["weights"].items():
        unknown = set(values) - set(feature_names(kind))
        if unknown:
            raise InternalError(f"Model {data['name']}: kind {kind} has no feature {sorted(unknown)}.")
        weights[kind] = {name: float(value) for name, value in values.items()}
    knots = tuple(float(x) for x in data["calibration"]["knots"])
    values_at = tuple(float(y) for y in data["calibration"]["values"])
    if list(knots) != sorted(set(knots)) or list(values_at) != sorted(values_at) or len(knots) != len(values_at):
        raise InternalError(f"Model {data['name']}: the calibration must rise from knot to knot.")
    return ScoreModel(
        str(data["name"]),
        float(data["prior"]),
        float(data["prior_per_doubling"]),
        float(data["competition"]),
        weights,
        Calibrator(knots, values_at),
        float(data["calibration"]["shift_alone"]),
    )


def parse_profile(data: Mapping[str, Any], models: Mapping[str, ScoreModel]) -> Profile:
    """Reads a profile; raises InternalError naming what is wrong in it."""
    label = f"Profile {data.get('name')!r}"
    try:
        thresholds = data["thresholds"]
        retrieval = dict(data.get("retrieval", {}))
        first = retrieval.pop("first", None)
        profile = Profile(
            name=str(data["name"]),
            version=int(data["version"]),
            description=str(data["description"]),
            model=models[data["model"]],
            match_threshold=float(thresholds["match"]),
            review_threshold=float(thresholds["review"]),
            high_confidence=float(thresholds["high_confidence"]),
            medium_confidence=float(thresholds["medium_confidence"]),
            candidates=int(data["candidates"]),
            ignored_kinds=frozenset(Kind(kind) for kind in data.get("ignored", ())),
            retrieval=RetrievalPolicy(**retrieval),
            first=FirstPolicy(**first) if first else None,
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise InternalError(f"{label} cannot be read: {exc}.") from exc
    if not 0.0 < profile.review_threshold <= profile.match_threshold <= 1.0:
        raise InternalError(f"{label}: thresholds must be 0 < review <= match <= 1.")
    return profile
