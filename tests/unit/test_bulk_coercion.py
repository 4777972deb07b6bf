"""A column coerced at once is what its values coerced one by one are."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from app.services.bulk_coercion import coerce_column
from app.services.coercion import NotCoercible, coerce

KINDS = ("string", "int", "float", "bool", "timestamp")
TRICKY = (
    *("", " ", "0", "-0", "+1", "007", " 12 ", "12.5", "1e5", ".5", "5.", "1_000", "٣", "nan", "inf", "-inf", "1e999"),
    *(
        "9" * 18,
        "9" * 19,
        "-" + "9" * 19,
        str(2**63),
        "0.1",
        "123456789012345.123456789012345",
        "1.7976931348623157e308",
    ),
    *("true", "True", "TRUE", "tRue", "false", "yes", "1", "None", "null", "x" * 40_000, "é" * 20_000, "\u3000 7"),
    *("2024-01-31", "2024-02-30", "2024-02-29", "2023-02-29", "2024-13-01", "0001-01-01", "9999-12-31", "2024"),
    *("2024-01-01T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T23:59:60Z", "2024-01-01t00:00:00z"),
    *("2024-01-01T00:00:00.123456Z", "2024-01-01T00:00:00.1234567Z", "2024-01-01T00:00:00.5Z", "2024-01-01 10:00"),
    *("2024-01-01T00:00:00+02:00", "2024-01-01T00:00:00", "2024-01-01T00:00Z", "2024-01-01\n", "12\n", "true\n"),
)
OTHERS = (None, 1, -5, 2**63, 1.0, 1.5, True, False, float("inf"), 10**400)
values = st.one_of(
    st.sampled_from(TRICKY),
    st.sampled_from(OTHERS),
    st.text(max_size=8),
    st.from_regex(r"-?[0-9]{1,20}(\.[0-9]{1,18})?", fullmatch=True),
    st.datetimes().map(lambda time: f"{time.isoformat()}Z"),
    st.dates().map(str),
)


def one_by_one(column: list[Any], kind: str) -> list[tuple[Any, bool, bool]]:
    expected: list[tuple[Any, bool, bool]] = []
    for value in column:
        try:
            expected.append((*coerce(value, kind), False))
        except NotCoercible:
            expected.append((None, False, True))
    return expected


def at_once(column: list[Any], kind: str) -> list[tuple[Any, bool, bool]]:
    found = coerce_column(column, kind)
    return list(zip(found.values.to_pylist(), found.changed.tolist(), found.failed.tolist(), strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_tricky_texts_are_coerced_alike(kind: str) -> None:
    assert at_once(list(TRICKY), kind) == one_by_one(list(TRICKY), kind)
    assert at_once([*TRICKY, *OTHERS], kind) == one_by_one([*TRICKY, *OTHERS], kind)
    for text in TRICKY:
        assert at_once([text], kind) == one_by_one([text], kind)


@pytest.mark.parametrize("kind", KINDS)
@given(column=st.lists(values, max_size=12))
def test_any_column_is_coerced_alike(kind: str, column: list[Any]) -> None:
    assert at_once(column, kind) == one_by_one(column, kind)
    texts = [value for value in column if value is None or isinstance(value, str)]
    assert at_once(texts, kind) == one_by_one(texts, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_column_is_one(kind: str) -> None:
    assert at_once([], kind) == []
    assert at_once([None, None], kind) == [(None, False, False)] * 2
