"""Explains one candidate of a reranked query: what was compared, what each word says, what retrieval may have missed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from app.matching.compare import compare
from app.matching.compare.bags import BAG_FEATURES, namespace_of
from app.matching.compare.candidates import SCALAR_FEATURES, feature_names
from app.matching.compare.hints import HINT_ALTERNATIVES, HINT_FEATURES
from app.matching.compare.tokens import word_similarities
from app.matching.frequencies import TermFrequencies
from app.matching.index_terms import IndexTerms, index_terms
from app.matching.layout import BAG_KINDS, PERSON_KINDS, Kind, Slot
from app.matching.profile import Profile
from app.matching.rarity import MAX_VALUE_BITS, token_bits
from app.matching.reasons import slot_level
from app.matching.rerank import Query, Reranked
from app.matching.score import BITS, Scores, combine
from app.matching.sharing import MAX_NATS, Integers

Floats = npt.NDArray[np.float64]

_COVER_QUERY = BAG_FEATURES.index("cover_query")
_COVER_CANDIDATE = BAG_FEATURES.index("cover_candidate")
_SIMILARITY = {"exact": 1.0, "close": 0.75, "near": 0.5, "differ": 0.0}
"""Of a value's level."""
_SPELT_ALIKE = 0.75
"""Words that are spelt alike, not the same, share at most this part of their information."""
_HINTING = (Kind.ORG, Kind.TITLE, Kind.HOST)
"""Without a value in one of these nothing is hinted between slots."""
_BAGS = frozenset(kind.value for kind in BAG_KINDS)


def explain(
    reranked: Reranked, query: Query, profile: Profile, candidate: int, frequencies: TermFrequencies
) -> dict[str, Any]:
    """Every compared field with both values, its level and weight in bits, the prior and the sums."""
    scores = reranked.scores
    fields = []
    for i, slot in enumerate(reranked.comparison.slots):
        pair = slot.pairs[candidate]
        if pair is None:
            continue
        field: dict[str, Any] = {
            "field": slot.fields[0],
            "fields": list(slot.fields),
            "comparator": "words" if slot.kind in _BAGS else slot.kind,
            "record_value": _shown(pair[0]),
            "candidate_value": _shown(pair[1]),
            "similarity": _similarity(slot.kind, slot.features[candidate].tolist()),
            "level": slot_level(slot, candidate),
            "weight": round(float(scores.slots[i][candidate]) * BITS, 2),
        }
        if slot.kind in _BAGS:
            field["words"] = _words(Kind(slot.kind), _tokens(pair[0]), _tokens(pair[1]), frequencies)
        fields.append(field)
    return {
        "fields": fields,
        "prior": round(scores.prior * BITS, 2),
        "match_weight": round(float(scores.log_odds[candidate]) * BITS, 2),
        "mapping": query.mapping,
    }


def _shown(compared: str | Sequence[str]) -> str:
    return compared.partition("|")[0] if isinstance(compared, str) else " ".join(compared)


def _tokens(compared: str | Sequence[str]) -> list[str]:
    return compared.split() if isinstance(compared, str) else list(compared)


def _similarity(kind: str, row: list[float]) -> float:
    """Of words: the share of information that both hold; of values: 1, 0.75, 0.5 or 0 by level."""
    if kind in _BAGS:
        return round(row[_COVER_QUERY] * row[_COVER_CANDIDATE], 3)
    return next(
        _SIMILARITY[name] for name, value in zip(SCALAR_FEATURES, row, strict=True) if value and name in _SIMILARITY
    )


def _words(
    kind: Kind, record: list[str], candidate: list[str], frequencies: TermFrequencies
) -> dict[str, list[dict[str, Any]]]:
    """What each word of both sides says (bits: little where many records share it) and which word it met on the other."""
    table = word_similarities(record, candidate, persons=kind in PERSON_KINDS)
    namespace = namespace_of(kind)
    return {
        "record": _met(record, candidate, table, token_bits(record, namespace, frequencies)),
        "candidate": _met(candidate, record, table.T, token_bits(candidate, namespace, frequencies)),
    }


def _met(words: list[str], others: list[str], table: npt.NDArray[Any], bits: Floats) -> list[dict[str, Any]]:
    found = []
    for word, row, said in zip(words, table, bits.tolist(), strict=True):
        best = int(np.argmax(row))
        matched = bool(row[best] > 0)
        entry: dict[str, Any] = {"token": word, "bits": round(said, 1), "matched": matched}
        if matched and others[best] != word:
            entry["with"] = others[best]
        found.append(entry)
    return found


