"""Refitting to labels: it finds what was changed, needs few labels, and is refused where it does not help."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.matching.adapting import Adaptation
from app.matching.fitting import LabelledRecord, fit, scores
from app.matching.judging import HeldBack, judge
from app.profiles import find_profile

MODEL = find_profile("balanced").model
KINDS = ("org", "host", "city")
ROWS = 10_000


def made_up(count: int, truth: Adaptation, seed: int) -> list[LabelledRecord]:
    """Records with eight candidates each, whose labels are drawn from the scores of the true model."""
    rng = np.random.default_rng(seed)
    records = []
    for _ in range(count):
        evidence = rng.normal((-1.0, -1.0, 0.0), (2.0, 1.5, 1.0), (8, 3)).T
        evidence[:, 0] += rng.normal((7.0, 3.0, 1.0), 2.0)
        blank = LabelledRecord(evidence, {0: False})
        same = rng.random() < scores([blank], KINDS, MODEL, truth, ROWS)[0]
        records.append(LabelledRecord(evidence, {0: bool(same)}))
    return records


def judged(train: list[LabelledRecord], test: list[LabelledRecord]) -> dict[str, object]:
    found = fit(train, KINDS, MODEL, ROWS)
    right = np.array([label for record in test for label in record.labels.values()])
    before, after = (scores(test, KINDS, MODEL, one, ROWS) for one in (Adaptation(), found))
    return judge(HeldBack(before, after, right, np.arange(len(right))), 0.5)


def test_labels_bring_the_scores_to_what_they_should_be() -> None:
    truth = Adaptation(prior_shift=-2.0)
    found = fit(made_up(400, truth, 1), KINDS, MODEL, ROWS)
    test = made_up(300, truth, 2)
    right, refitted, shipped = (scores(test, KINDS, MODEL, one, ROWS) for one in (truth, found, Adaptation()))
    assert np.abs(refitted - right).mean() < 0.4 * np.abs(shipped - right).mean()


def test_a_kind_that_means_less_here_is_weighed_less() -> None:
    found = fit(made_up(500, Adaptation(scales={"host": 0.3}), 2), KINDS, MODEL, ROWS)
    assert found.scales["host"] < 0.7
    assert found.scales["host"] < found.scales["org"]


def test_fifty_labels_are_enough_to_help_where_the_prior_is_wrong() -> None:
    truth = Adaptation(prior_shift=-3.0)
    assert judged(made_up(50, truth, 3), made_up(200, truth, 4))["better"]


def test_fifty_labels_do_little_harm_where_the_model_is_right() -> None:
    gains = []
    for seed in range(5, 9):
        report = judged(made_up(50, Adaptation(), seed), made_up(200, Adaptation(), seed + 100))
        gains.append(report["log_loss_gain"]["value"])  # type: ignore[index]
    assert np.mean(gains) > -0.03


def test_without_labels_nothing_changes() -> None:
    found = fit([], KINDS, MODEL, ROWS)
    assert found == Adaptation(scales=dict.fromkeys(KINDS, 1.0))


def test_the_order_of_scores_is_kept_by_offset_and_slope() -> None:
    record = made_up(1, Adaptation(), 20)[0]
    everyone = LabelledRecord(record.evidence, dict.fromkeys(range(8), False))
    shipped, changed = (
        scores([everyone], KINDS, MODEL, one, ROWS) for one in (Adaptation(), Adaptation(offset=-1.0, slope=0.5))
    )
    assert np.argsort(shipped).tolist() == np.argsort(changed).tolist()


def test_what_the_calibrator_adds_to_a_record_is_added_when_it_is_fitted_too() -> None:
    record = made_up(1, Adaptation(), 21)[0]
    shifted = replace(record, shift=1.0)
    before, after = (scores([one], KINDS, MODEL, Adaptation(), ROWS)[0] for one in (record, shifted))
    assert after > before
    plain, more = (fit([replace(one, labels={0: True})] * 30, KINDS, MODEL, ROWS) for one in (record, shifted))
    assert more.prior_shift + more.offset < plain.prior_shift + plain.offset


def test_no_better_is_not_better() -> None:
    right = np.array([True, False] * 20)
    same = np.where(right, 0.8, 0.3)
    report = judge(HeldBack(same, same, right, np.arange(40)), 0.5)
    assert not report["better"]
    assert report["before"] == report["after"]
    assert report["before"]["recall"] == {"value": 1.0, "interval": [1.0, 1.0]}
