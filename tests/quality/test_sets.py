"""Labelled sets as the quality bench reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.quality.sets import LabelledSet, among_strangers

STRANGERS = "id,name,domain,kind\ng1,ACME Corp.,acme.example,real\ng2,Beta Works,beta.example,real\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "master.csv").write_text(STRANGERS, "utf-8")
    return tmp_path


def test_strangers_join_a_master_in_its_own_fields(folder: Path) -> None:
    own = [{"id": "a", "name": "Acme Corp", "domain": "acme.com", "city": "Bonn"}]
    joined = among_strangers(LabelledSet("set", own, [], {}), folder)
    added = {"id": "stranger g2", "name": "Beta Works", "domain": "beta.example", "city": ""}
    assert joined.master == [*own, added]


def test_a_set_without_names_takes_no_strangers(folder: Path) -> None:
    with pytest.raises(ValueError, match="has no field 'name'"):
        among_strangers(LabelledSet("set", [{"id": "a", "title": "Acme"}], [], {}), folder)
