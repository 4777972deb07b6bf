"""Turns the terms of a score into reason chips: stable codes, labels for a person, weights in bits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from app.matching.catalogue import (
    AMBIGUOUS,
    BETWEEN_FIELDS,
    LEGAL_FORM_DIFFERS,
    MARK_DIFFERS,
    NAMED_COUNTRY_DIFFERS,
    OTHER,
    SPECIAL,
    STANDING_ALWAYS,
    STANDING_NEVER,
    ReasonCode,
    slot_code,
)
from app.matching.compare.bags import BAG_FEATURES
from app.matching.compare.candidates import SCALAR_FEATURES, SlotComparison
from app.matching.compare.hints import HINT_FEATURES
from app.matching.layout import BAG_KINDS, Kind
from app.matching.score import BITS, ScoreModel, Scores
from app.matching.standing import StandingDecision, Verdict

Floats = npt.NDArray[np.float64]

_LEAST_BITS = 0.05
"""Smaller terms are summed up in OTHER, so that chips stay few and still add up."""
_LEAST_OTHER_BITS = 0.005
_TOLD_APART_BY = {
    code: list(map(BAG_FEATURES.index, features))
    for code, features in (
        (LEGAL_FORM_DIFFERS, ("legal_other", "legal_differs")),
        (MARK_DIFFERS, ("numbers_differ", "codes_differ", "marks_differ", "only_marks_differ")),
        (NAMED_COUNTRY_DIFFERS, ("countries_differ",)),
    )
}
"""What opposes inside a name or text and has a chip of its own."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One term of the match weight; `weight_bits` is log2 of its likelihood ratio."""

    code: str
    field: str | None
    label: str
    weight_bits: float
    decision: StandingDecision | None = None
    """The standing decision that the term is, if it is one."""

    @classmethod
    def of(cls, code: ReasonCode, field: str | None, weight_bits: float) -> Reason:
        return cls(code.code, field, code.label, weight_bits)

    def to_json(self) -> dict[str, object]:
        effect = "supports" if self.weight_bits >= 0 else "opposes"
        chip: dict[str, object] = {
            "code": self.code,
            "field": self.field,
            "label": self.label,
            "effect": effect,
            "weight": round(self.weight_bits, 2),
        }
        if self.decision is not None:
            chip |= {"decision_id": self.decision.id, "actor": self.decision.actor}
        return chip


def slot_level(slot: SlotComparison, candidate: int) -> str | None:
    """The level that a slot reached for one candidate; None when it was not compared."""
    row = slot.features[candidate]
    if slot.pairs[candidate] is None:
        return None
    if Kind(slot.kind) in BAG_KINDS:
        if row[BAG_FEATURES.index("acronym")]:
            return "ACRONYM"
        if row[BAG_FEATURES.index("exact")]:
            return "EXACT"
        covered = row[BAG_FEATURES.index("cover_query")] + row[BAG_FEATURES.index("cover_candidate")]
        return "SIMILAR" if covered >= 0.8 or row[BAG_FEATURES.index("joined_similar")] else "DIFFERS"
    names = {"exact": "EXACT", "close": "CLOSE", "near": "NEAR", "differ": "DIFFERS"}
    return next(names[name] for name, value in zip(SCALAR_FEATURES, row, strict=True) if value and name in names)


def reasons_for(
    slots: tuple[SlotComparison, ...],
    scores: Scores,
    model: ScoreModel,
    candidate: int,
    decision: StandingDecision | None = None,
) -> list[Reason]:
    """The terms of one candidate's score but the prior, the heaviest first; with the prior they add up to its log-odds."""
    terms: list[Reason] = []
    for i, slot in enumerate(slots):
        if slot.kind == "hint":
            terms += _hint_reasons(slot, model, candidate)
        else:
            terms += _slot_reasons(slot, model, scores.slots[i], candidate)
    ambiguous = float(scores.competition[candidate]) * BITS
    terms.append(Reason.of(SPECIAL[AMBIGUOUS], None, ambiguous))
    found = [reason for reason in terms if abs(reason.weight_bits) >= _LEAST_BITS]
    other = sum(reason.weight_bits for reason in terms if abs(reason.weight_bits) < _LEAST_BITS)
    if abs(other) >= _LEAST_OTHER_BITS:
        found.append(Reason.of(SPECIAL[OTHER], None, other))
    if decision is not None:
        found.append(_standing_reason(decision, float(scores.standing[candidate]) * BITS))
    return sorted(found, key=lambda reason: (-abs(reason.weight_bits), reason.code, reason.field or ""))


def _standing_reason(decision: StandingDecision, bits: float) -> Reason:
    code = SPECIAL[STANDING_ALWAYS if decision.verdict is Verdict.ALWAYS else STANDING_NEVER]
    return replace(Reason.of(code, None, bits), decision=decision)


def _slot_reasons(slot: SlotComparison, model: ScoreModel, weights: Floats, candidate: int) -> list[Reason]:
    """One, and one more for each thing that tells two names apart."""
    level = slot_level(slot, candidate)
    if level is None:
        return []
    bits, field, apart = float(weights[candidate]) * BITS, slot.fields[0], list[Reason]()
    if Kind(slot.kind) in BAG_KINDS:
        terms = slot.features[candidate] * model.vector(slot.kind) * BITS
        told = ((code, float(terms[features].sum())) for code, features in _TOLD_APART_BY.items())
        apart = [Reason.of(SPECIAL[code], field, part) for code, part in told if part]
    left = bits - sum(reason.weight_bits for reason in apart)
    return [Reason.of(slot_code(slot.kind, level), field, left), *apart]


def _hint_reasons(slot: SlotComparison, model: ScoreModel, candidate: int) -> list[Reason]:
    terms = slot.features[candidate] * model.vector("hint") * BITS
    return [
        Reason.of(BETWEEN_FIELDS[name], None, float(bits))
        for name, bits in zip(HINT_FEATURES, terms, strict=True)
        if bits
    ]
