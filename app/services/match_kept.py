"""Answers that are kept: with what tells later, against another snapshot, whether they stand."""

from __future__ import annotations

import math
from typing import Any

from app.matching.delta import KeptAnswer, least_weight, sum_of_odds
from app.services.match_answers import answer_of
from app.services.match_ranking import Ranked
from app.services.match_records import MatchCall

KEPT = "kept"
"""Where an answer holds its KeptAnswer; never shown."""


def kept_answer_of(call: MatchCall, ranked: Ranked) -> dict[str, Any]:
    """`answer_of` with the KeptAnswer."""
    answer = answer_of(call, ranked)
    return {**answer, KEPT: _kept(call, ranked, answer)}


def _kept(call: MatchCall, ranked: Ranked, answer: dict[str, Any]) -> KeptAnswer:
    scores = ranked.reranked.scores
    own = (scores.log_odds - scores.competition).tolist()
    least = least_weight(call.profile, call.threshold)
    bound = math.inf if least is None else least
    heavy = [c for c in ranked.reranked.order if own[c] >= bound]
    light = [weight for weight in own if weight < bound]
    return KeptAnswer(
        answer["profile"],
        answer["decision"],
        tuple((match["record_id"], match["score"]) for match in answer["matches"]),
        tuple(ranked.content(call, c)["record_id"] for c in heavy),
        sum_of_odds(light),
        ranked.asked.query.plan.digest(),
        bool(ranked.asked.query.standing),
    )
