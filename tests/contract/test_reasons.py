"""Every reason code is in the catalogue and in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

from app.matching.catalogue import BETWEEN_FIELDS, SUBJECTS, catalogue
from app.matching.compare.hints import HINT_FEATURES
from app.matching.layout import Kind

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "reasons.md"


def test_every_kind_and_every_hint_has_its_codes() -> None:
    assert set(SUBJECTS) == {kind.value for kind in Kind}
    assert set(BETWEEN_FIELDS) == set(HINT_FEATURES)


def test_codes_are_distinct_and_upper_case() -> None:
    codes = [one.code for one in catalogue()]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"[A-Z][A-Z_]+", code) for code in codes)


def test_the_document_lists_the_catalogue() -> None:
    documented = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \| (.+?) \|$", DOCUMENT.read_text("utf-8"), re.M)
    assert documented == [(one.code, one.label, one.meaning) for one in catalogue()], "run scripts/pin_reasons.py"
