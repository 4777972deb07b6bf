"""What agreement says by how it comes about: domains made from names, close values by rarity, acronyms beside common words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from app.matching.compare import SlotComparison, compare
from app.matching.compare.bag import parse_bag
from app.matching.compare.candidates import feature_names
from app.matching.compare.compounds import Compounds
from app.matching.compare.hints import HINT_ALTERNATIVES
from app.matching.frequencies import TermFrequencies, count_hashes, merge_counts
from app.matching.layout import slots_of
from app.matching.prepare import RecordPreparer
from app.matching.roles import infer_roles
from app.matching.schema import FieldSpec, MatchSchema
from tests.unit.matching.test_explaining import situation
from tests.unit.matching.test_sums import CANDIDATES, Record, edited

FIELDS = dict.fromkeys(("name", "website", "city"), "string")
SCHEMA = MatchSchema(tuple(FieldSpec(name, "string", role) for name, role in infer_roles(FIELDS).items()))
PREPARER = RecordPreparer(SCHEMA)
SLOTS = slots_of(SCHEMA)
CITIES = [{"name": f"Company {at}", "website": f"shop{at}.example", "city": "Springfield"} for at in range(300)]


def features(record: Record, master: Record, others: list[Record] | None = None) -> dict[str, dict[str, float]]:
    """By kind, what a comparison of the two says, in a snapshot that holds the master and others."""
    counted = [PREPARER.prepare(one).terms for one in (master, *(CITIES if others is None else others))]
    tables = [count_hashes(np.fromiter(terms, np.uint64)) for terms in counted]
    frequencies = TermFrequencies.from_counts(len(tables), *merge_counts(tables))
    compared = compare(SLOTS, PREPARER.form(record), [PREPARER.form(master)], frequencies)
    return {slot.kind: by_name(slot) for slot in compared.slots}


def by_name(slot: SlotComparison) -> dict[str, float]:
    return {
        name: value for name, value in zip(feature_names(slot.kind), slot.features[0].tolist(), strict=True) if value
    }


@pytest.mark.parametrize(
    ("record", "master", "hint"),
    [
        (("Alphabet", "google.com"), ("Google", None), "host_spells_name"),
        (("Acme Tools", "acmetools.com"), ("Acme Tools Ltd", None), "host_spells_both_names"),
        (("Alphabet", "googlecloud.com"), ("Google", None), "host_begins_name"),
        (("Acme", "acmetools.com"), ("Acme Ltd", None), "host_begins_both_names"),
        (("Google", None), ("Alphabet", "google.com"), "name_spells_host"),
        (("Google", None), ("Google Inc", "google.com"), "both_names_spell_host"),
        (("Google", None), ("Alphabet", "googlecloud.com"), "name_begins_host"),
        (("Alphabet", "google.com"), ("Alphabet", "google.com"), "host_beyond_name"),
        (("Alphabet", "google.de"), ("Alphabet", "google.com"), "host_beyond_name"),
        ((None, "google.com"), ("Google", "google.com"), "host_alone"),
    ],
)
def test_a_domain_says_less_where_its_own_name_made_it(
    record: tuple[str | None, str | None], master: tuple[str, str | None], hint: str
) -> None:
    left, right = ({"name": name, "website": website} for name, website in (record, master))
    assert features(left, right)["hint"] == {hint: 1.0}


def test_an_equal_domain_that_the_name_made_is_no_hint() -> None:
    google = {"name": "Google", "website": "google.com"}
    assert not features(google, google)["hint"]


@given(edited(), CANDIDATES)
def test_of_hints_that_exclude_each_other_one_at_most_holds(record: Record, chosen: list[int]) -> None:
    compared = situation(record, chosen).reranked.comparison
    hints = compared.slots[-1]
    names = feature_names("hint")
    for either in HINT_ALTERNATIVES:
        held = hints.features[:, [names.index(name) for name in either]] != 0
        assert held.sum(axis=1).max(initial=0) <= 1


def test_close_values_count_by_the_commoner_of_the_two() -> None:
    common = features({"city": "Springfeld"}, {"city": "Springfield"})["city"]
    rare = features({"city": "Springfeld"}, {"city": "Springfield"}, others=[])["city"]
    assert common["close"] == rare["close"] == 1.0
    assert common["close_bits"] < 0.1 < rare["close_bits"]


def test_hosts_of_one_label_count_by_the_label() -> None:
    shops = [{"name": f"Shop {at}", "website": f"shop.example{at}.com"} for at in range(300)]
    taken = [{"name": f"Acme {at}", "website": f"acme.{end}"} for at, end in enumerate(("de", "fr", "it", "es"))]
    record, master = {"website": "acme.com"}, {"website": "acme.net"}
    alone, among = features(record, master, shops)["host"], features(record, master, [*shops, *taken])["host"]
    assert alone["close"] == among["close"] == 1.0
    assert among["close_bits"] < alone["close_bits"]


@pytest.mark.parametrize(
    ("name", "other", "expected"),
    [
        ("NBE", "National Bank of Egypt", True),
        ("NBE Group", "National Bank of Egypt", True),
        ("National Bank of Egypt", "NBE Group", True),
        ("NBE Zorgan", "National Bank of Egypt", False),
    ],
)
def test_an_acronym_may_stand_beside_common_words(name: str, other: str, expected: bool) -> None:
    assert ("acronym" in features({"name": name}, {"name": other})["org"]) is expected


@pytest.mark.parametrize(
    ("name", "other", "expected"),
    [
        ("Reia 12", "Reia 13", "marks_differ"),
        ("Internet Fund V", "Internet Fund VI", "marks_differ"),
        ("Commercial Mortgage Trust 2014-LC18", "Commercial Mortgage Trust 2014-LC16", "marks_differ"),
        ("Facility E", "Facility I", "marks_differ"),
        ("Global Bond 3", "Global Bond", "mark_lost"),
        ("Global Bond", "Global Bond II", "mark_lost"),
        ("Internet Fund VI", "Internet Fund 6", None),
        ("Acme", "Acne", None),
    ],
)
def test_members_of_a_series_are_told_apart_by_their_marks(name: str, other: str, expected: str | None) -> None:
    told = features({"name": name}, {"name": other})["org"].keys() & {"marks_differ", "mark_lost"}
    assert told == ({expected} if expected else set())


@pytest.mark.parametrize(
    ("name", "other", "expected"),
    [
        ("Bank of Chad", "Bank of China", True),
        ("Siemens Österreich", "Siemens Deutschland", True),
        ("Siemens Deutschland", "Siemens Germany", False),
        ("Siemens Deutschland", "Siemens", False),
        ("Chad China Trading", "China Trading", False),
    ],
)
def test_names_that_name_different_countries_are_told_apart(name: str, other: str, expected: bool) -> None:
    assert ("countries_differ" in features({"name": name}, {"name": other})["org"]) is expected


@pytest.mark.parametrize(
    ("name", "other", "expected"),
    [
        ("Acme GmbH", "Acme Gesellschaft mit beschränkter Haftung", "legal_same"),
        ("Acme GmbH", "Acme B.V.", "legal_other"),
        ("Acme GmbH", "Acme AG", "legal_differs"),
        ("Acme GmbH", "Acme", None),
        ("Acme", "Acme GmbH", None),
    ],
)
def test_a_legal_form_is_the_same_or_another_or_of_another_class(name: str, other: str, expected: str | None) -> None:
    told = features({"name": name}, {"name": other})["org"].keys() & {"legal_same", "legal_other", "legal_differs"}
    assert told == ({expected} if expected else set())


@pytest.mark.parametrize(
    ("name", "other", "expected"),
    [
        ("Saudi Arabian Gas", "Saudi Arabian Oil", True),
        ("Poland Trading Acme", "Spain Trading Acme", True),
        ("Acme Poland Trading", "Acme Spain Trading", True),
        ("School District 12", "School District 21", True),
        ("Acme Gas Storage", "Acme Oil Trading", False),
        ("Acme Gas", "Acme Gas Storage", False),
        ("Acme Gas Storage", "Acme Storage", False),
        ("Acme", "Zeta", False),
        ("Acme Bank", "Acme Banc", False),
        ("Acme", "Acme", False),
    ],
)
def test_a_word_in_the_place_of_another_is_told_from_one_that_a_side_lacks(
    name: str, other: str, expected: bool
) -> None:
    assert ("replaced" in features({"name": name}, {"name": other})["org"]) is expected


def test_a_word_that_is_nearly_the_other_is_hardly_replaced() -> None:
    near, far = (
        features({"name": f"Acme {word} Trading"}, {"name": "Acme Poltava Trading"})["org"]["replaced"]
        for word in ("Polikova", "Smolensk")
    )
    assert 0 < near < 0.5 * far


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("CobaltMedium Trading", "Cobalt Medium Holding"),
        ("Sun Trust Leasing Services", "SunTrust Leasing"),
        ("PricewaterhouseCoopers Advisory", "Price Waterhouse Coopers Tax"),
    ],
)
def test_a_word_is_several_where_the_other_side_writes_several(name: str, other: str) -> None:
    apart = features({"name": name}, {"name": other})["org"]
    whole = features(
        {
            "name": name.replace("CobaltMedium", "Cobalt Medium").replace(
                "PricewaterhouseCoopers", "Price Waterhouse Coopers"
            )
        },
        {"name": other.replace("SunTrust", "Sun Trust")},
    )
    assert apart["matched"] == whole["org"]["matched"] > 1.0


def test_a_word_that_both_sides_write_as_one_stays_one() -> None:
    query, candidate = parse_bag("suntrust sun trust"), parse_bag("suntrust bank")
    assert Compounds(query).parted(candidate) == (query, candidate)


@pytest.mark.parametrize(
    ("record", "master", "same"),
    [
        ("Northwestern", "Northeastern", False),
        ("Northwestern", "Northwestren", True),
        ("Cardiology", "Radiology", False),
        ("Austria", "Australia", False),
        ("Niger", "Nigeria", False),
        ("Smithfield", "Smithfeld", True),
    ],
)
def test_words_that_mean_another_thing_are_no_misspellings(record: str, master: str, same: bool) -> None:
    found = features({"name": f"{record} Zorbatek"}, {"name": f"{master} Zorbatek"})["org"]
    assert bool(found.get("unmatched_query")) is not same


@pytest.mark.parametrize(
    ("name", "other", "same"),
    [
        ("Tokyo University", "The University of Tokyo", True),
        ("Universität Wien", "University of Vienna", True),
        ("Institute of Physics, Academy of Sciences", "Academy of Sciences, Institute of Physics", True),
        ("Tokyo University", "Tokyo City University", False),
        ("NEC Laboratories", "Network of Extreme Conditions Laboratories", False),
        ("Bank of Chad", "Bank of China", False),
    ],
)
def test_the_same_words_in_another_order_are_nearly_the_same_name(name: str, other: str, same: bool) -> None:
    said = features({"name": name}, {"name": other})["org"]
    assert (said.get("joined_close") == said.get("joined_similar") == 1.0) is same
