"""Writes a RetrievalPlan in OpenSearch's query language; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.matching.plan import PlannedTerm, RetrievalPlan

CHANNEL_SEPARATOR = "|"
"""A query's `_name` is `channel|field|value`; the channel comes back, the rest keeps names of one body apart."""

LONG_RUN = 8
"""Ordinals in a row from which on they are asked for as a range; shorter runs share one list, which is one clause."""
_FUZZY = {"prefix_length": 1, "max_expansions": 30}


def search_body(
    plan: RetrievalPlan, size: int, *, with_channels: bool = False, only: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The body of one search: the best `size` ordinals, nothing else fetched; `only` is a filter that candidates must pass."""
    asked: dict[str, Any] = {"should": [_clause(clause, named=with_channels) for clause in plan.clauses]}
    if only is not None:
        asked |= {"filter": only, "minimum_should_match": 1}
    return {
        "size": size,
        "query": {"bool": asked},
        "_source": False,
        "stored_fields": "_none_",
        "docvalue_fields": ["ord"],
        "track_total_hits": False,
    }


def within_filter(ordinals: Sequence[range]) -> dict[str, Any]:
    """A filter that lets only these ordinals pass."""
    listed = [ordinal for run in ordinals if len(run) < LONG_RUN for ordinal in run]
    runs = [{"range": {"ord": {"gte": run.start, "lt": run.stop}}} for run in ordinals if len(run) >= LONG_RUN]
    return {"bool": {"should": [*runs, *([{"terms": {"ord": listed}}] if listed else [])]}}


def _clause(terms: tuple[PlannedTerm, ...], *, named: bool) -> dict[str, Any]:
    if len(terms) == 1:
        return _term(terms[0], named=named)
    return {"dis_max": {"queries": [_term(term, named=named) for term in terms]}}


def _term(term: PlannedTerm, *, named: bool) -> dict[str, Any]:
    asked: dict[str, Any] = {"query" if term.analyzed else "value": term.value}
    if term.boost != 1.0:
        asked["boost"] = term.boost
    if named:
        asked["_name"] = CHANNEL_SEPARATOR.join((term.channel, term.field, term.value))
    if term.edits:
        return {"fuzzy": {term.field: {**asked, **_FUZZY, "fuzziness": term.edits}}}
    return {"match" if term.analyzed else "term": {term.field: asked}}


def channels_of(matched_queries: list[str]) -> tuple[str, ...]:
    """The channels that found a hit, each once, in alphabetical order."""
    return tuple(sorted({name.split(CHANNEL_SEPARATOR, 1)[0] for name in matched_queries}))
