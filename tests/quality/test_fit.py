"""The fit of the weights: what a query without its own record teaches, and what no set can teach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from bench.quality.collect import COLUMNS, TrainingRows
from bench.quality.fit import Taught, expecting, fit

QUERIES, CANDIDATES = 200, 4
MATCHED, LOST = COLUMNS.index(("org", "matched")), COLUMNS.index(("org", "unmatched_query"))


@pytest.fixture
def rows() -> TrainingRows:
    """Of each query the first candidate is right: it shares more and lacks less."""
    rng = np.random.default_rng(0)
    right = np.tile(np.arange(CANDIDATES) == 0, QUERIES)
    features = np.zeros((len(right), len(COLUMNS)))
    features[:, MATCHED] = rng.normal(1.0 + right, 0.7)
    features[:, LOST] = np.abs(rng.normal(1.0 - 0.5 * right, 0.7))
    query = np.repeat(np.arange(QUERIES), CANDIDATES)
    every = np.ones(QUERIES, np.bool_)
    return TrainingRows("made", 1_000, sparse.csr_matrix(features), right, query, every, every)


def without_answers(rows: TrainingRows) -> TrainingRows:
    kept = ~rows.right
    return replace(rows, features=rows.features[kept], right=rows.right[kept], query=rows.query[kept])


def test_a_query_half_without_its_record_teaches_what_two_queries_do(rows: TrainingRows) -> None:
    halves = Taught([rows], {"made": 1.0}, {"made": 0.5})
    both = Taught([rows, without_answers(rows)], {"made": 1.0}, {"made": 0.0})
    of_halves, of_both = fit(halves), fit(both)
    assert of_halves["weights"]["org"]["matched"] > 0.5 > 0.0 > of_halves["weights"]["org"]["unmatched_query"]
    for name, weight in of_both["weights"]["org"].items():
        assert of_halves["weights"]["org"][name] == pytest.approx(weight, abs=1e-3)
    assert of_halves["prior"] == pytest.approx(of_both["prior"], abs=1e-3)
    assert expecting(0.5, of_halves, halves)["prior"] == of_halves["prior"]
    assert expecting(0.1, of_halves, halves)["prior"] > of_halves["prior"]


def test_what_no_set_can_teach_is_held(rows: TrainingRows) -> None:
    org = fit(Taught([rows], {"made": 1.0}, {"made": 0.2}))["weights"]["org"]
    assert org["only_marks_differ"] <= -2.5
    assert org["countries_differ"] <= -3.0
