"""Explanations say what is so: changes that turn a decision turn it, and nothing unseen scores above its bound."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.matching.explanation import explain, unseen
from app.matching.flip import Situation, least_change
from app.matching.profile import Profile
from app.matching.rerank import Query, Reranked, Retrieval, prepare_query, rerank
from app.matching.score import BITS
from app.matching.standing import StandingDecision, Verdict
from app.profiles import find_profile
from tests.unit.matching.test_sums import (
    CANDIDATES,
    FIELDS,
    FREQUENCIES,
    MASTERS,
    PREPARED,
    PROFILE,
    SLOTS,
    Record,
    edited,
)

BALANCED = find_profile("balanced")


def situation(record: Record, chosen: list[int], profile: Profile = BALANCED, at: int = 0) -> Situation:
    query = prepare_query(record, SLOTS, profile, FREQUENCIES, {})
    return of(query, chosen, profile, at)


def of(query: Query, chosen: list[int], profile: Profile = BALANCED, at: int = 0) -> Situation:
    forms = [PREPARED[i].form for i in chosen]
    ordinals = list(range(len(chosen)))
    [found] = rerank(
        SLOTS, [Retrieval(query, ordinals)], lambda wanted: [forms[i] for i in wanted], FREQUENCIES, profile
    )
    loaded = [orjson.loads(form) for form in forms]
    return Situation(SLOTS, query, loaded, found, FREQUENCIES, profile, profile.match_threshold, at)


def own(at: int) -> Record:
    return {name: MASTERS[at][name] for name in FIELDS if MASTERS[at].get(name)}


def test_the_bits_that_are_needed_bring_the_score_to_the_threshold() -> None:
    model = replace(BALANCED.model, shift_alone=0.75)
    profile = replace(BALANCED, model=model)
    [name] = [field for field in own(0) if own(0)[field] == MASTERS[0]["name"]]
    for record in ({name: own(0)[name]}, own(0)):
        found = situation(record, [0, 1, 2], profile)
        scores, needed = found.reranked.scores, least_change(found)["bits_needed"]
        reached = model.calibrator(scores.log_odds[:1] + scores.shift + needed / BITS)
        assert 1 / (1 + np.exp(-reached[0])) == pytest.approx(profile.match_threshold, abs=0.003)


def test_a_match_hangs_on_the_fewest_terms_that_carry_it() -> None:
    change = least_change(situation(own(0), [0, 1, 2]))
    assert change["to"] == "no_match"
    assert change["bits_needed"] < 0
    assert change["without"]
    assert "agreements" not in change


def test_what_is_no_match_is_told_which_agreement_would_be_enough() -> None:
    stranger = {"name": "Entirely Other Words", "domain": "elsewhere.example"}
    change = least_change(situation(stranger, [0, 1, 2]))
    assert change["to"] == "match"
    codes = [one["code"] for one in change["agreements"]]
    assert {"NAME_EXACT", "DOMAIN_EXACT"} <= set(codes)
    assert all(one["adds"] > 0 for one in change["agreements"])
    assert change["together"] == codes[: len(change["together"])]


def test_agreeing_as_told_does_make_it_a_match() -> None:
    stranger = {"name": "Entirely Other Words", "domain": "elsewhere.example"}
    before = situation(stranger, [0, 1, 2])
    told = least_change(before)["together"]
    names = {"NAME_EXACT": "name", "DOMAIN_EXACT": "domain", "CITY_EXACT": "city", "COUNTRY_EXACT": "country"}
    changed = stranger | {names[code]: MASTERS[0][names[code]] for code in told if code in names}
    assert situation(changed, [0, 1, 2]).linked


def test_rivals_that_fit_as_well_are_what_a_twin_is_told() -> None:
    twin = situation(own(5), [5, 5], replace(BALANCED, match_threshold=0.9))
    assert "AMBIGUOUS" in (least_change(twin)["without"] or [])


@pytest.mark.parametrize(("verdict", "code"), [("always", "STANDING_ALWAYS"), ("never", "STANDING_NEVER")])
def test_a_decided_pair_hangs_on_its_decision(verdict: str, code: str) -> None:
    record = own(0) if verdict == "never" else {"name": "Entirely Other Words"}
    query = prepare_query(record, SLOTS, BALANCED, FREQUENCIES, {})
    decided = replace(query, standing={0: StandingDecision("std_1", Verdict(verdict), "x", "key_1")})
    assert least_change(of(decided, [0, 1]))["without"] == [code]


@given(edited(), CANDIDATES, PROFILE)
def test_every_pair_can_be_explained(record: Record, chosen: list[int], profile: Profile) -> None:
    found = situation(record, chosen, profile, len(chosen) - 1)
    change = least_change(found)
    assert change["to"] == ("no_match" if found.linked else "match")
    explained = explain(found.reranked, found.query, profile, found.at, FREQUENCIES)
    for field in explained["fields"]:
        for side in field.get("words", {}).values():
            assert all(word["bits"] >= 0 for word in side)


def test_a_common_word_is_shown_to_say_little() -> None:
    at = next(i for i, master in enumerate(MASTERS) if " Inc" not in master["name"] and "Group" in master["name"])
    found = situation(own(at), [at])
    [name] = [
        f for f in explain(found.reranked, found.query, BALANCED, 0, FREQUENCIES)["fields"] if f["field"] == "name"
    ]
    bits = {word["token"]: word["bits"] for word in name["words"]["record"]}
    assert bits["group"] < min(said for word, said in bits.items() if word != "group")
    assert all(word["matched"] for word in name["words"]["record"])


def missed(found: Situation, retrieved: list[float]) -> dict[str, Any]:
    return unseen(SLOTS, found.query, found.reranked, found.profile, FREQUENCIES, retrieved, found.threshold)


@given(edited(), CANDIDATES, st.integers(0, len(MASTERS) - 1))
def test_no_unseen_record_scores_above_its_bound(record: Record, chosen: list[int], hidden: int) -> None:
    seen = situation(record, [one for one in chosen if one != hidden] or [(hidden + 1) % len(MASTERS)])
    bound = missed(seen, [1.0] * seen.profile.candidates)["best_score"]
    pool = [*(one for one in chosen if one != hidden), hidden] if len(chosen) > 1 or chosen[0] != hidden else [hidden]
    if len(pool) == len(seen.forms) + 1:
        with_it: Reranked = situation(record, pool).reranked
        assert float(with_it.scores.score[-1]) <= bound + 1e-6


def test_where_all_that_share_a_term_were_seen_an_exact_value_is_ruled_out() -> None:
    found = situation({"city": "Nowhereville", "country": "Germany"}, [0])
    bounds = [missed(found, retrieved)["best_score"] for retrieved in ([1.0], [1.0] * BALANCED.candidates)]
    assert bounds[0] < bounds[1]
    between = replace(found, threshold=sum(bounds) / 2)
    few, many = missed(between, [1.0]), missed(between, [1.0] * BALANCED.candidates)
    assert (few["complete"], many["complete"]) == (True, False)
    assert (few["could_match"], many["could_match"]) == (False, True)
    assert few["left_out"] == []
