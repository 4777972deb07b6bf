"""Candidates share their odds; those that read the same are rivals in part."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.matching.prepare import RecordPreparer
from app.matching.schema import FieldSpec, MatchSchema, Role
from app.matching.score import ScoreModel, combine, combine_all
from app.matching.sharing import COPY_RIVALRY, SHARPNESS, Copies, copies_of

MODEL = ScoreModel("m", prior=0.0, prior_per_doubling=0.0, competition=1.0, weights={})
PREPARER = RecordPreparer(MatchSchema((FieldSpec("name", "string", Role.ORGANIZATION_NAME),)))
NATS = st.floats(-20, 20)


def scored(own: list[float], *readings: bytes) -> list[float]:
    found: list[float] = combine(np.array([own]), MODEL, rows=1, copies=copies_of(readings)).score.tolist()
    return found


def test_readings_are_numbered_where_some_are_the_same() -> None:
    assert copies_of([b"a", b"b"]) is None
    numbers = copies_of([b"a", b"b", b"a"])
    assert numbers is not None
    assert numbers.tolist() == [0, 1, 0]


def test_what_is_made_from_a_name_makes_no_other_reading() -> None:
    names = ("Zorba Mining JSC", "Zorba Mining Joint Stock Company", "Zorba Mining Inc")
    readings = [PREPARER.prepare({"name": name}).form for name in names]
    assert len(set(readings)) == len(names)
    numbers = copies_of(readings)
    assert numbers is not None
    assert numbers.tolist() == [0, 0, 1]


def test_rivals_get_half_each_and_copies_more() -> None:
    assert scored([20.0, 20.0], b"a", b"b") == pytest.approx([0.5, 0.5])
    assert scored([20.0, 20.0], b"a", b"a") == pytest.approx([1 / (1 + COPY_RIVALRY)] * 2)


def test_a_rival_that_is_less_likely_keeps_less_than_its_odds_and_an_equal_one_all() -> None:
    likely, less = scored([20.0 + np.log(2.0), 20.0], b"a", b"b")
    assert likely / less == pytest.approx(2.0**SHARPNESS)
    assert likely + less <= 1.0


def test_each_further_copy_takes_something() -> None:
    best = [scored([20.0] * count, *[b"a"] * count)[0] for count in range(1, 6)]
    assert best == sorted(best, reverse=True)
    assert best[1] > 0.75 > best[4] > 0.4


def test_to_others_copies_are_rivals_like_any() -> None:
    assert scored([3.0, 5.0, 5.0], b"a", b"b", b"b")[0] == pytest.approx(scored([3.0, 5.0, 5.0], b"a", b"b", b"c")[0])


@given(st.lists(st.tuples(NATS, st.sampled_from([b"a", b"b", b"c"])), min_size=1, max_size=8))
def test_what_reads_differently_never_exceeds_certainty(candidates: list[tuple[float, bytes]]) -> None:
    nats_of = {reading: nats for nats, reading in candidates}
    own = [nats_of[reading] for _, reading in candidates]
    found = scored(own, *(reading for _, reading in candidates))
    best = {reading: score for score, (_, reading) in zip(found, candidates, strict=True)}
    assert sum(best.values()) <= 1.0 + 1e-9
    assert all(0.0 <= score <= 1.0 for score in found)
    apart = scored(own, *(bytes([at]) for at in range(len(own))))
    assert all(mine >= other - 1e-9 for mine, other in zip(found, apart, strict=True))


@given(st.lists(st.lists(st.tuples(NATS, st.sampled_from([b"a", b"b"])), max_size=5), min_size=1, max_size=4))
def test_a_query_alone_and_among_others(queries: list[list[tuple[float, bytes]]]) -> None:
    slots = [np.array([[nats for nats, _ in one]]) for one in queries]
    copies: list[Copies] = [copies_of([reading for _, reading in one]) for one in queries]
    together = combine_all(slots, MODEL, 1, [{}] * len(queries), copies, [0.0] * len(queries))
    for own, alike, among in zip(slots, copies, together, strict=True):
        alone = combine(own, MODEL, 1, copies=alike)
        assert alone.score.tolist() == pytest.approx(among.score.tolist(), rel=1e-9, abs=1e-12)
