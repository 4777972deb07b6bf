"""Floors of the figures that are committed with the profiles; `make quality SETS=…` measures them anew through the product."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.profiles import find_profile

RESULTS = Path(__file__).parent.parent.parent / "bench" / "results"
LEFT_OUT = "quality-left-out"
"""Of sets whose families of data the weights never saw; `python -m bench.quality.train` measures them anew."""
FLOORS = {
    "quality": [
        ("finance_accounts", "recall_at_50", 0.995),
        ("finance_accounts", "hit_at_1", 0.988),
        ("finance_accounts", "f1", 0.985),
        ("finance_accounts", "no_match_unlinked", 0.96),
        ("universities_to_ror", "recall_at_50", 0.99),
        ("universities_to_ror", "hit_at_1", 0.94),
        ("ror_names", "recall_at_50", 0.985),
        ("ror_names", "hit_at_1", 0.90),
        ("ror_names", "f1", 0.90),
        ("ror_affiliations_crossref", "recall_at_50", 0.99),
        ("ror_affiliations_crossref", "f1", 0.88),
        ("ror_aliases", "recall_at_50", 0.865),
        ("ror_aliases", "hit_at_1", 0.65),
        ("historical_50k", "hit_at_1", 0.96),
        ("febrl4_half", "f1", 0.98),
        ("dblp_acm", "f1", 0.985),
        ("fodors_zagats", "f1", 0.975),
        ("abt_buy", "f1", 0.85),
        ("amazon_google", "f1", 0.65),
    ],
    "quality-among-strangers": [
        ("finance_accounts", "recall_at_50", 0.99),
        ("finance_accounts", "f1", 0.98),
        ("universities_to_ror", "f1", 0.95),
        ("ror_names", "recall_at_50", 0.97),
        ("ror_names", "f1", 0.87),
        ("ror_affiliations_crossref", "f1", 0.84),
        ("ror_affiliations_crossref", "recall_at_50", 0.985),
        ("ror_aliases", "recall_at_50", 0.81),
    ],
    "quality-high_precision": [
        ("finance_accounts", "precision", 0.99),
        ("finance_accounts", "recall", 0.95),
        ("febrl4_half", "precision", 0.99),
        ("febrl4_half", "recall", 0.95),
        ("dblp_acm", "precision", 0.99),
        ("dblp_acm", "recall", 0.95),
    ],
    LEFT_OUT: [
        ("finance_accounts", "f1", 0.985),
        ("finance_accounts", "no_match_unlinked", 0.93),
        ("universities_to_ror", "f1", 0.945),
        ("ror_names", "f1", 0.88),
        ("ror_affiliations_crossref", "f1", 0.85),
        ("febrl4_half", "f1", 0.97),
        ("febrl4_half", "no_match_unlinked", 0.97),
        ("dblp_acm", "f1", 0.965),
    ],
}
FIGURES: dict[str, dict[str, Any]] = {
    name: json.loads((RESULTS / f"{name}.json").read_text("utf-8")) for name in FLOORS
}


@pytest.mark.parametrize(
    ("results", "name", "figure", "floor"),
    [(results, *floor) for results, floors in FLOORS.items() for floor in floors],
)
def test_a_set_keeps_its_floor(results: str, name: str, figure: str, floor: float) -> None:
    assert FIGURES[results][name][figure] >= floor


def test_strangers_are_about_a_million() -> None:
    assert all(row["master"] > 900_000 for row in FIGURES["quality-among-strangers"].values())


@pytest.mark.parametrize("results", [name for name in FLOORS if name != LEFT_OUT])
def test_the_figures_are_those_of_the_profiles_that_ship(results: str) -> None:
    measured = {row["profile"] for row in FIGURES[results].values()}
    assert measured == {find_profile(label.partition("@")[0]).label for label in measured}


def test_what_was_left_out_was_left_out_of_the_model_that_ships() -> None:
    assert {row["model"] for row in FIGURES[LEFT_OUT].values()} == {find_profile("balanced").model.name}
