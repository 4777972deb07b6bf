"""The tariff prices begun units, and a file that cannot be right is refused with the place of its mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from app.errors import InternalError
from app.tariff import Operation, Price, load_tariff


def written(folder: Path, change: dict[str, object]) -> Path:
    tariff = load_tariff().model_dump(mode="json") | change
    path = folder / "tariff.yaml"
    path.write_text(yaml.safe_dump(tariff), "utf-8")
    return path


@pytest.mark.parametrize(("units", "credits"), [(0, 0), (1, 2), (1000, 2), (1001, 4), (2000, 4)])
def test_a_price_counts_every_unit_begun(units: int, credits: int) -> None:
    assert Price(credits=2, per=1000).of(units) == credits


def test_the_bundled_tariff_prices_every_operation() -> None:
    tariff = load_tariff()
    assert all(tariff.price(operation, 1) >= 0 for operation in Operation)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"default_tiers": {"development": "gold"}}, "default_tiers names 'gold'"),
        ({"prices": {"match.record": {"credits": 1}}}, "prices lacks match.explain"),
        ({"prices": {"match.records": {"credits": 1}}}, r"prices\.match\.records"),
        ({"tiers": {"standard": {"requests": -1}}}, r"tiers\.standard\.requests: .* greater than 0"),
        ({"teirs": {}}, "teirs: Extra inputs are not permitted"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, change: dict[str, object], complaint: str) -> None:
    with pytest.raises(InternalError, match=complaint):
        load_tariff(written(tmp_path, change))


def test_a_file_that_is_no_yaml_or_not_there_says_so(tmp_path: Path) -> None:
    (tmp_path / "tariff.yaml").write_text("tiers: [", "utf-8")
    for name in ("tariff.yaml", "nowhere.yaml"):
        with pytest.raises(InternalError, match="cannot be read"):
            load_tariff(tmp_path / name)
