"""Names as people type them: remarks beside them, forms anywhere, words run together, slips of the fingers."""

from __future__ import annotations

import numpy as np
import pytest

from app.matching.compare.bag import parse_bag
from app.matching.compare.bags import BAG_FEATURES, BagPairs, compare_bags
from app.matching.compare.words import Words
from app.matching.data import lines_of
from app.matching.frequencies import TermFrequencies
from app.matching.layout import Kind
from app.matching.misspellings import Misspellings
from app.matching.organisations import meant, organisation_name
from app.matching.prepare import NORMALISERS
from app.matching.remarks import without_remarks

NO_TERMS = TermFrequencies(1000, np.empty(0, np.uint64), np.empty(0, np.uint32))


def _written(remark: str) -> list[str]:
    """Remarks that are words of names too are marked: they must be set apart more clearly."""
    word = remark.removeprefix("? ")
    clearly = [f"Zorbatek Tools Ltd ({word})", f"Zorbatek Tools Ltd *{word}*", f"[{word}] Zorbatek Tools Ltd"]
    clearly += [f"Zorbatek Tools Ltd - {word}", f"{word}: Zorbatek Tools Ltd", f"Zorbatek Tools Ltd ({word}!)"]
    others = [f"Zorbatek Tools Ltd / {word}", f"Zorbatek Tools Ltd, {word}", f"Zorbatek Tools Ltd  {word}"]
    return clearly if remark.startswith("?") else [*clearly, *others, f"{word} - Zorbatek Tools Ltd"]


@pytest.mark.parametrize("remark", lines_of("remarks.txt"))
def test_a_remark_that_is_set_apart_is_no_part_of_the_name(remark: str) -> None:
    texts = [text for plain in (remark, remark.upper(), remark.title()) for text in _written(plain)]
    assert {organisation_name(text) for text in texts} == {organisation_name("Zorbatek Tools Ltd")}


def test_several_remarks_are_all_cut() -> None:
    plain = organisation_name("Zorbatek Ltd")
    assert organisation_name("Zorbatek Ltd - old - do not use") == plain
    assert organisation_name("Zorbatek Ltd (old) - HQ, Accounts Payable") == plain
    assert organisation_name("Zorbatek Ltd  TEST") == plain


@pytest.mark.parametrize(
    "text",
    [
        "Old Navy",
        "Test Valley",
        "Parent Company Foundation",
        "HQ Trivia",
        "Test-Fuchs GmbH",
        "Blue-Old",
        "Test",
        "(test)",
        "Old  Mutual plc",
        "Mount, Prospect",
        "Library / Archive",
        "TEST - Trans Euro Service",
    ],
)
def test_the_same_words_inside_a_name_stay(text: str) -> None:
    assert without_remarks(text) == text


def test_a_firm_in_care_of_another_keeps_its_name() -> None:
    assert organisation_name("Zorbatek Ltd c/o").tokens == ("zorbatek",)
    assert organisation_name("c/o Zorbatek Ltd").tokens == ("zorbatek",)


@pytest.mark.parametrize(
    ("text", "tokens", "legal"),
    [
        ("Supply, LLC Zorbatek", "supply zorbatek", "llc"),
        ("Robert Zorbatek GmbH, Stuttgart", "robert zorbatek stuttgart", "gmbh"),
        ("Product Italia S.p.A. Zorbatek", "products italy zorbatek", "spa"),
        ("Zorbatek AG, Munich, Germany", "zorbatek munich germany", "ag"),
        ("Zorbatek AG (Schweiz)", "zorbatek switzerland", "ag"),
        ("Sharp Corporation (Japan)", "sharp japan", "corp"),
        ("Zorbatek A/S (Denmark)", "zorbatek denmark", "as"),
        ("Zorbatek S.A. de C.V. (Mexico)", "zorbatek mexico", "sadecv"),
        ("Zorbatek LLC, Boulder, CO, USA", "zorbatek boulder co usa", "llc"),
        ("Institute named after A.S. Zorbatek", "institute named after as zorbatek", ""),
        ("Security and Co-operation Zorbatek", "security and co operation zorbatek", ""),
        ("Zorbatek National Association of Nurses", "zorbatek national association of nurses", ""),
        ("Zorbatek Investment Trust V", "zorbatek investment trust 5", ""),
        ("Day Spa Zorbatek S.p.A. Milano", "day spa zorbatek milan", "spa"),
        ("Zorbatek EUR Corp Bond", "zorbatek eur corp bond", ""),
        ("Zorbatek AG Services", "zorbatek ag service", ""),
        ("Zorbatek SPA Services", "zorbatek spa service", ""),
        ("Zorbatek Limited Duration Plan", "zorbatek limited duration plan", ""),
        ("ZorbatekInc.", "zorbatek", "inc"),
        ("ZorbatekN.V.", "zorbatek", "nv"),
        ("ZorbatekSA", "zorbatek", "sa"),
        ("Zorbatek PublicCompany Limited", "zorbatek", "plc"),
        ("LtdZorbatek", "zorbatek", "ltd"),
        ("PepsiCo", "pepsico", ""),
        ("BioNTech SE", "biontech", "se"),
        ("KeyCorp", "keycorp", ""),
        ("UniSA", "unisa", ""),
        ("Zorbatek gGmbH", "zorbatek", "gmbh"),
        ("Air Campania S.p.A.", "air campania", "spa"),
        ("United Corporations Limited", "united corporations", "ltd"),
        ("Zorbatek Limitwd", "zorbatek", "ltd"),
        ("Zorbatek Corporaton", "zorbatek", "corp"),
        ("Zorbatek Limits", "zorbatek limits", ""),
    ],
)
def test_a_form_is_known_inside_a_name_and_run_into_it_and_misspelt(text: str, tokens: str, legal: str) -> None:
    name = organisation_name(text)
    assert (" ".join(name.tokens), name.legal.name) == (tokens, legal)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("FlughafenZürich AG", "Flughafen Zürich AG"),
        ("OxfordUniversity", "Oxford University"),
        ("Zorbatek H0tel", "Zorbatek Hotel"),
        ("Zorbatek F1nance G1obal", "Zorbatek Finance Global"),
        ("Brigade Forty-Four", "Brigade 44"),
        ("Twenty-First Century Zorbatek", "21st Century Zorbatek"),
    ],
)
def test_two_ways_to_write_one_name(one: str, other: str) -> None:
    assert organisation_name(one).tokens == organisation_name(other).tokens


