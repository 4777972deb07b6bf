"""Whether an answer that was given against one snapshot stands against another, and how two answers to one record differ.

What an answer needs to be judged later is small: the candidates with weight, and how much all others weighed together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import numpy as np

from app.matching.profile import Profile
from app.matching.score import Floats, ScoreModel
from app.matching.sharing import MAX_NATS, Copies, Sharing

_WEIGHTY_NATS = math.log(0.01 / 0.99)
"""A candidate that is likelier than this, seen alone, has weight: one that is not takes less than .01 nats off a rival."""
_ROOM_NATS = 1.4
"""A candidate without weight must stay under every bound though the master grows by a quarter: the prior moves by 0.1 nats then,
each word of a name by at most 0.32 bits of information (`log2(5/4)`, `app.matching.rarity`) of which a name has a few."""
_MARGIN_NATS = 0.3
"""An answer so near a bound is asked again: what candidates without weight add is known from the earlier snapshot only."""
_LEAST_BOUND = 1e-3
_LEAST_PROBABILITY = 1e-9


class Change(StrEnum):
    """How the answer to a record differs."""

    APPEARED = "appeared"
    """It had no match and has one."""
    DISAPPEARED = "disappeared"
    """It had a match and has none."""
    CHANGED = "changed"
    """It has another best match, another set of matched records, or, matched neither before nor after, another decision."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer, and what tells later whether it stands."""

    profile: str
    """Its label, with the calibration."""
    decision: str
    matches: tuple[tuple[str, float], ...]
    """Record id and score, best first."""
    weighty: tuple[str, ...]
    """Record ids of the candidates that have weight, best first."""
    rest: float
    """Odds of all other candidates, added up."""
    asked: str
    """Digest of the retrieval plan."""
    decided: bool
    """A person has decided about the record."""

    @property
    def names(self) -> frozenset[str]:
        """Record ids of the matches and of the best candidate, which may be to review."""
        return frozenset((*self.record_ids, *self.weighty[:1]))

    @property
    def record_ids(self) -> tuple[str, ...]:
        return tuple(record_id for record_id, _ in self.matches)

    def to_json(self) -> list[Any]:
        return [self.profile, self.decision, self.matches, self.weighty, self.rest, self.asked, self.decided]

    @classmethod
    def from_json(cls, data: Sequence[Any]) -> Self:
        profile, decision, matches, weighty, rest, asked, decided = data
        return cls(profile, decision, tuple((one[0], one[1]) for one in matches), tuple(weighty), rest, asked, decided)


def least_weight(profile: Profile, threshold: float) -> float | None:
    """From which log-odds (nats) on, seen alone, a candidate has weight; None when the bounds are so low that any has."""
    bound = min(profile.review_threshold, threshold)
    if bound < _LEAST_BOUND:
        return None
    room = _ROOM_NATS + max(profile.model.shift_alone, 0.0)
    return min(_WEIGHTY_NATS, profile.model.calibrator.inverse(min(bound, 1.0 - _LEAST_PROBABILITY)) - room)


def sum_of_odds(own: Sequence[float] | Floats, others: float = 0.0) -> float:
    """What candidates of these log-odds (nats), seen alone, weigh together with `others`; rounded, as it is kept."""
    return round(others + float(np.exp(np.minimum(own, MAX_NATS)).sum()), 6)


def change_of(before: KeptAnswer | None, after: KeptAnswer | None) -> Change | None:
    """None when both say the same; an answer that is None is that of a record that could not be matched."""
    had, has = (one.record_ids if one is not None else () for one in (before, after))
    if has and not had:
        return Change.APPEARED
    if had and not has:
        return Change.DISAPPEARED
    if had and has:
        return Change.CHANGED if had[0] != has[0] or set(had) != set(has) else None
    decisions = [one.decision if one is not None else None for one in (before, after)]
    return Change.CHANGED if decisions[0] != decisions[1] else None


def stands(
    kept: KeptAnswer,
    record_ids: Sequence[str],
    own: Floats,
    copies: Copies,
    profile: Profile,
    threshold: float,
    top_n: int,
    shift: float = 0.0,
) -> bool:
    """Whether the answer is the same and no bound is near.

    `own` holds the log-odds (nats), each seen alone, of the candidates that have or had weight, whose ids `record_ids` are;
    `shift` is what the calibrator adds to them.
    """
    scores = _scores(own, copies, kept.rest, profile.model, shift)
    best = max(scores, default=0.0)
    if profile.decide(best, threshold) != kept.decision:
        return False
    ranked = sorted(zip((-score for score in scores), record_ids, strict=True))
    matched = [record_id for score, record_id in ranked if -score >= threshold][:top_n]
    if set(matched) != set(kept.record_ids) or matched[:1] != list(kept.record_ids[:1]):
        return False
    near = any(_is_near(score, threshold) for score in scores)
    return not near and not _is_near(best, min(profile.review_threshold, threshold))


def _scores(own: Floats, copies: Copies, rest: float, model: ScoreModel, shift: float) -> list[float]:
    """Published scores of candidates that share with each other and with a `rest` of odds that were not looked at again."""
    sharing = Sharing(np.array([len(own)]), [copies])
    log_odds = own - model.competition * np.log1p(sharing.rivals(np.exp(own)) + rest)
    scores: list[float] = sharing.published(own, log_odds, model.calibrator, shift).tolist()
    return scores


def _is_near(score: float, bound: float) -> bool:
    return abs(_logit(score) - _logit(bound)) <= _MARGIN_NATS


def _logit(probability: float) -> float:
    inside = min(max(probability, _LEAST_PROBABILITY), 1.0 - _LEAST_PROBABILITY)
    return math.log(inside / (1.0 - inside))
