"""Laws of the matching core that hold for any input."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.matching.compare import compare
from app.matching.compare.scalars import COMPARATORS, Level
from app.matching.compare.tokens import word_similarities
from app.matching.frequencies import TermFrequencies, count_hashes, hash_terms, merge_counts
from app.matching.layout import Kind, slots_of
from app.matching.prepare import NORMALISERS, RecordPreparer
from app.matching.reasons import reasons_for
from app.matching.schema import FieldSpec, MatchSchema, Role
from app.matching.score import BITS, Calibrator, combine, prior_of, score
from app.matching.text import fold
from app.profiles import find_profile

WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)
NAME = st.text(min_size=1, max_size=40)
SCHEMA = MatchSchema(
    (
        FieldSpec("name", "string", Role.ORGANIZATION_NAME),
        FieldSpec("website", "string", Role.DOMAIN),
        FieldSpec("city", "string", Role.CITY),
        FieldSpec("country", "string", Role.COUNTRY),
    )
)
RECORD = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["Acme Widgets", "Acme Widget Group", "Globex", "NBE", "Reia 12 Fund", "Reia 13 Fund"]),
        "website": st.sampled_from([None, "acme.com", "acme.de", "globex.com"]),
        "city": st.sampled_from([None, "Boston", "Berlin", "Bosten"]),
        "country": st.sampled_from([None, "US", "Germany"]),
    }
)
NO_TERMS = TermFrequencies(1000, np.empty(0, np.uint64), np.empty(0, np.uint32))


@given(st.text(max_size=200))
def test_folded_text_is_ascii_and_folds_to_itself(text: str) -> None:
    folded = fold(text)
    assert folded.isascii()
    assert fold(folded) == folded


@given(st.lists(WORD, min_size=1, max_size=5), st.lists(WORD, min_size=1, max_size=5))
def test_word_similarities_are_symmetric_and_bounded(left: list[str], right: list[str]) -> None:
    table = word_similarities(left, right, persons=False)
    assert ((table >= 0) & (table <= 1)).all()
    assert np.allclose(table, word_similarities(right, left, persons=False).T)
    assert np.allclose(np.diag(word_similarities(left, left, persons=False)), 1.0)


@pytest.mark.parametrize("kind", sorted(COMPARATORS))
@given(left=NAME, right=NAME)
def test_comparators_are_symmetric_and_exact_on_equal_values(kind: Kind, left: str, right: str) -> None:
    a, b = NORMALISERS[kind](left), NORMALISERS[kind](right)
    if a and b:
        assert COMPARATORS[kind](a, b) == COMPARATORS[kind](b, a)
        assert COMPARATORS[kind](a, a) is Level.EXACT


@given(RECORD)
def test_preparing_twice_gives_the_same_form(record: dict[str, str]) -> None:
    preparer = RecordPreparer(SCHEMA)
    assert preparer.prepare(record) == preparer.prepare(record)


@given(RECORD, st.lists(RECORD, min_size=1, max_size=6))
def test_reasons_and_prior_add_up_to_the_log_odds(record: dict[str, str], masters: list[dict[str, str]]) -> None:
    preparer, model = RecordPreparer(SCHEMA), find_profile("balanced").model
    comparison = compare(slots_of(SCHEMA), preparer.form(record), [preparer.form(one) for one in masters], NO_TERMS)
    scores = score(comparison, model, 1000)
    for c in range(len(masters)):
        total = scores.prior * BITS + sum(r.weight_bits for r in reasons_for(comparison.slots, scores, model, c))
        assert total == pytest.approx(scores.bits(c), abs=0.01)


@given(RECORD, st.lists(RECORD, min_size=1, max_size=6), RECORD)
def test_one_more_rival_never_raises_a_score(
    record: dict[str, str], masters: list[dict[str, str]], rival: dict[str, str]
) -> None:
    preparer, model = RecordPreparer(SCHEMA), find_profile("balanced").model
    form, forms = preparer.form(record), [preparer.form(one) for one in (*masters, rival)]
    few = score(compare(slots_of(SCHEMA), form, forms[:-1], NO_TERMS), model, 1000)
    more = score(compare(slots_of(SCHEMA), form, forms, NO_TERMS), model, 1000)
    assert (more.score[:-1] <= few.score + 1e-12).all()


def test_a_calibrator_rises_at_its_knots_too() -> None:
    """Interpolation alone is too large by its last bit just before the second of these."""
    knots = (-5.62, -4.282, -0.32, 5.158, 6.239, 7.562)
    calibrator = Calibrator(knots, (-2.806, -0.687, 0.467, 3.623, 5.082, 5.172))
    around = np.sort(np.r_[knots, np.nextafter(knots, -np.inf)])
    assert (np.diff(calibrator(around)) >= 0).all()


@given(st.lists(st.floats(-20, 20), min_size=2, max_size=20))
def test_a_calibrator_rises_and_its_inverse_takes_it_back(values: list[float]) -> None:
    calibrator = find_profile("balanced").model.calibrator
    ordered = np.sort(np.array(values))
    calibrated = calibrator(ordered)
    assert (np.diff(calibrated) >= 0).all()
    for probability in (0.01, 0.2, 0.5, 0.9, 0.999):
        back = calibrator(np.array([calibrator.inverse(probability)]))[0]
        assert 1 / (1 + np.exp(-back)) == pytest.approx(probability, abs=1e-6)


@pytest.mark.parametrize("name", ["balanced", "leads_to_accounts", "high_precision"])
@pytest.mark.parametrize("rows", [1, 300, 1_000_000])
def test_a_candidate_without_any_evidence_is_no_match(name: str, rows: int) -> None:
    profile = find_profile(name)
    assert prior_of(profile.model, rows) * BITS < profile.model.bits_at(profile.match_threshold)


def test_a_record_of_one_value_is_shifted_before_it_is_calibrated_and_its_terms_stay() -> None:
    preparer, model = RecordPreparer(SCHEMA), replace(find_profile("balanced").model, shift_alone=0.75)
    named, placed, nowhere = {"name": "Zorbatek"}, {"name": "Zorbatek", "city": "Blork"}, {"city": "Blork"}
    forms = [preparer.form(placed), preparer.form(nowhere)]
    one, two = (
        score(compare(slots_of(SCHEMA), preparer.form(record), forms, NO_TERMS), model, 1000)
        for record in (named, placed)
    )
    assert (one.shift, two.shift) == (0.75, 0.0)
    unshifted = combine(one.slots, model, 1000)
    assert one.log_odds.tolist() == unshifted.log_odds.tolist()
    assert logit(one.score[0]) == pytest.approx(float(model.calibrator(one.log_odds[:1] + 0.75)[0]))
    assert one.score[0] > unshifted.score[0]


def test_a_candidate_of_which_nothing_is_compared_is_not_shifted() -> None:
    model = find_profile("balanced").model
    assert combine(np.zeros((2, 1)), model, 300, shift=5.0).score[0] == combine(np.zeros((2, 1)), model, 300).score[0]


def logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def test_a_calibrator_without_knots_changes_nothing() -> None:
    assert Calibrator()(np.array([-3.0, 0.0, 4.0])).tolist() == [-3.0, 0.0, 4.0]


@given(st.lists(st.lists(WORD, max_size=8), max_size=8))
def test_frequencies_count_as_a_counter_does(records: list[list[str]]) -> None:
    expected = Counter(term for record in records for term in set(record))
    merged = merge_counts([count_hashes(hash_terms(sorted(set(record)))) for record in records])
    frequencies = TermFrequencies.from_counts(len(records), *merged)
    terms = sorted(expected)
    assert frequencies.counts_of(terms) == [expected[term] for term in terms]
    assert frequencies.counts_of(["not there at all"]) == [1]


@given(RECORD, st.lists(RECORD, min_size=1, max_size=6))
def test_comparing_all_candidates_at_once_is_comparing_each_alone(
    record: dict[str, str], masters: list[dict[str, str]]
) -> None:
    preparer, slots = RecordPreparer(SCHEMA), slots_of(SCHEMA)
    form, forms = preparer.form(record), [preparer.form(one) for one in masters]
    together = compare(slots, form, forms, NO_TERMS)
    for c, one in enumerate(forms):
        for slot, alone in zip(together.slots, compare(slots, form, [one], NO_TERMS).slots, strict=True):
            assert slot.features[c] == pytest.approx(alone.features[0], abs=1e-12)
            assert slot.pairs[c] == alone.pairs[0]


@given(st.lists(st.lists(WORD, max_size=8), min_size=1, max_size=8), st.lists(WORD, max_size=12))
def test_a_remembered_count_is_the_table_s_own(records: list[list[str]], asked: list[str]) -> None:
    hashes = hash_terms(term for record in records for term in set(record))
    table = TermFrequencies.from_counts(len(records), *count_hashes(hashes))
    for _ in range(2):
        assert table.counts_of(asked) == table.search(asked).tolist()
