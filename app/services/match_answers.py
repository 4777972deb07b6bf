"""Shapes what was reranked into the contract's matches and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from app.matching.explanation import explain, unseen
from app.matching.flip import Situation, least_change
from app.matching.rerank import Query, Reranked, Retrieval, reasons_of, rerank
from app.matching.standing import Verdict
from app.ports import Retrieved
from app.services.match_records import Asked, MatchCall

_SCORE_DECIMALS = 9


@dataclass(frozen=True, slots=True)
class Ranked:
    """A record with its candidates, compared and scored; positions are those of `candidates`."""

    asked: Asked
    candidates: list[Retrieved]
    reranked: Reranked
    unseen: dict[str, Any] | None = None
    """Of an explanation: what a record that is not among the candidates could still score."""

    def score(self, position: int) -> float:
        return round(float(self.reranked.scores.score[position]), _SCORE_DECIMALS)


def candidates_left(query: Query, found: list[Retrieved], most: int) -> list[Retrieved]:
    """What standing decisions leave of the retrieved: a "never" makes room for the next, an "always" comes on top of `most`."""
    decided = query.standing
    never = {ordinal for ordinal, one in decided.items() if one.verdict is Verdict.NEVER}
    left = [one for one in found if one.ordinal not in never][:most]
    missed = decided.keys() - never - {one.ordinal for one in left}
    return [*left, *(Retrieved(ordinal, 0.0) for ordinal in missed)]


Pool = tuple[Asked, list[Retrieved], Reranked | None]
"""A record, its candidates, and what was compared for it before."""


def ranked_all(call: MatchCall, pools: Sequence[Pool]) -> list[Ranked]:
    """Compares and scores the candidates of all records together."""
    bundle = call.target.bundle
    retrievals = [
        Retrieval(asked.query, [found.ordinal for found in candidates], earlier) for asked, candidates, earlier in pools
    ]
    reranked = rerank(call.slots, retrievals, bundle.forms.read_many, bundle.frequencies, call.profile)
    return [
        Ranked(asked, candidates, one, _unseen(call, asked, candidates, one))
        for (asked, candidates, _), one in zip(pools, reranked, strict=True)
    ]


def _unseen(call: MatchCall, asked: Asked, candidates: list[Retrieved], reranked: Reranked) -> dict[str, Any] | None:
    if not (call.options.return_explanations and candidates):
        return None
    retrieved = [found.retrieval_score for found in candidates if found.retrieval_score > 0]
    profile, frequencies = call.profile, call.target.bundle.frequencies
    return unseen(call.slots, asked.query, reranked, profile, frequencies, retrieved, call.threshold)


def answer_of(call: MatchCall, ranked: Ranked) -> dict[str, Any]:
    """The contract's answer but for `request_id` and `took_ms`."""
    order = ranked.reranked.order
    best = float(ranked.reranked.scores.score[order[0]]) if order else 0.0
    kept = [position for position in order if ranked.score(position) >= call.threshold][: call.options.top_n]
    records = call.target.bundle.records.read_many([ranked.candidates[position].ordinal for position in kept])
    matches = [
        match_of(call, ranked, position, orjson.loads(content)) for position, content in zip(kept, records, strict=True)
    ]
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
        answer["review_candidate"] = _best_of(call, ranked)
    if ranked.asked.warnings:
        answer["warnings"] = ranked.asked.warnings
    return answer


def _best_of(call: MatchCall, ranked: Ranked) -> dict[str, Any]:
    best = ranked.reranked.order[0]
    content = call.target.bundle.records.read(ranked.candidates[best].ordinal)
    return match_of(call, ranked, best, orjson.loads(content))


def match_of(call: MatchCall, ranked: Ranked, position: int, content: Mapping[str, Any]) -> dict[str, Any]:
    """One candidate as a match; `content` is its readable record with its id."""
    profile, reranked = call.profile, ranked.reranked
    value = ranked.score(position)
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
