"""Looks at little first: a cheap retrieval before the full plan, and the best-retrieved candidates before the others.

The first retrieval looks up whole values and the rarest words, which finds the entity and whatever shares a rare word with
it. An answer stands when it would hardly change even if a rival were among the records that were not seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.matching.plan import RetrievalPlan
from app.matching.score import ScoreModel, Scores
from app.matching.sharing import MAX_NATS

_WHOLE_VALUES = frozenset({"identifier", "joined"})


@dataclass(frozen=True, slots=True)
class FirstPolicy:
    """What the first retrieval asks for and when its answer stands; part of a profile."""

    candidates: int
    tokens: int
    """Words that are asked for, the rarest of the plan's."""
    least_slots: int
    """A record that fills fewer says too little to settle: the first retrieval would be lost work."""
    least_score: float
    """An answer under this is never settled."""
    rival: float
    """Probability that an unseen rival is thought to have, seen alone."""
    most_change: float
    """How much such a rival may take off the score."""
    tail_share: float
    """A full list of candidates must have fallen off: its last retrieval score to the best candidate's."""


def first_plan(plan: RetrievalPlan, filled_slots: int, policy: FirstPolicy) -> RetrievalPlan | None:
    """The part of a plan that is cheap to ask; None when that is nothing, or all of it, or settles too rarely."""
    if filled_slots < policy.least_slots:
        return None
    tokens = [clause[:1] for clause in plan.clauses if clause[0].channel == "token"]
    whole = [clause for clause in plan.clauses if clause[0].channel in _WHOLE_VALUES]
    clauses = (*whole, *tokens[: policy.tokens])
    return RetrievalPlan(clauses) if 0 < len(clauses) < len(plan.clauses) else None


def may_settle(retrieval_scores: Sequence[float], policy: FirstPolicy) -> bool:
    """Whether the candidates are worth comparing: a full list that does not fall off hides as many as it shows."""
    if len(retrieval_scores) < policy.candidates:
        return bool(retrieval_scores)
    return retrieval_scores[-1] <= policy.tail_share * retrieval_scores[0]


def is_settled(scores: Scores, best: int, policy: FirstPolicy, model: ScoreModel, threshold: float) -> bool:
    """Whether the best candidate's answer stands: it is clear, and would reach the threshold beside an unseen rival too."""
    score = float(scores.score[best])
    if score < policy.least_score:
        return False
    own = scores.log_odds - scores.competition
    odds = np.exp(np.minimum(own, MAX_NATS))
    rivals = float(odds.sum() - odds[best]) + policy.rival / (1.0 - policy.rival)
    log_odds = own[best : best + 1] - model.competition * math.log1p(rivals)
    contested = float(model.calibrator(log_odds + scores.shift)[0])
    return 1.0 / (1.0 + math.exp(-contested)) >= max(threshold, score - policy.most_change)
