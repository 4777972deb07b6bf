"""When a kept answer stands against another snapshot, and how two answers differ."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import orjson
import pytest

from app.matching.delta import Change, KeptAnswer, change_of, least_weight, stands
from app.matching.plan import PlannedTerm, RetrievalPlan
from app.matching.profile import Profile
from app.matching.score import ScoreModel, combine
from app.profiles import load_profiles

PROFILE = replace(
    load_profiles()["balanced"],
    model=ScoreModel("m", prior=0.0, prior_per_doubling=0.0, competition=1.0, weights={}),
)
NOTHING = KeptAnswer("balanced@3", "no_match", (), (), 0.0, "", False)


def matched(*record_ids: str, decision: str = "match") -> KeptAnswer:
    matches = tuple((record_id, 0.9) for record_id in record_ids)
    return replace(NOTHING, decision=decision, matches=matches, weighty=record_ids)


def holds(kept: KeptAnswer, record_ids: tuple[str, ...], *own: float, threshold: float = 0.5) -> bool:
    return stands(kept, record_ids, np.array(own), None, PROFILE, threshold, 5)


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (NOTHING, matched("a"), Change.APPEARED),
        (None, matched("a"), Change.APPEARED),
        (matched("a"), NOTHING, Change.DISAPPEARED),
        (matched("a"), None, Change.DISAPPEARED),
        (matched("a"), matched("b"), Change.CHANGED),
        (matched("a", "b"), matched("a"), Change.CHANGED),
        (matched("a", "b"), matched("b", "a"), Change.CHANGED),
        (matched(decision="review"), NOTHING, Change.CHANGED),
        (None, NOTHING, Change.CHANGED),
        (matched("a"), replace(matched("a"), matches=(("a", 0.7),)), None),
        (matched("a", "b", "c"), matched("a", "c", "b"), None),
        (NOTHING, NOTHING, None),
        (None, None, None),
    ],
)
def test_a_change_is_another_answer_and_not_another_score(
    before: KeptAnswer | None, after: KeptAnswer | None, change: Change | None
) -> None:
    assert change_of(before, after) is change


def test_a_clear_answer_stands_though_its_score_has_drifted() -> None:
    assert holds(matched("a"), ("a",), 4.0)
    assert holds(matched("a"), ("a",), 3.0)


def test_an_answer_near_a_bound_does_not_stand() -> None:
    assert not holds(matched("a"), ("a",), 0.05)
    assert not holds(matched(decision="review"), ("a",), math.log(0.2 / 0.8) + 0.05)


def test_a_rival_that_takes_the_match_or_enough_of_it_is_seen() -> None:
    assert not holds(matched("a"), ("a", "b"), 4.0, 6.0)
    assert not holds(matched("a"), ("a", "b"), 4.0, 3.9)
    assert holds(matched("a"), ("a", "b"), 4.0, -4.0)


def test_what_was_not_looked_at_again_takes_its_part() -> None:
    assert holds(matched("a"), ("a",), 0.5)
    assert not holds(replace(matched("a"), rest=1.0), ("a",), 0.5)


def test_nothing_stands_as_nothing() -> None:
    assert holds(NOTHING, ())
    assert not holds(matched("a"), ())


def test_the_scores_are_those_of_a_match_with_the_same_candidates() -> None:
    own = np.array([2.0, 1.0, -3.0])
    kept = replace(matched("a", "b"), rest=math.exp(-3.0))
    for shift in (0.0, 1.5):
        scores = combine(own[None, :], PROFILE.model, rows=64, shift=shift).score
        for threshold in (float(scores[0]), float(scores[1])):
            assert not stands(kept, ("a", "b"), own[:2], None, PROFILE, threshold, 5, shift), "on a bound"


def test_what_is_added_before_calibration_carries_an_answer_over_a_bound() -> None:
    kept = matched("a")
    assert not stands(kept, ("a",), np.array([-0.5]), None, PROFILE, 0.5, 5)
    assert stands(kept, ("a",), np.array([-0.5]), None, PROFILE, 0.5, 5, shift=1.5)


def test_a_copy_takes_less_than_a_rival() -> None:
    own, copies = np.array([9.0, 9.0]), np.array([0, 0])
    assert stands(matched("a", "b"), ("a", "b"), own, copies, PROFILE, 0.6, 5)
    assert not stands(matched("a", "b"), ("a", "b"), own, None, PROFILE, 0.6, 5)


def test_a_kept_answer_is_what_was_written() -> None:
    kept = replace(matched("a", "b"), rest=0.125, asked="x", decided=True)
    assert KeptAnswer.from_json(orjson.loads(orjson.dumps(kept.to_json()))) == kept


@pytest.mark.parametrize("profile", load_profiles().values(), ids=list(load_profiles()))
def test_a_candidate_without_weight_stays_far_under_every_bound(profile: Profile) -> None:
    least = least_weight(profile, profile.match_threshold)
    assert least is not None
    model = replace(profile.model, prior=0.0, prior_per_doubling=0.0)
    alone = combine(np.array([[least + 1.0]]), model, rows=64, shift=model.shift_alone)
    assert float(alone.score[0]) < min(profile.review_threshold, profile.match_threshold)


def test_at_a_threshold_near_zero_every_candidate_has_weight() -> None:
    assert least_weight(PROFILE, 0.0) is None


def test_a_plan_is_known_by_its_words_in_any_order() -> None:
    one, other, third = ((PlannedTerm("token", "name", word),) for word in ("acme", "widgets", "group"))
    assert RetrievalPlan((one, other)).digest() == RetrievalPlan((other, one), postings=7).digest()
    assert RetrievalPlan((one, other)).digest() != RetrievalPlan((one, third)).digest()
