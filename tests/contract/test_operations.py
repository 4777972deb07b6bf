"""Dashboard, alerts and documentation speak of metrics that exist, and every metric is documented."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

import app.main
import workers.settings

ROOT = Path(__file__).parent.parent.parent
OPS = ROOT / "ops"
DOCUMENT = (ROOT / "docs" / "operations.md").read_text("utf-8")
ALERTS: list[dict[str, Any]] = yaml.safe_load((OPS / "prometheus" / "alerts.yaml").read_text())["groups"][0]["rules"]
BOARD: dict[str, Any] = json.loads((OPS / "grafana" / "foundryops.json").read_text("utf-8"))
NAME = re.compile(r"foundryops_[a-z_]+")

assert app.main
assert workers.settings  # both processes' metrics are registered by these imports


def ours() -> dict[str, set[str]]:
    """By name as it is documented, the names of its series."""
    found: dict[str, set[str]] = {}
    for metric in REGISTRY.collect():
        if metric.name.startswith("foundryops_"):
            suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(metric.type, ("",))
            name = f"{metric.name}_total" if metric.type == "counter" else metric.name
            found[name] = {metric.name + suffix for suffix in suffixes}
    return found


SERIES = set().union(*ours().values())
EXPRESSIONS = {f"alert {rule['alert']}": rule["expr"] for rule in ALERTS} | {
    f"panel {panel['title']} {target['refId']}": target["expr"]
    for panel in BOARD["panels"]
    for target in panel["targets"]
}


@pytest.mark.parametrize("place", EXPRESSIONS)
def test_an_expression_asks_for_series_that_exist(place: str) -> None:
    named = set(NAME.findall(EXPRESSIONS[place]))
    assert named <= SERIES
    assert named or "up{" in EXPRESSIONS[place]


@pytest.mark.parametrize("place", EXPRESSIONS)
def test_an_expression_is_balanced(place: str) -> None:
    for opening, closing in ("()", "{}", "[]"):
        assert EXPRESSIONS[place].count(opening) == EXPRESSIONS[place].count(closing)


def test_the_documentation_names_every_metric_and_no_other() -> None:
    assert set(NAME.findall(DOCUMENT)) == set(ours())


def test_the_dashboard_shows_every_metric() -> None:
    shown = {name for expression in EXPRESSIONS.values() for name in NAME.findall(expression)}
    assert [name for name, series in ours().items() if not series & shown] == []


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"
    assert f"### {rule['alert']}\n" in DOCUMENT
    assert rule["labels"]["severity"] in ("page", "ticket")


def test_panels_do_not_lie_over_each_other() -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in BOARD["panels"]]
    assert len(places) == len(set(places))
