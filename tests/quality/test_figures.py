"""Floors of the figures that are committed with the profiles; `make quality SETS=…` measures them anew through the product."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.profiles import find_profile

RESULTS = Path(__file__).parent.parent.parent / "bench" / "results"
FIGURES: dict[str, Any] = json.loads((RESULTS / "quality.json").read_text("utf-8"))
AMONG_STRANGERS: dict[str, Any] = json.loads((RESULTS / "quality-among-strangers.json").read_text("utf-8"))
HIGH_PRECISION: dict[str, Any] = json.loads((RESULTS / "quality-high_precision.json").read_text("utf-8"))
FLOORS = [
    ("finance_accounts", "recall_at_50", 0.995),
    ("finance_accounts", "hit_at_1", 0.988),
    ("finance_accounts", "f1", 0.98),
    ("universities_to_ror", "hit_at_1", 0.94),
    ("ror_affiliations_crossref", "recall_at_50", 0.98),
    ("ror_aliases", "recall_at_50", 0.80),
    ("ror_aliases", "hit_at_1", 0.60),
    ("historical_50k", "hit_at_1", 0.96),
    ("febrl4_half", "f1", 0.98),
    ("dblp_acm", "f1", 0.975),
    ("fodors_zagats", "f1", 0.975),
    ("abt_buy", "f1", 0.75),
    ("amazon_google", "f1", 0.65),
]
FLOORS_AMONG_STRANGERS = [
    ("finance_accounts", "recall_at_50", 0.99),
    ("finance_accounts", "f1", 0.97),
    ("universities_to_ror", "f1", 0.955),
    ("ror_names", "recall_at_50", 0.965),
    ("ror_affiliations_crossref", "recall_at_50", 0.98),
]


@pytest.mark.parametrize(("name", "figure", "floor"), FLOORS)
def test_a_set_keeps_its_floor(name: str, figure: str, floor: float) -> None:
    assert FIGURES[name][figure] >= floor


@pytest.mark.parametrize(("name", "figure", "floor"), FLOORS_AMONG_STRANGERS)
def test_a_set_keeps_its_floor_among_a_million_strangers(name: str, figure: str, floor: float) -> None:
    assert AMONG_STRANGERS[name]["master"] > 900_000
    assert AMONG_STRANGERS[name][figure] >= floor


@pytest.mark.parametrize("name", ["dblp_acm", "febrl4_half", "finance_accounts"])
def test_high_precision_is_wrong_once_in_a_hundred_links(name: str) -> None:
    assert HIGH_PRECISION[name]["precision"] >= 0.99
    assert HIGH_PRECISION[name]["recall"] >= 0.95


@pytest.mark.parametrize("figures", [FIGURES, AMONG_STRANGERS, HIGH_PRECISION])
def test_the_figures_are_those_of_the_profiles_that_ship(figures: dict[str, Any]) -> None:
    measured = {row["profile"] for row in figures.values()}
    assert measured == {find_profile(label.partition("@")[0]).label for label in measured}
