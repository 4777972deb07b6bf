"""In which countries a name is written so, and what that says of a candidate where the record gives no country."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.matching.compare import compare
from app.matching.compare.candidates import feature_names
from app.matching.countries import country
from app.matching.frequencies import TermFrequencies, count_hashes, merge_counts
from app.matching.prepare import RecordPreparer
from app.matching.schema import FieldSpec, MatchSchema, Role
from app.matching.scripts import countries_writing

PREPARER = RecordPreparer(
    MatchSchema(
        (FieldSpec("name", "string", Role.ORGANIZATION_NAME), FieldSpec("country", "string", Role.COUNTRY)),
    )
)
GARDENS = [{"name": "National Botanical Garden", "country": code} for code in ("UA", "CN", "RU", "")]


@pytest.mark.parametrize(
    ("text", "countries"),
    [
        ("Siemens AG", ""),
        ("Société Générale", ""),
        ("①②", ""),
        ("삼성전자", "kp kr"),
        ("株式会社ジェムコ", "jp"),
        ("ｼﾞｪﾑｺ", "jp"),
        ("東京大学", "jp"),
        ("大连理工大学", "cn"),
        ("農業協會", "hk jp mo tw"),
        ("北京", "cn hk jp mo tw"),
        ("Київський політехнічний інститут", "ua"),
        ("Институт Дальнего Востока РАН", "ba bg by kg kz me mk mn rs ru tj ua uz"),
        ("دانشگاه شاهد", "af iq ir pk"),
        ("Trường Đại học Cần Thơ", "vn"),
        ("Politechnika Łódzka", "pl"),
    ],
)
def test_letters_and_scripts_tell_where_a_name_is_written_so(text: str, countries: str) -> None:
    assert sorted(countries_writing(text)) == countries.split()


@given(st.text())
def test_what_is_told_are_countries(text: str) -> None:
    assert all(country(code) == code and len(code) == 2 for code in countries_writing(text))


def hints(record: dict[str, str]) -> list[dict[str, float]]:
    """Of each garden, what its country says of the record."""
    tables = [count_hashes(np.fromiter(PREPARER.prepare(one).terms, np.uint64)) for one in GARDENS * 100]
    frequencies = TermFrequencies.from_counts(len(tables), *merge_counts(tables))
    forms = [PREPARER.form(one) for one in GARDENS]
    hint = compare(PREPARER.slots, PREPARER.form(record), forms, frequencies).slots[-1]
    named = [dict(zip(feature_names("hint"), row, strict=True)) for row in hint.features.tolist()]
    return [{name: value for name, value in one.items() if value} for one in named]


def test_a_script_supports_a_country_where_it_is_written_and_opposes_another() -> None:
    in_ukraine, in_china, in_russia, anywhere = hints({"name": "Ботанічний сад Їжакевича"})
    assert in_ukraine.keys() == {"country_of_script"}
    assert in_china == in_russia == {"country_of_other_script": 1.0}
    assert anywhere == {}


def test_a_script_that_many_countries_write_says_less() -> None:
    in_ukraine, in_china, in_russia, _ = hints({"name": "Ботанический сад"})
    [letters_of_one, *_] = hints({"name": "Ботанічний сад Їжакевича"})
    assert in_ukraine == in_russia
    assert 0 < in_ukraine["country_of_script"] < letters_of_one["country_of_script"]
    assert in_china == {"country_of_other_script": 1.0}


@pytest.mark.parametrize(
    "record", [{"name": "Ботанічний сад Їжакевича", "country": "CN"}, {"name": "Botanical Garden"}]
)
def test_a_script_says_nothing_beside_a_country_of_the_record_or_where_all_write_so(record: dict[str, str]) -> None:
    assert hints(record) == [{}, {}, {}, {}]
