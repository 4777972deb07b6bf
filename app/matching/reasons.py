"""Turns the terms of a score into reason chips: stable codes, labels for a person, weights in bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.matching.compare.bags import BAG_FEATURES
from app.matching.compare.candidates import SCALAR_FEATURES, SlotComparison
from app.matching.compare.hints import HINT_FEATURES
from app.matching.layout import BAG_KINDS, Kind
from app.matching.score import BITS, ScoreModel, Scores

Floats = npt.NDArray[np.float64]

_SUBJECTS: dict[str, tuple[str, str]] = {
    "org": ("NAME", "name"),
    "affiliate": ("ORGANIZATION", "organisation"),
    "title": ("TITLE", "title"),
    "text": ("TEXT", "text"),
    "person": ("PERSON_NAME", "person name"),
    "given": ("GIVEN_NAME", "given name"),
    "family": ("FAMILY_NAME", "family name"),
    "address": ("ADDRESS", "address"),
    "city": ("CITY", "city"),
    "region": ("REGION", "region"),
    "postal": ("POSTAL_CODE", "postal code"),
    "country": ("COUNTRY", "country"),
    "host": ("DOMAIN", "domain"),
    "email": ("EMAIL", "e-mail address"),
    "phone": ("PHONE", "phone number"),
    "identifier": ("IDENTIFIER", "identifier"),
    "date": ("DATE", "date"),
    "number": ("NUMBER", "number"),
}
_LEVEL_LABELS = {
    "EXACT": "Same {}",
    "ACRONYM": "{} is the other's acronym",
    "SIMILAR": "Similar {}",
    "CLOSE": "Almost the same {}",
    "NEAR": "Somewhat similar {}",
    "DIFFERS": "Different {}",
}
_HINT_LABELS = {
    "host_spells_name": "The record's domain spells the candidate's name",
    "host_begins_name": "The record's domain resembles the candidate's name",
    "name_spells_host": "The record's name spells the candidate's domain",
    "name_begins_host": "The record's name resembles the candidate's domain",
    "city_in_name": "The candidate's city stands in the record's name",
    "city_missing_in_long_name": "The candidate's city is not in the record's long name",
    "country_in_name": "The candidate's country stands in the record's name",
    "country_in_name_differs": "The record's name holds another country",
}
_LEAST_BITS = 0.05
"""Smaller terms are summed up in OTHER, so that chips stay few and still add up."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One term of the match weight; `weight_bits` is log2 of its likelihood ratio."""

    code: str
    field: str | None
    label: str
    weight_bits: float

    def to_json(self) -> dict[str, object]:
        effect = "supports" if self.weight_bits >= 0 else "opposes"
        return {
            "code": self.code,
            "field": self.field,
            "label": self.label,
            "effect": effect,
            "weight": round(self.weight_bits, 2),
        }


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


def reasons_for(slots: tuple[SlotComparison, ...], scores: Scores, model: ScoreModel, candidate: int) -> list[Reason]:
    """The terms of one candidate's score but the prior, the heaviest first; with the prior they add up to its log-odds."""
    found: list[Reason] = []
    other = 0.0
    for i, slot in enumerate(slots):
        terms = (
            _hint_reasons(slot, model, candidate)
            if slot.kind == "hint"
            else _slot_reason(slot, scores.slots[i], candidate)
        )
        for reason in terms:
            if abs(reason.weight_bits) >= _LEAST_BITS:
                found.append(reason)
            else:
                other += reason.weight_bits
    ambiguous = float(scores.competition[candidate]) * BITS
    if ambiguous <= -_LEAST_BITS:
        found.append(Reason("AMBIGUOUS", None, "Other candidates fit as well or nearly as well", ambiguous))
    else:
        other += ambiguous
    if abs(other) >= 0.005:
        found.append(Reason("OTHER", None, "Small terms, summed up", other))
    return sorted(found, key=lambda reason: (-abs(reason.weight_bits), reason.code, reason.field or ""))


def _slot_reason(slot: SlotComparison, weights: Floats, candidate: int) -> list[Reason]:
    level = slot_level(slot, candidate)
    if level is None:
        return []
    code, noun = _SUBJECTS[slot.kind]
    label = _LEVEL_LABELS[level].format(noun).capitalize() if level == "ACRONYM" else _LEVEL_LABELS[level].format(noun)
    return [Reason(f"{code}_{level}", slot.fields[0], label, float(weights[candidate]) * BITS)]


def _hint_reasons(slot: SlotComparison, model: ScoreModel, candidate: int) -> list[Reason]:
    terms = slot.features[candidate] * model.vector("hint") * BITS
    return [
        Reason(name.upper(), None, _HINT_LABELS[name], float(bits))
        for name, bits in zip(HINT_FEATURES, terms, strict=True)
        if bits
    ]