@pytest.mark.parametrize(
    "brand", ["TransUnion", "PetroChina", "AeroVironment", "IndusInd", "NovaBay", "MercadoLibre", "GlobalFoundries"]
)
def test_a_brand_is_one_word_in_any_case(brand: str) -> None:
    assert organisation_name(brand).tokens == organisation_name(brand.upper()).tokens


@pytest.mark.parametrize("name", ["jardine", "technion", "connell", "yichang", "schweitzer", "montague", "medicare2"])
def test_a_name_is_no_misspelt_word_of_another_language(name: str) -> None:
    assert meant(name) is None


def test_of_several_words_that_may_be_meant_it_is_always_the_first() -> None:
    words = [f"zorbate{letter}" for letter in "qwertyuiop"]
    assert Misspellings(words).meant("zorbatez") == words[0]
    assert Misspellings(words[::-1]).meant("zorbatez") == words[-1]


def test_a_particle_that_begins_a_name_is_part_of_it() -> None:
    assert organisation_name("Van Rijn B.V.").tokens == ("van", "rijn")
    assert organisation_name("Museum van Rijn").tokens == ("museum", "of", "rijn")


def _features(query: str, candidate: str) -> dict[str, float]:
    one, other = (parse_bag(NORMALISERS[Kind.ORG](name)) for name in (query, candidate))
    pairs = BagPairs(Kind.ORG, [one], np.array([0]), [other], Words([*one.tokens, *other.tokens]))
    return dict(zip(BAG_FEATURES, compare_bags(pairs, NO_TERMS)[0].tolist(), strict=True))


def test_a_misspelt_variant_meets_the_word_that_it_stands_for() -> None:
    """`finance` is compared as `financial`, from which `finanve` is three letters away."""
    misspelt, another = (
        _features("Zorbatek Finanve", "Zorbatek Finance"),
        _features("Zorbatek Xinabwe", "Zorbatek Finance"),
    )
    assert misspelt["unmatched_query"] == 0
    assert another["unmatched_query"] > 0


@pytest.mark.parametrize(
    ("query", "candidate", "expected"),
    [
        ("Hyloris Services", "Mithra Services", 1.0),
        ("Hyloris Services", "Hyloris Group", 0.0),
        ("Hyloris Services", "Global Services", 0.0),
        ("Hyloris", "Mithra", 0.0),
    ],
)
def test_names_that_share_only_a_common_word_are_told(query: str, candidate: str, expected: float) -> None:
    assert _features(query, candidate)["only_common_shared"] == expected


def test_a_longer_acronym_says_more() -> None:
    three, five = (
        _features("ICI", "Imperial Chemical Industries"),
        _features("BBMST", "Bright Bio Medical Science Technology"),
    )
    assert (three["acronym"], three["acronym_long"]) == (1.0, 0.0)
    assert (five["acronym"], five["acronym_long"]) == (1.0, 2.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Laboratory of Quantum Zorbatics, Zorbatek University, Blorkstrasse", 1.0),
        ("Laboratory of Quantum Zorbatics, University of Blork, Zorbatek", 0.0),
        ("Zorbatek University Hospital", 0.0),
        ("Zorbatek University", 0.0),
    ],
)
def test_a_whole_name_inside_a_long_text_is_told(text: str, expected: float) -> None:
    assert _features(text, "Zorbatek University")["within_long"] == expected
