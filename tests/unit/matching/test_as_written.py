"""How much the normalisers know of what registers and CRMs write: lists that were made without a look at their tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from app.matching.countries import country
from app.matching.data import lines_of
from app.matching.organisations import organisation_name
from app.matching.roles import infer_roles

WRITTEN: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "as_written.yaml").read_text("utf-8"))
NAME = "Zorbatek"


def test_legal_forms_are_cut_off() -> None:
    """Those that are left are other words as often: `SC`, `CA`, `DA`."""
    forms = WRITTEN["legal_forms"]
    texts = [form.format(NAME) if "{}" in form else f"{NAME} {form}" for form in forms]
    known = [text for text in texts if organisation_name(text).tokens == (NAME.lower(),)]
    assert len(known) >= 0.9 * len(forms)


def test_countries_are_known_by_their_names() -> None:
    names = [(name, code) for code, several in WRITTEN["countries"].items() for name in several]
    unknown = [name for name, code in names if country(name) != code]
    assert unknown == ["عمان"], "its letters would be a code"


def test_fields_are_known_by_their_names() -> None:
    names = [(name, role) for role, several in WRITTEN["fields"].items() for name in several]
    unknown = [name for name, role in names if infer_roles({name: "string"})[name].value != role]
    assert len(unknown) <= 0.03 * len(names)


def test_a_meaning_has_one_line_of_translations() -> None:
    """A second one would take the first one's place."""
    meanings = [line.partition(":")[0] for line in lines_of("translations.txt")]
    assert len(meanings) == len(set(meanings))