def unseen(
    slots: tuple[Slot, ...],
    query: Query,
    reranked: Reranked,
    profile: Profile,
    frequencies: TermFrequencies,
    retrieved: Sequence[float],
    threshold: float,
) -> dict[str, Any]:
    """Whether a record that retrieval did not bring could have reached the threshold; `retrieved` are its scores, best first.

    `best_score` bounds what such a record can score: every comparison is given the most that its weights allow
    where the record agrees with itself. Where fewer came back than were asked for, a record that is unseen shares no
    asked term, so values that were asked whole cannot agree exactly and words only be spelt alike.
    """
    complete = len(retrieved) < profile.candidates
    asked = {(term.field, term.value) for clause in query.plan.clauses for term in clause}
    most = _most_evidence(slots, query, profile, frequencies, asked if complete else set())
    pool = np.column_stack([reranked.scores.slots.sum(axis=0, keepdims=True), [[most]]])
    copies = _as_copy(reranked.scores)
    best = float(combine(pool, profile.model, frequencies.rows, copies=copies, shift=reranked.scores.shift).score[-1])
    could = best >= threshold
    return {
        "complete": complete,
        "asked_for": profile.candidates,
        "lowest_score": round(retrieved[-1], 3) if retrieved else None,
        "left_out": _left_out(index_terms(slots, query.form), asked),
        "best_score": round(best, 6),
        "could_match": could,
        "statement": _statement(complete, could, best),
    }


def _as_copy(scores: Scores) -> Integers:
    """What the candidates read and, last, an unseen record: as the heaviest of them, to which it then loses least."""
    own = scores.log_odds - scores.competition
    numbers = np.arange(len(own)) if scores.copies is None else scores.copies
    weight = np.bincount(numbers, np.exp(np.minimum(own, MAX_NATS)))
    return np.append(numbers, np.argmax(weight))


def _most_evidence(
    slots: tuple[Slot, ...], query: Query, profile: Profile, frequencies: TermFrequencies, asked: set[tuple[str, str]]
) -> float:
    """Upper bound (nats) of the evidence for a record that shares none of the asked terms."""
    itself = compare(slots, query.form, [query.form], frequencies)
    held = [at for at, found in enumerate(query.form) if found is not None]
    hinting = any(query.form[at] for at, slot in enumerate(slots) if slot.kind in _HINTING)
    total = 0.0
    for place, slot in enumerate(itself.slots):
        weights = profile.model.vector(slot.kind)
        if slot.kind == "hint":
            total += _most_of_hints(weights) if hinting else 0.0
            continue
        at = held[place]
        left = _shareable(slot.kind, index_terms((slots[at],), [query.form[at]]), asked)
        most = _most_of_words if slot.kind in _BAGS else _most_of_value
        total += most(weights, slot.features[0], left)
    return total


def _most_of_words(weights: Floats, itself: Floats, left: Floats) -> float:
    """What supports adds up; `itself` is what the value has in common with itself, `left` what part of it may be."""
    return float(np.maximum(weights, 0.0) @ (np.where(itself > 0, itself, 1.0) * left))


def _most_of_value(weights: Floats, itself: Floats, left: Floats) -> float:
    """A value reaches one level, and none where it is missing; a close one is no rarer than the value itself."""
    rare = float(itself[SCALAR_FEATURES.index("exact_bits")])
    levels = ({"exact": 1.0, "exact_bits": rare}, {"close": 1.0, "close_bits": rare}, {"near": 1.0}, {"differ": 1.0})
    reached = np.array([[level.get(name, 0.0) for name in SCALAR_FEATURES] for level in levels])
    return max(0.0, float((reached * left @ weights).max()))


def _most_of_hints(weights: Floats) -> float:
    """Of hints that exclude each other the strongest counts."""
    most = dict(zip(HINT_FEATURES, np.maximum(weights, 0.0).tolist(), strict=True))
    for name in ("city_in_name", "country_of_script"):
        most[name] *= MAX_VALUE_BITS / 10.0
    return float(sum(max(most[name] for name in either) for either in HINT_ALTERNATIVES))


def _shareable(kind: str, terms: IndexTerms, asked: set[tuple[str, str]]) -> Floats:
    """By feature of a kind, what part of it is left to a record that shares none of the asked terms."""
    names = feature_names(kind)
    left = np.ones(len(names))
    spelt = [
        *(("name", t) for t in terms.name),
        *(("text", t) for t in terms.text),
        *(("place", t) for t in terms.place),
    ]
    values = (("ids", terms.ids), ("joined", terms.joined), ("country", terms.country))
    whole = [*spelt, *((field, t) for field, found in values for t in found)]
    if asked.isdisjoint(whole):
        return left
    for j, name in enumerate(names):
        if name.startswith("exact"):
            left[j] = 0.0
        elif name.startswith("matched") and asked.issuperset(spelt):
            left[j] = _SPELT_ALIKE
    return left


def _left_out(terms: IndexTerms, asked: set[tuple[str, str]]) -> list[str]:
    """Words and values of the record that were not asked for: so common that they would have cost too much."""
    wanted = [
        *(("name", t) for t in terms.name),
        *(("text", t) for t in terms.text),
        *(("place", t) for t in terms.place),
    ]
    values = [("ids", t) for t in terms.ids if not t.startswith("label:")]
    return sorted({value for field, value in (*wanted, *values) if (field, value) not in asked})


def _statement(complete: bool, could: bool, best: float) -> str:
    share = f"{math.ceil(best * 1000) / 1000:.3f}"
    if complete and not could:
        return f"All records that share an asked term were compared; any other would score {share} at most."
    if complete:
        return (
            "All records that share an asked term were compared; one that shares none, but is spelt alike or agrees in what "
            "was not asked, could still reach the threshold."
        )
    if not could:
        return f"More records share a term than were compared, but even one that agrees throughout would score {share} at most."
    return "More records share a term than were compared; one that scored lower there could reach the threshold."
