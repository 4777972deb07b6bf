"""The plan of a retrieval: which words are asked for by their spelling, and which by their trigrams too."""

from __future__ import annotations

import numpy as np

from app.matching.frequencies import TermFrequencies, hash_terms
from app.matching.index_terms import IndexTerms
from app.matching.plan import RetrievalPlan
from app.matching.planner import RetrievalPolicy, plan_all


def frequencies(rows: int, **names: int) -> TermFrequencies:
    hashes = hash_terms([f"name:{name}" for name in names])
    order = np.argsort(hashes)
    return TermFrequencies.from_counts(rows, hashes[order], np.array(list(names.values()), np.uint32)[order])


def values(plan: RetrievalPlan, channel: str) -> set[str]:
    return {clause[0].value for clause in plan.clauses if clause[0].channel == channel}


def test_only_words_that_few_names_hold_are_asked_for_by_their_trigrams() -> None:
    known = frequencies(1_000_000, logistics=9_000, wijdgets=3)
    [plan] = plan_all([IndexTerms(name=["wijdgets", "logistics"])], known, RetrievalPolicy())
    assert values(plan, "token") == {"wijdgets", "logistics"}
    assert values(plan, "trigram") == {"wij", "ijd", "jdg", "dge", "get", "ets"}


def test_a_larger_index_calls_more_words_rare() -> None:
    query = IndexTerms(name=["logistics"])
    [small] = plan_all([query], frequencies(1_000_000, logistics=30), RetrievalPolicy())
    [large] = plan_all([query], frequencies(5_000_000, logistics=30), RetrievalPolicy())
    assert not values(small, "trigram")
    assert values(large, "trigram")
