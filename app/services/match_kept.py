"""Answers that are kept: with what tells later, against another snapshot, whether they stand."""

from __future__ import annotations

import math
from typing import Any

import orjson

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
    own = scores.log_odds - scores.competition
    least = least_weight(call.profile, call.threshold)
    weighty = own >= (math.inf if least is None else least)
    heavy = [c for c in ranked.reranked.order if weighty[c]] if weighty.any() else []
    light = own[~weighty]
    records = call.target.bundle.records.read_many([ranked.candidates[c].ordinal for c in heavy])
    return KeptAnswer(
        answer["profile"],
        answer["decision"],
        tuple((match["record_id"], match["score"]) for match in answer["matches"]),
        tuple(orjson.loads(record)["record_id"] for record in records),
        sum_of_odds(light),
        ranked.asked.query.plan.digest(),
        bool(ranked.asked.query.standing),
    )
