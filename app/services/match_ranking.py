"""Compares and scores what was retrieved for records, the best-retrieved first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from app.matching.explanation import unseen
from app.matching.first import FirstPolicy, is_settled, may_settle
from app.matching.rerank import Query, Reranked, Retrieval, rerank
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

    _contents: dict[int, dict[str, Any]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def score(self, position: int) -> float:
        return round(float(self.reranked.scores.score[position]), _SCORE_DECIMALS)

    def content(self, call: MatchCall, position: int) -> dict[str, Any]:
        """The candidate's readable record with its id, read once."""
        if position not in self._contents:
            stored = call.target.bundle.records.read(self.candidates[position].ordinal)
            self._contents[position] = orjson.loads(stored)
        return self._contents[position]


def candidates_left(query: Query, found: list[Retrieved], most: int) -> list[Retrieved]:
    """What standing decisions leave of the retrieved: a "never" makes room for the next, an "always" comes on top of `most`."""
    decided = query.standing
    never = {ordinal for ordinal, one in decided.items() if one.verdict is Verdict.NEVER}
    left = [one for one in found if one.ordinal not in never][:most]
    missed = decided.keys() - never - {one.ordinal for one in left}
    return [*left, *(Retrieved(ordinal, 0.0) for ordinal in missed)]


@dataclass(frozen=True, slots=True)
class Pool:
    """A record, its candidates, and what was compared for it before."""

    asked: Asked
    candidates: list[Retrieved]
    earlier: Reranked | None = None

    @property
    def retrieval_scores(self) -> list[float]:
        return [found.retrieval_score for found in self.candidates]

    def begins(self, most: int) -> bool:
        """Whether this many of its candidates are worth a look of their own: none was compared or decided about before."""
        return len(self.candidates) > most and self.earlier is None and not self.asked.query.standing

    def first(self, most: int) -> Pool:
        """The same record with the best-retrieved of its candidates."""
        return replace(self, candidates=self.candidates[:most])


def ranked_in_turn(call: MatchCall, pools: Sequence[Pool]) -> list[Ranked]:
    """Compares and scores the best-retrieved candidates of all records, and the others of those that they do not settle."""
    policy = call.profile.first
    if policy is None or call.threshold <= 1.0 - policy.least_score:
        return ranked_all(call, pools)
    best = {at: one.first(policy.candidates) for at, one in enumerate(pools) if one.begins(policy.candidates)}
    worth = {at: one for at, one in best.items() if may_settle(one.retrieval_scores, policy)}
    heads = dict(zip(worth, ranked_all(call, list(worth.values())), strict=True))
    done = {at: head for at, head in heads.items() if settles(call, policy, head)}
    left = {
        at: replace(one, earlier=heads[at].reranked) if at in heads else one
        for at, one in enumerate(pools)
        if at not in done
    }
    done.update(zip(left, ranked_all(call, list(left.values())), strict=True))
    return [done[at] for at in range(len(pools))]


def settles(call: MatchCall, policy: FirstPolicy, ranked: Ranked) -> bool:
    """Whether the answer stands although there may be other candidates; of candidates that may settle it."""
    scores, best = ranked.reranked.scores, ranked.reranked.order[0]
    return is_settled(scores, best, policy, call.profile.model, call.threshold)


def ranked_all(call: MatchCall, pools: Sequence[Pool]) -> list[Ranked]:
    """Compares and scores the candidates of all records together."""
    if not pools:
        return []
    bundle = call.target.bundle
    retrievals = [Retrieval(one.asked.query, [found.ordinal for found in one.candidates], one.earlier) for one in pools]
    reranked = rerank(call.slots, retrievals, bundle.forms.read_many, bundle.frequencies, call.profile)
    return [
        Ranked(pool.asked, pool.candidates, one, _unseen(call, pool, one))
        for pool, one in zip(pools, reranked, strict=True)
    ]


def _unseen(call: MatchCall, pool: Pool, reranked: Reranked) -> dict[str, Any] | None:
    if not (call.options.return_explanations and pool.candidates):
        return None
    retrieved = [found.retrieval_score for found in pool.candidates if found.retrieval_score > 0]
    profile, frequencies = call.profile, call.target.bundle.frequencies
    return unseen(call.slots, pool.asked.query, reranked, profile, frequencies, retrieved, call.threshold)
