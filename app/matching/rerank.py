"""From a record and its retrieved candidates to ranked, scored and explained matches: the whole matching path but the IO."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import orjson

from app.matching.compare import Comparison, compare_all, joined
from app.matching.frequencies import TermFrequencies
from app.matching.index_terms import Form, index_terms
from app.matching.layout import Kind, Slot
from app.matching.pairing import Pairing, pair_fields, query_form
from app.matching.plan import RetrievalPlan
from app.matching.planner import plan_all
from app.matching.profile import Profile
from app.matching.reasons import Reason, reasons_for
from app.matching.score import Scores, score_all
from app.matching.sharing import copies_of
from app.matching.standing import StandingDecision, Verdict

FormReader = Callable[[Sequence[int]], Sequence[bytes]]
"""The comparable forms of master records, by their ordinals."""


@dataclass(frozen=True, slots=True)
class Query:
    """A record in the master's terms: how its fields were paired, its comparable form and what to retrieve."""

    pairing: Pairing
    form: Form
    plan: RetrievalPlan
    mapping: dict[str, list[str]]
    """Field of the record -> fields of the master that it is compared with."""
    standing: Mapping[int, StandingDecision] = field(default_factory=dict)
    """By ordinal of the master record, what people decided about the pair."""

    @property
    def filled_slots(self) -> int:
        return len(self.form) - self.form.count(None)


def comparable(
    record: Mapping[str, Any], slots: tuple[Slot, ...], ignored: frozenset[Kind], field_map: Mapping[str, str]
) -> tuple[Pairing, Form]:
    """Pairs and normalises a record; slots of an ignored kind stay empty."""
    pairing = pair_fields(record, slots, field_map)
    form = query_form(record, slots, pairing)
    return pairing, [None if slot.kind in ignored else found for slot, found in zip(slots, form, strict=True)]


def prepare_query(
    record: Mapping[str, Any],
    slots: tuple[Slot, ...],
    profile: Profile,
    frequencies: TermFrequencies,
    field_map: Mapping[str, str],
) -> Query:
    """Pairs and normalises a record and plans its retrieval; slots that the profile ignores stay empty."""
    [query] = prepare_queries([record], slots, profile, frequencies, field_map)
    return query


def prepare_queries(
    records: Sequence[Mapping[str, Any]],
    slots: tuple[Slot, ...],
    profile: Profile,
    frequencies: TermFrequencies,
    field_map: Mapping[str, str],
) -> list[Query]:
    """`prepare_query` of each record; their retrievals are planned together."""
    read = [comparable(record, slots, profile.ignored_kinds, field_map) for record in records]
    plans = plan_all([index_terms(slots, form) for _, form in read], frequencies, profile.retrieval)
    return [
        Query(pairing, form, plan, _mapping(pairing, slots, profile))
        for (pairing, form), plan in zip(read, plans, strict=True)
    ]


def _mapping(pairing: Pairing, slots: tuple[Slot, ...], profile: Profile) -> dict[str, list[str]]:
    return {
        name: [field for i in at if slots[i].kind not in profile.ignored_kinds for field in slots[i].fields]
        for name, at in pairing.slots.items()
    }


@dataclass(frozen=True, slots=True)
class Reranked:
    """All candidates of one query, compared and scored; positions are retrieval order."""

    ordinals: Sequence[int]
    comparison: Comparison
    scores: Scores
    order: list[int]
    """Positions from best to worst."""
    decided: Mapping[int, StandingDecision]
    """By position, the standing decision about the pair."""
    readings: Sequence[bytes]
    """The comparable forms as they are stored."""


class Retrieval(NamedTuple):
    """A query with the ordinals that were retrieved for it, best first, and what was compared for it before."""

    query: Query
    ordinals: Sequence[int]
    earlier: Reranked | None = None


def rerank(
    slots: tuple[Slot, ...],
    retrievals: Sequence[Retrieval],
    read_forms: FormReader,
    frequencies: TermFrequencies,
    profile: Profile,
) -> list[Reranked]:
    """Compares and scores the candidates of every query; equal ones are ordered by their ordinal.

    What was compared for a query before is not compared again.
    """
    new = list(map(_not_compared, retrievals))
    stored = iter(read_forms([ordinal for ordinals in new for ordinal in ordinals]))
    read = [list(islice(stored, len(ordinals))) for ordinals in new]
    forms: list[list[Form]] = [list(map(orjson.loads, some)) for some in read]
    compared = compare_all(slots, [one.query.form for one in retrievals], forms, frequencies)
    known = [_with_earlier(*one) for one in zip(retrievals, new, compared, read, strict=True)]
    decided = [_decided(one) for one in retrievals]
    same = [{c: decision.verdict is Verdict.ALWAYS for c, decision in one.items()} for one in decided]
    copies = [copies_of(readings) for _, readings in known]
    scored = score_all([comparison for comparison, _ in known], profile.model, frequencies.rows, same, copies)
    return [
        Reranked(one.ordinals, comparison, scores, _order(one.ordinals, scores), standing, readings)
        for one, (comparison, readings), scores, standing in zip(retrievals, known, scored, decided, strict=True)
    ]


def _not_compared(retrieval: Retrieval) -> Sequence[int]:
    """The ordinals that were not compared before."""
    if retrieval.earlier is None:
        return retrieval.ordinals
    known = frozenset(retrieval.earlier.ordinals)
    return [ordinal for ordinal in retrieval.ordinals if ordinal not in known]


def _with_earlier(
    retrieval: Retrieval, ordinals: Sequence[int], comparison: Comparison, readings: Sequence[bytes]
) -> tuple[Comparison, Sequence[bytes]]:
    """All candidates in retrieval order; what is given is of `ordinals`, the others were compared before."""
    had = retrieval.earlier
    if had is None:
        return comparison, readings
    place = {ordinal: at for at, ordinal in enumerate((*had.ordinals, *ordinals))}
    order, read = [place[ordinal] for ordinal in retrieval.ordinals], (*had.readings, *readings)
    return joined(had.comparison, comparison, order), [read[at] for at in order]


def _decided(retrieval: Retrieval) -> dict[int, StandingDecision]:
    standing = retrieval.query.standing
    return {c: standing[o] for c, o in enumerate(retrieval.ordinals) if o in standing} if standing else {}


def _order(ordinals: Sequence[int], scores: Scores) -> list[int]:
    ranked = sorted(zip((-scores.log_odds).tolist(), ordinals, range(len(ordinals)), strict=True))
    return [candidate for _, _, candidate in ranked]


def reasons_of(reranked: Reranked, profile: Profile, candidate: int) -> list[Reason]:
    decision = reranked.decided.get(candidate)
    return reasons_for(reranked.comparison.slots, reranked.scores, profile.model, candidate, decision)
