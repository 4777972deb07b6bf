"""The first retrieval: what it asks for, and when its answer stands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.matching.first import FirstPolicy, first_plan, is_settled, may_settle
from app.matching.plan import PlannedTerm, RetrievalPlan
from app.matching.score import ScoreModel, Scores, combine

POLICY = FirstPolicy(
    candidates=3,
    tokens=2,
    least_slots=2,
    least_score=0.99,
    rival=0.88,
    most_change=0.005,
    tail_share=0.5,
)
MODEL = ScoreModel("m", prior=0.0, prior_per_doubling=0.0, competition=1.0, weights={})
HOST = (PlannedTerm("identifier", "ids", "host:acme.com"),)
WORDS = tuple(
    (PlannedTerm("token", "name", word), PlannedTerm("phonetic", "name.phonetic", word))
    for word in ("aalberts", "widgets", "group")
)
GRAM = (PlannedTerm("trigram", "name.trigram", "aal"),)


def scores(*own: float) -> Scores:
    return combine(np.array([own]), MODEL, rows=1_000)


def test_the_first_plan_asks_for_whole_values_and_the_rarest_words_as_they_stand() -> None:
    found = first_plan(RetrievalPlan((HOST, *WORDS, GRAM)), 2, POLICY)
    assert found == RetrievalPlan((HOST, WORDS[0][:1], WORDS[1][:1]))


@pytest.mark.parametrize("clauses", [(GRAM,), (HOST,)])
def test_a_plan_that_has_nothing_cheap_or_nothing_else_is_asked_at_once(
    clauses: tuple[tuple[PlannedTerm, ...], ...],
) -> None:
    assert first_plan(RetrievalPlan(clauses), 2, POLICY) is None


def test_a_record_that_says_too_little_to_settle_is_asked_in_full_at_once() -> None:
    assert first_plan(RetrievalPlan((HOST, *WORDS, GRAM)), 1, POLICY) is None


def test_a_full_list_must_have_fallen_off() -> None:
    assert may_settle([10.0, 6.0, 5.0], POLICY)
    assert not may_settle([10.0, 9.0, 8.0], POLICY)
    assert may_settle([10.0, 9.0], POLICY)
    assert not may_settle([], POLICY)


def test_a_clear_answer_stands() -> None:
    assert is_settled(scores(12.0, -5.0), 0, POLICY, MODEL, threshold=0.5)


def test_an_answer_that_an_unseen_rival_would_change_does_not_stand() -> None:
    contested = scores(6.0, -5.0)
    assert contested.score[0] > POLICY.least_score
    assert not is_settled(contested, 0, POLICY, MODEL, threshold=0.5)


def test_what_is_added_before_calibration_counts_for_the_contested_answer_too() -> None:
    shifted = replace(scores(6.0, -5.0), shift=9.0)
    assert is_settled(shifted, 0, POLICY, MODEL, threshold=0.5)


def test_a_rival_that_was_seen_makes_an_unseen_one_matter_less() -> None:
    assert is_settled(scores(12.0, 4.0), 0, replace(POLICY, rival=0.5), MODEL, threshold=0.5)
    assert not is_settled(scores(12.0, 11.0), 0, POLICY, MODEL, threshold=0.5)


def test_an_answer_near_the_threshold_does_not_stand() -> None:
    clear = scores(12.0, -5.0)
    assert not is_settled(clear, 0, POLICY, MODEL, threshold=float(clear.score[0]))
