"""Prior and reasons add up to the match weight: for every profile, with ties, rivals and standing decisions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.matching.adapting import Adaptation, adapted
from app.matching.catalogue import catalogue
from app.matching.frequencies import TermFrequencies, count_hashes, merge_counts
from app.matching.layout import slots_of
from app.matching.prepare import RecordPreparer
from app.matching.profile import Profile
from app.matching.rerank import FormReader, Reranked, Retrieval, prepare_query, reasons_of, rerank
from app.matching.roles import infer_roles
from app.matching.schema import FieldSpec, MatchSchema
from app.matching.score import BITS
from app.matching.standing import StandingDecision, Verdict
from app.profiles import NAMES, find_profile
from app.sample import ACCOUNT_SCHEMA, LEAD_FIELDS, leads, organisations

Record = dict[str, Any]

FIELDS = {name: kind for name, kind in ACCOUNT_SCHEMA.items() if name != "account_id"}
SCHEMA = MatchSchema(tuple(FieldSpec(name, FIELDS[name], role) for name, role in infer_roles(FIELDS).items()))
SLOTS = slots_of(SCHEMA)
MASTERS = organisations()[:400]
PREPARED = [RecordPreparer(SCHEMA).prepare(master) for master in MASTERS]
FREQUENCIES = TermFrequencies.from_counts(
    len(MASTERS), *merge_counts([count_hashes(np.fromiter(one.terms, np.uint64)) for one in PREPARED])
)
GIVEN = [
    *({name: lead[name] for name in LEAD_FIELDS if lead[name]} for lead in leads()[:200]),
    *({name: master[name] for name in FIELDS if master.get(name)} for master in MASTERS),
]


@st.composite
def edited(draw: st.DrawFn) -> Record:
    """A lead or account of the sample with fields dropped, letters lost and words turned round."""
    record = dict(draw(st.sampled_from(GIVEN)))
    for name in draw(st.sets(st.sampled_from(sorted(record)), max_size=len(record) - 1)):
        value = str(record[name])
        at = draw(st.integers(0, len(value)))
        record[name] = draw(
            st.sampled_from([None, value[:at] + value[at + 1 :], " ".join(reversed(value.split())), value.upper()])
        )
    return record


PROFILE = st.sampled_from(NAMES).map(find_profile)
CANDIDATES = st.lists(st.integers(0, len(MASTERS) - 1), min_size=1, max_size=8, unique=True)
"""Positions in MASTERS; the sample has near twins of its own."""
DECISIONS = st.dictionaries(st.integers(0, 3), st.sampled_from(Verdict), max_size=2)


def ranked(record: Record, chosen: list[int], profile: Profile, decided: dict[int, Verdict]) -> Reranked:
    standing = {at: StandingDecision(f"std_{at}", verdict, str(at), "key_1") for at, verdict in decided.items()}
    query = replace(prepare_query(record, SLOTS, profile, FREQUENCIES, {}), standing=standing)
    [found] = rerank(SLOTS, [Retrieval(query, list(range(len(chosen))))], reader(chosen), FREQUENCIES, profile)
    return found


def reader(chosen: list[int]) -> FormReader:
    return lambda ordinals: [PREPARED[chosen[at]].form for at in ordinals]


def assert_adds_up(found: Reranked, profile: Profile) -> None:
    codes = {one.code for one in catalogue()}
    for candidate in range(len(found.order)):
        reasons = reasons_of(found, profile, candidate)
        weight = found.scores.bits(candidate)
        assert found.scores.prior * BITS + sum(r.weight_bits for r in reasons) == pytest.approx(weight, abs=0.01)
        shown = [round(r.weight_bits, 2) for r in reasons]
        assert found.scores.prior * BITS + sum(shown) == pytest.approx(weight, abs=0.01 + 0.005 * len(shown))
        assert codes >= {reason.code for reason in reasons}
    best_of_reading: dict[bytes, float] = {}
    for reading, score in zip(found.readings, found.scores.score.tolist(), strict=True):
        best_of_reading[reading] = max(score, best_of_reading.get(reading, 0.0))
    assert sum(best_of_reading.values()) <= 1.0 + 1e-9


@given(edited(), CANDIDATES, PROFILE)
def test_for_every_profile(record: Record, chosen: list[int], profile: Profile) -> None:
    assert_adds_up(ranked(record, chosen, profile, {}), profile)


@given(edited(), CANDIDATES, PROFILE)
def test_with_twins_that_tie(record: Record, chosen: list[int], profile: Profile) -> None:
    found = ranked(record, [*chosen, *chosen], profile, {})
    assert_adds_up(found, profile)
    assert found.scores.score[0] == pytest.approx(found.scores.score[len(chosen)])


@given(st.sampled_from(MASTERS), PROFILE)
def test_where_two_candidates_are_the_record_itself(master: Record, profile: Profile) -> None:
    at = MASTERS.index(master)
    record = {name: master[name] for name in FIELDS if master.get(name)}
    found = ranked(record, [at, at], profile, {})
    assert_adds_up(found, profile)
    assert all("AMBIGUOUS" in {reason.code for reason in reasons_of(found, profile, c)} for c in (0, 1))


@given(edited(), CANDIDATES, PROFILE, DECISIONS)
def test_with_standing_decisions(
    record: Record, chosen: list[int], profile: Profile, decided: dict[int, Verdict]
) -> None:
    decided = {at: verdict for at, verdict in decided.items() if at < len(chosen)}
    found = ranked(record, chosen, profile, decided)
    assert_adds_up(found, profile)
    always = [at for at, verdict in decided.items() if verdict is Verdict.ALWAYS]
    if len(always) == 1:
        assert found.order[0] == always[0]
        assert found.scores.score[always[0]] == pytest.approx(1.0, abs=1e-9)
    for at, verdict in decided.items():
        if verdict is Verdict.NEVER:
            assert found.scores.score[at] == pytest.approx(0.0, abs=1e-9)


@given(edited(), CANDIDATES, PROFILE, st.floats(-3, 3), st.floats(0, 2), st.floats(0.5, 2))
def test_with_a_model_that_labels_have_changed(
    record: Record, chosen: list[int], profile: Profile, shift: float, scale: float, slope: float
) -> None:
    changed = Adaptation(shift, {"org": scale, "host": 2.0 - scale}, -shift, slope)
    model = adapted(profile.model, changed, "general+cal1")
    mine = replace(profile, model=model)
    assert_adds_up(ranked(record, chosen, mine, {}), mine)


@given(edited(), CANDIDATES, CANDIDATES, PROFILE)
def test_what_an_earlier_retrieval_compared_counts_as_if_compared_again(
    record: Record, first: list[int], chosen: list[int], profile: Profile
) -> None:
    query = prepare_query(record, SLOTS, profile, FREQUENCIES, {})
    read = reader(list(range(len(MASTERS))))
    earlier, anew = rerank(SLOTS, [Retrieval(query, first), Retrieval(query, chosen)], read, FREQUENCIES, profile)
    [found] = rerank(SLOTS, [Retrieval(query, chosen, earlier)], read, FREQUENCIES, profile)
    assert found.scores.score == pytest.approx(anew.scores.score, abs=1e-9)
    for one, other in zip(found.comparison.slots, anew.comparison.slots, strict=True):
        assert one.pairs == other.pairs
        assert one.features == pytest.approx(other.features, abs=1e-9)


@given(st.lists(st.tuples(edited(), CANDIDATES), min_size=2, max_size=6), PROFILE)
def test_a_record_scores_the_same_alone_and_among_others(
    asked: list[tuple[Record, list[int]]], profile: Profile
) -> None:
    retrievals = [Retrieval(prepare_query(record, SLOTS, profile, FREQUENCIES, {}), chosen) for record, chosen in asked]
    read = reader(list(range(len(MASTERS))))
    for one, together in zip(retrievals, rerank(SLOTS, retrievals, read, FREQUENCIES, profile), strict=True):
        [alone] = rerank(SLOTS, [one], read, FREQUENCIES, profile)
        assert alone.order == together.order
        assert alone.scores.score.tolist() == together.scores.score.tolist()
        for mine, other in zip(alone.comparison.slots, together.comparison.slots, strict=True):
            assert mine.pairs == other.pairs


def test_an_adaptation_that_changes_nothing_changes_no_score() -> None:
    model = find_profile("balanced").model
    same = adapted(model, Adaptation(), "same").calibrator
    nats = np.array([-30.0, -3.0, 0.0, 2.5, 40.0])
    assert same(nats) == pytest.approx(model.calibrator(nats))
