"""Names in other languages and scripts: Japanese readings, elided words, compounds, learned words, glued lines, initials."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.matching.compare.bag import parse_bag
from app.matching.compare.compounds import Compounds
from app.matching.foreign_words import rebuilt
from app.matching.japanese import reading, romanised
from app.matching.layout import Kind
from app.matching.organisations import organisation_name
from app.matching.prepare import normalised
from tests.unit.matching.test_as_written import WRITTEN


def names(text: str) -> list[str]:
    """The words of every name that a text gives."""
    return [form.partition("|")[0] for form in normalised(Kind.ORG, text)]


@pytest.mark.parametrize(
    ("kana", "latin"),
    [
        ("スターライト", "sutaraito"),
        ("キョウト", "kyoto"),
        ("オオサカ", "osaka"),
        ("イノウエ", "inoue"),
        ("ホッカイドウ", "hokkaido"),
        ("ｷﾀｻﾞﾄ", "ｷﾀｻﾞﾄ"),
        ("Zürich", "Zürich"),
    ],
)
def test_kana_are_written_as_they_sound(kana: str, latin: str) -> None:
    """Half-width kana are made whole before, by NFKC."""
    assert romanised(kana) == latin


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("萩原工業株式会社", ["hagihara industry"]),
        ("ｷﾀｻﾄ株式会社", ["kitasato"]),
        ("木戸病院", ["muhu hospital", "kido hospital"]),
        ("华大基因", ["huadajiyin"]),
        ("仁濟醫院", ["renji hospital"]),
        ("浙江大学", ["zhejiang university"]),
        ("株式会社十六銀行", ["juroku bank"]),
        ("髙橋さくら工業", ["takahashi sakura industry"]),
        ("華為技術有限公司", ["huawei technology"]),
    ],
)
def test_characters_are_read_in_japanese_where_they_may_be(text: str, found: list[str]) -> None:
    """Both readings where nothing tells; Chinese alone where a character is not used in Japan, or all is known."""
    assert names(text) == found


@pytest.mark.parametrize(
    ("kind", "text", "found"),
    [
        (Kind.PERSON, "山田太郎", ["shantiantailang", "yamada taro"]),
        (Kind.PERSON, "田中 さくら", ["tanaka sakura"]),
        (Kind.PERSON, "习近平", ["xijinping"]),
        (Kind.PERSON, "José Núñez", ["jose nunez"]),
        (Kind.CITY, "小牧市", ["xiaomu", "komaki"]),
        (Kind.CITY, "四日市", ["sirishi", "yokkaichi"]),
        (Kind.CITY, "四日市市", ["sirishi", "yokkaichi"]),
        (Kind.CITY, "北京", ["beijing"]),
        (Kind.FAMILY, "王", ["wang"]),
        (Kind.REGION, "愛知県", ["aichi"]),
    ],
)
def test_persons_and_places_are_read_alike(kind: Kind, text: str, found: list[str]) -> None:
    assert normalised(kind, text) == found


def test_threads_read_at_the_same_time() -> None:
    read = reading.__wrapped__
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, ["小牧", "弘前"] * 500)) == ["komaki", "hirosaki"] * 500


@pytest.mark.parametrize("kind", [Kind.ORG, Kind.PERSON, Kind.CITY])
@pytest.mark.parametrize("text", ["萩" * 20_000 + "株式会社", "あ" * 32_000, "\u3316" * 32_000])
def test_a_value_of_any_length_is_read(kind: Kind, text: str) -> None:
    assert normalised(kind, text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Centre Hospitalier d'Angers", "center hospital of angers"),
        ("CENTRE HOSPITALIER D'ANGERS", "center hospital of angers"),
        ("Agence de l’Aviation", "agency of the aviation"),
        ("Conservatorio dell'Aquila", "conservatorio of aquila"),
        ("Villeneuve D'Ascq", "villeneuve of ascq"),
        ("L'Oréal", "loreal"),
        ("Arnie's Players' Club", "arnies players club"),
    ],
)
def test_elided_words_stand_apart(text: str, words: str) -> None:
    assert names(text) == [words]


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("hidrologia", ["hydrology"]),
        ("farmakologii", ["pharmacology"]),
        ("okologie", ["ecology"]),
        ("geografia", ["geography"]),
        ("magi", ["magi"]),
        ("wasserforschungsinstitut", ["wasser", "forschung", "institut"]),
        ("landesmuseum", ["landes", "museum"]),
        ("hospital", ["hospital"]),
        ("museum", ["museum"]),
    ],
)
def test_foreign_words_are_built_anew(word: str, found: list[str]) -> None:
    assert rebuilt(word, {"wasser", "forschung", "hospital"}) == found


def test_words_of_trades_and_sciences_are_known_in_other_languages() -> None:
    """The list was made without a look at the tables; short words are left alone, for they are others' names as often."""
    pairs = [(word, english) for english, words in WRITTEN["words"].items() for word in words]
    known = [
        word
        for word, english in pairs
        if organisation_name(f"Zor {word}").tokens == organisation_name(f"Zor {english}").tokens
    ]
    assert len(known) >= 0.8 * len(pairs)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("Department of Manufacturing EngineeringKettering University 48504 Flint", "engineering kettering university"),
        ("School of Information UniversityNanchang330031People's Republic", "university nanchang 330031 peoples"),
        ("ExxonMobil Research and Engineering Company (United States)", "exxonmobil research"),
        ("McKinseyGlobal", "mckinseyglobal"),
    ],
)
def test_lines_that_ran_together_are_parted(text: str, holds: str) -> None:
    """In long texts, where one of the parts is a number or a word of addresses."""
    assert holds in names(text)[0]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("nebraska dot", "nebraska department of transport", True),
        ("university of california san diego", "uc san diego", True),
        ("hewlett packard enterprise", "hp enterprise", True),
        ("nbe", "national bank of egypt", False),
        ("foundation of pt research", "foundation of physical therapy research", False),
        ("dot department of transport nebraska", "nebraska dot", False),
        ("air france", "american institute of research france", False),
    ],
)
def test_initials_inside_a_name_are_its_words(one: str, other: str, same: bool) -> None:
    """Not where they are the whole name, which has a feature of its own, and two letters at the beginning only."""
    query, candidate = parse_bag(one), parse_bag(other)
    for left, right in ((query, candidate), (candidate, query)):
        asked, found = Compounds(left).parted(right)
        assert (sorted(asked.tokens) == sorted(found.tokens)) is same
        if same:
            assert Compounds(left).concern(right)


@pytest.mark.parametrize(
    "text",
    [
        "Groupe L'Oréal",
        "Charles D'Amico LLC",
        "Université Côte d'Azur",
        "Universitätsklinikum Köln",
        "Bank Of Côte D'Ivoire",
    ],
)
def test_capitals_make_no_other_name(text: str) -> None:
    assert names(text) == names(text.upper()) == names(text.lower())
