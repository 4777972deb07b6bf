"""A relative that stands alone in the master is not linked, by the profiles that ship: it is another fund, branch or state."""

from __future__ import annotations

import numpy as np
import pytest

from app.matching.compare import Comparison, compare
from app.matching.frequencies import TermFrequencies
from app.matching.prepare import RecordPreparer
from app.matching.reasons import Reason, reasons_for
from app.matching.schema import FieldSpec, MatchSchema, Role
from app.matching.score import BITS, Scores, prior_of, score
from app.profiles import find_profile

ROWS = 50_000
PREPARER = RecordPreparer(MatchSchema((FieldSpec("name", "string", Role.ORGANIZATION_NAME),)))
NOTHING_COUNTED = TermFrequencies(ROWS, np.empty(0, np.uint64), np.empty(0, np.uint32))


def scored(name: str, other: str, profile: str) -> tuple[Comparison, Scores]:
    """A record that is all that a name finds among 50,000."""
    comparison = compare(
        PREPARER.slots, PREPARER.form({"name": name}), [PREPARER.form({"name": other})], NOTHING_COUNTED
    )
    return comparison, score(comparison, find_profile(profile).model, ROWS)


def alone(name: str, other: str, profile: str) -> float:
    return float(scored(name, other, profile)[1].score[0])


def reasons(name: str, other: str) -> list[Reason]:
    comparison, scores = scored(name, other, "balanced")
    return reasons_for(comparison.slots, scores, find_profile("balanced").model, 0)


@pytest.mark.parametrize("profile", ["balanced", "leads_to_accounts"])
@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Reia 12", "Reia 13"),
        ("Apollo Investment Fund VIII L.P.", "Apollo Investment Fund IX L.P."),
        ("School District 12", "School District 21"),
        ("Lafayette Fund 2019", "Lafayette Fund 2020"),
        ("Siemens Österreich", "Siemens Germany"),
        ("Bank of China", "Bank of Chile"),
        ("Government of Estonia", "Government of Ethiopia"),
        ("Mercedes-Benz Polska", "Mercedes-Benz Deutschland"),
    ],
)
def test_a_relative_is_not_linked(profile: str, name: str, other: str) -> None:
    assert alone(name, other, profile) < find_profile(profile).match_threshold
    assert alone(other, name, profile) < find_profile(profile).match_threshold


@pytest.mark.parametrize("profile", ["balanced", "leads_to_accounts"])
@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Apollo Investment Fund VIII L.P.", "Apollo Investment Fund 8"),
        ("Siemens Österreich", "Siemens Austria GmbH"),
        ("Bank of China Ltd", "Bank of China Limited"),
        ("Mercedes-Benz Deutschland", "Mercedes Benz Germany"),
    ],
)
def test_the_same_written_otherwise_is(profile: str, name: str, other: str) -> None:
    assert alone(name, other, profile) >= find_profile(profile).match_threshold


@pytest.mark.parametrize(
    ("name", "other", "code"),
    [
        ("Apollo Investment Fund VIII", "Apollo Investment Fund IX", "MARK_DIFFERS"),
        ("Facility E", "Facility I", "MARK_DIFFERS"),
        ("Commercial Mortgage Trust 2014-LC18", "Commercial Mortgage Trust 2014-LC16", "MARK_DIFFERS"),
        ("Bank of China", "Bank of Chile", "NAMED_COUNTRY_DIFFERS"),
        ("Acme GmbH", "Acme AG", "LEGAL_FORM_DIFFERS"),
    ],
)
def test_what_tells_them_apart_has_a_chip_of_its_own(name: str, other: str, code: str) -> None:
    told = {reason.code: reason for reason in reasons(name, other)}
    assert told[code].weight_bits < 0
    assert told[code].field == "name"
    weight = sum(reason.weight_bits for reason in told.values()) + prior_of(find_profile("balanced").model, ROWS) * BITS
    assert weight == pytest.approx(scored(name, other, "balanced")[1].bits(0))
    others = {"MARK_DIFFERS", "NAMED_COUNTRY_DIFFERS", "LEGAL_FORM_DIFFERS"} - {code}
    assert not others & told.keys()


def test_what_is_the_same_has_none() -> None:
    assert {reason.code for reason in reasons("Bank of China II Ltd", "Bank of China 2 Limited")} <= {
        "NAME_EXACT",
        "OTHER",
    }
