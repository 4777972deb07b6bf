"""Answers that are kept: with what tells later, against another snapshot, whether they stand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import orjson

from app.matching.delta import KeptAnswer, least_weight
from app.services.match_answers import answer_of
from app.services.match_ranking import Ranked
from app.services.match_records import MatchCall

KEPT = "kept"
"""Where an answer holds its KeptAnswer; never shown."""
_MAX_NATS = 60.0


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
        round(float(np.exp(np.minimum(light, _MAX_NATS)).sum()), 6),
        ranked.asked.query.plan.digest(),
        bool(ranked.asked.query.standing),
    )
