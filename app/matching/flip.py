"""The least change that turns a decision: which evidence it hangs on, and which agreement would be enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.matching.catalogue import AMBIGUOUS, OTHER, ReasonCode, slot_code
from app.matching.compare import compare
from app.matching.frequencies import TermFrequencies
from app.matching.index_terms import Form
from app.matching.layout import Slot
from app.matching.profile import Profile
from app.matching.reasons import Reason, slot_level
from app.matching.rerank import Query, Reranked, reasons_of
from app.matching.score import BITS, Scores, combine, score
from app.matching.sharing import Copies
from app.matching.standing import Verdict

_NO_RIVAL_NATS = 1000.0


@dataclass(frozen=True, slots=True)
class Situation:
    """A candidate among its rivals, as it was decided: `forms` and `reranked` are of all candidates, `at` is its position."""

    slots: tuple[Slot, ...]
    query: Query
    forms: Sequence[Form]
    reranked: Reranked
    frequencies: TermFrequencies
    profile: Profile
    threshold: float
    at: int

    @property
    def linked(self) -> bool:
        return self._reaches(self.reranked.scores)

    def turned(self, scores: Scores) -> bool:
        """Whether these scores decide otherwise."""
        return self._reaches(scores) != self.linked

    def _reaches(self, scores: Scores) -> bool:
        return float(scores.score[self.at]) >= self.threshold

    @property
    def decided(self) -> dict[int, bool]:
        return {c: one.verdict is Verdict.ALWAYS for c, one in self.reranked.decided.items()}


def least_change(situation: Situation) -> dict[str, Any]:
    """What would turn the decision, each found by scoring anew among the same rivals.

    `without`: the fewest terms, heaviest first, whose absence turns it (AMBIGUOUS: the absence of rivals). For what is no
    match also `agreements`: what each field would add if it agreed, and `together`: the fewest of them that turn it.
    None where nothing does.
    """
    scores = situation.reranked.scores
    needed = situation.profile.model.bits_at(situation.threshold) - scores.shift * BITS - scores.bits(situation.at)
    change: dict[str, Any] = {
        "to": "no_match" if situation.linked else "match",
        "bits_needed": round(needed, 2),
        "without": _without(situation),
    }
    if not situation.linked and situation.at not in situation.reranked.decided:
        change |= _agreements(situation)
    return change


def _without(situation: Situation) -> list[str] | None:
    scores, at, profile = situation.reranked.scores, situation.at, situation.profile
    if at in situation.reranked.decided:
        rest = {c: same for c, same in situation.decided.items() if c != at}
        without = combine(scores.slots, profile.model, situation.frequencies.rows, rest, scores.copies, scores.shift)
        code = next(r.code for r in reasons_of(situation.reranked, profile, at) if r.decision is not None)
        return [code] if situation.turned(without) else None
    removed: list[Reason] = []
    for reason in reasons_of(situation.reranked, profile, at):
        if reason.code != OTHER and (reason.weight_bits > 0) == situation.linked:
            removed.append(reason)
            if situation.turned(_scored_without(situation, removed)):
                return [one.code for one in removed]
    return None


def _scored_without(situation: Situation, removed: Sequence[Reason]) -> Scores:
    """Scores without some terms of the candidate; without AMBIGUOUS it has no rivals."""
    scores, at = situation.reranked.scores, situation.at
    taken = np.zeros((1, scores.slots.shape[1]))
    taken[0, at] = -sum(one.weight_bits for one in removed if one.code != AMBIGUOUS) * np.log(2.0)
    slots, decided = np.vstack([scores.slots, taken]), situation.decided
    if any(one.code == AMBIGUOUS for one in removed):
        slots[-1, np.arange(slots.shape[1]) != at] = -_NO_RIVAL_NATS
        decided = {}
    return combine(slots, situation.profile.model, situation.frequencies.rows, decided, scores.copies, scores.shift)


def _agreements(situation: Situation) -> dict[str, Any]:
    before = situation.reranked.scores.bits(situation.at)
    found = []
    for i in _improvable(situation):
        code, scores = _scored_agreeing(situation, [i])
        adds = scores.bits(situation.at) - before
        if adds > 0:
            entry = {
                "field": situation.slots[i].fields[0],
                "code": code.code,
                "label": code.label,
                "adds": round(adds, 2),
            }
            found.append((adds, i, entry | {"suffices": situation.turned(scores)}))
    found.sort(key=lambda one: (-one[0], one[1]))
    together = None
    for count in range(1, len(found) + 1):
        if situation.turned(_scored_agreeing(situation, [i for _, i, _ in found[:count]])[1]):
            together = [entry["code"] for _, _, entry in found[:count]]
            break
    return {"agreements": [entry for _, _, entry in found], "together": together}


def _improvable(situation: Situation) -> list[int]:
    """Slots in which one side at least has a value and the two are not the same."""
    mine, theirs = situation.query.form, situation.forms[situation.at]
    ignored = situation.profile.ignored_kinds
    return [
        i
        for i, slot in enumerate(situation.slots)
        if slot.kind not in ignored and mine[i] != theirs[i] and (mine[i] or theirs[i])
    ]


def _scored_agreeing(situation: Situation, agreed: Sequence[int]) -> tuple[ReasonCode, Scores]:
    """Code of the first slot, and scores, if one side had the other's values in these slots: the candidate, where it can."""
    at = situation.at
    mine, theirs = list(situation.query.form), list(situation.forms[at])
    for i in agreed:
        if mine[i]:
            theirs[i] = mine[i]
        else:
            mine[i] = theirs[i]
    forms = [*situation.forms[:at], theirs, *situation.forms[at + 1 :]]
    comparison = compare(situation.slots, mine, forms, situation.frequencies)
    scores = score(
        comparison, situation.profile.model, situation.frequencies.rows, situation.decided, _as_changed(situation)
    )
    compared = comparison.slots[sum(found is not None for found in mine[: agreed[0]])]
    return slot_code(compared.kind, str(slot_level(compared, at))), scores


def _as_changed(situation: Situation) -> Copies:
    """What the candidates read when the one in question reads like no other any more."""
    if situation.reranked.scores.copies is None:
        return None
    copies = situation.reranked.scores.copies.copy()
    copies[situation.at] = len(copies)
    return copies
