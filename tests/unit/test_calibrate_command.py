"""The labels file of `foundryops-server calibrate`: read as it is meant, refused with the line that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.cli.calibrate import _read


def read(folder: Path, text: str) -> list[dict[str, object]]:
    path = folder / "pairs.csv"
    path.write_text(text, "utf-8")
    return list(_read(path, "record_id", "match"))


def test_every_other_column_is_the_records(tmp_path: Path) -> None:
    pairs = read(tmp_path, "company,email,record_id,match\nAcme,,a1,yes\nGlobex,jo@globex.com,a3,FALSE\n")
    assert pairs == [
        {"record": {"company": "Acme"}, "record_id": "a1", "match": True},
        {"record": {"company": "Globex", "email": "jo@globex.com"}, "record_id": "a3", "match": False},
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("company,match\nAcme,yes\n", "no column 'record_id'"),
        ("company,record_id,match\nAcme,a1,perhaps\n", "line 2"),
        ("company,record_id,match\nAcme,a1,yes\n,a2,no\n", "line 3"),
        ("company,record_id,match\n", "holds no pairs"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read(tmp_path, text)
