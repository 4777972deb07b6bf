"""Floors of the figures that are committed with the profiles; `make quality SETS=…` measures them anew through the product."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.profiles import find_profile

FIGURES: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent.parent / "bench" / "results" / "quality.json").read_text("utf-8")
)
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


@pytest.mark.parametrize(("name", "figure", "floor"), FLOORS)
def test_a_set_keeps_its_floor(name: str, figure: str, floor: float) -> None:
    assert FIGURES[name][figure] >= floor


def test_the_figures_are_those_of_the_profiles_that_ship() -> None:
    measured = {row["profile"] for row in FIGURES.values()}
    assert measured == {find_profile(label.partition("@")[0]).label for label in measured}
