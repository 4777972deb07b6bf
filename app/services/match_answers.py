"""Shapes what was reranked into the contract's matches and answers."""

from __future__ import annotations

from itertools import islice, takewhile
from typing import Any

import orjson

from app.matching.explanation import explain
from app.matching.flip import Situation, least_change
from app.matching.rerank import reasons_of
from app.services.match_ranking import Ranked
from app.services.match_records import MatchCall


def answer_of(call: MatchCall, ranked: Ranked) -> dict[str, Any]:
    """The contract's answer but for `request_id` and `took_ms`."""
    order = ranked.reranked.order
    best = float(ranked.reranked.scores.score[order[0]]) if order else 0.0
    reach = takewhile(lambda position: ranked.score(position) >= call.threshold, order)
    kept = list(islice(reach, call.options.top_n))
    matches = [match_of(call, ranked, position) for position in kept]
    matches.sort(key=lambda match: (-match["score"], match["record_id"]))
    answer: dict[str, Any] = {
        "snapshot_id": call.target.snapshot_id,
        "profile": call.profile.label,
        "threshold": call.threshold,
        "decision": call.profile.decide(best, call.threshold),
        "matches": matches,
        "candidates_considered": len(ranked.candidates),
    }
    if answer["decision"] == "review":
        answer["review_candidate"] = match_of(call, ranked, order[0])
    if ranked.asked.warnings:
        answer["warnings"] = ranked.asked.warnings
    return answer


def match_of(call: MatchCall, ranked: Ranked, position: int) -> dict[str, Any]:
    """One candidate as a match."""
    profile, reranked = call.profile, ranked.reranked
    value, content = ranked.score(position), ranked.content(call, position)
    match: dict[str, Any] = {
        "record_id": content["record_id"],
        "score": value,
        "confidence": profile.confidence(value),
        "decision": profile.decide(value, call.threshold),
        "record": content["record"],
        "reasons": [reason.to_json() for reason in reasons_of(reranked, profile, position)],
    }
    if call.options.return_explanations:
        explanation = explain(reranked, ranked.asked.query, profile, position, call.target.bundle.frequencies)
        match["explanation"] = explanation | {"retrieval": _found_how(ranked, position)}
    return match


def _found_how(ranked: Ranked, position: int) -> dict[str, Any]:
    found = ranked.candidates[position]
    return {
        "channels": list(found.channels),
        "rank": position + 1,
        "score": round(found.retrieval_score, 3),
        "unseen": ranked.unseen,
    }


def flip_of(call: MatchCall, ranked: Ranked, position: int) -> dict[str, Any]:
    """The least change that would turn the decision about a candidate."""
    bundle = call.target.bundle
    forms = [orjson.loads(form) for form in bundle.forms.read_many([one.ordinal for one in ranked.candidates])]
    query, profile = ranked.asked.query, call.profile
    return least_change(
        Situation(call.slots, query, forms, ranked.reranked, bundle.frequencies, profile, call.threshold, position)
    )
