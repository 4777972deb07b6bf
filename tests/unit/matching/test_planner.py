"""The plan of a retrieval: which words are asked for by their spelling, and which by their trigrams too."""

from __future__ import annotations

import numpy as np

from app.matching.frequencies import TermFrequencies, hash_terms
from app.matching.index_terms import IndexTerms, index_terms
from app.matching.plan import RetrievalPlan
from app.matching.planner import RetrievalPolicy, plan_all
from app.matching.prepare import RecordPreparer
from app.matching.schema import FieldSpec, MatchSchema, Role


def frequencies(rows: int, **names: int) -> TermFrequencies:
    return counted(rows, {f"name:{name}": count for name, count in names.items()})


def counted(rows: int, terms: dict[str, int]) -> TermFrequencies:
    hashes = hash_terms(terms)
    order = np.argsort(hashes)
    return TermFrequencies.from_counts(rows, hashes[order], np.array(list(terms.values()), np.uint32)[order])


def values(plan: RetrievalPlan, channel: str) -> set[str]:
    return {clause[0].value for clause in plan.clauses if clause[0].channel == channel}


def test_only_words_that_few_names_hold_are_asked_for_by_their_trigrams() -> None:
    known = frequencies(1_000_000, logistics=9_000, wijdgets=3)
    [plan] = plan_all([IndexTerms(name=["wijdgets", "logistics"])], known, RetrievalPolicy())
    assert values(plan, "token") == {"wijdgets", "logistics"}
    assert values(plan, "trigram") == {"wij", "ijd", "jdg", "dge", "get", "ets"}


def test_a_larger_index_calls_more_words_rare() -> None:
    query = IndexTerms(name=["logistics"])
    [small] = plan_all([query], frequencies(1_000_000, logistics=30), RetrievalPolicy())
    [large] = plan_all([query], frequencies(5_000_000, logistics=30), RetrievalPolicy())
    assert not values(small, "trigram")
    assert values(large, "trigram")


def test_a_whole_value_weighs_more_the_fewer_records_have_it() -> None:
    boosts = []
    for postings in (3, 40, 100, 100_000):
        known = TermFrequencies(1_000_000, hash_terms(["ids:label:cires"]), np.array([postings], np.uint32))
        query = IndexTerms(name=["cires", "diagnostics"], joined=["ciresdiagnostics", "~ciresdiagnostics"])
        [plan] = plan_all([query], known, RetrievalPolicy())
        [asked] = [clause[0] for clause in plan.clauses if clause[0].value == "label:cires"]
        boosts.append(asked.boost)
    assert boosts == sorted(boosts, reverse=True)
    assert boosts[0] > 2 * boosts[-1]


def test_the_places_that_a_name_tells_are_asked_for_before_words_that_are_no_place() -> None:
    known = counted(50_000, {"place:paris": 700, "place:france": 900, "place:school": 2})
    name = "school for advanced studies in the social sciences beyond paris france".split()
    [plan] = plan_all([IndexTerms(name=name)], known, RetrievalPolicy())
    assert {"paris", "france", "school"} < values(plan, "named_place")
    [placed] = plan_all([IndexTerms(name=name, place=["lyon"])], known, RetrievalPolicy())
    assert values(placed, "place") == {"lyon"}
    assert not values(placed, "named_place")


def test_the_country_of_a_record_or_of_its_name_is_asked_for_where_it_ranks_what_is_found() -> None:
    known = counted(50_000, {"name:institute": 900, "name:marine": 300, "country:fr": 400, "country:ar": 90})
    name = ["institute", "of", "marine", "biology"]
    given, told, none = plan_all(
        [IndexTerms(name=name, country=["ar"]), IndexTerms(name=[*name, "france"]), IndexTerms(name=name)],
        known,
        RetrievalPolicy(),
    )
    assert [values(plan, "country") for plan in (given, told, none)] == [{"ar"}, {"fr"}, set()]
    [few] = plan_all([IndexTerms(name=["biology"], country=["ar"])], known, RetrievalPolicy())
    assert not values(few, "country"), "what few records share is found whole"


def test_where_a_name_is_written_so_is_asked_for_in_place_of_its_country_unless_many_countries_write_so() -> None:
    known = counted(50_000, {"name:institute": 900, "name:marine": 300, "country:fr": 400, "country:ua": 90})
    name, many = ["institute", "of", "marine", "biology"], ["ba", "bg", "by", "kg", "kz", "ua"]
    script, word, wide = plan_all(
        [
            IndexTerms(name=name, written_in=["ua"]),
            IndexTerms(name=[*name, "france"], written_in=["ua"]),
            IndexTerms(name=name, written_in=many),
        ],
        known,
        RetrievalPolicy(),
    )
    assert [values(plan, "country") for plan in (script, word, wide)] == [{"ua"}, {"fr"}, set()]


def test_a_name_with_an_acronym_in_it_finds_the_words_that_it_stands_for() -> None:
    preparer = RecordPreparer(MatchSchema((FieldSpec("name", "string", Role.ORGANIZATION_NAME),)))
    short, long = {"name": "VKS University"}, {"name": "Veer Kunwar Singh University"}
    asked = [index_terms(preparer.slots, preparer.form(record)) for record in (short, long)]
    [plan] = plan_all(asked[:1], frequencies(1_000), RetrievalPolicy())
    assert set(asked[1].acronym) & values(plan, "acronym") == {"vksu"}


def test_three_letters_that_are_a_names_acronym_are_a_word_of_another_by_chance() -> None:
    asked = [IndexTerms(name=["veer", "kunwar", "singh"], acronym=[acronym]) for acronym in ("vks", "vksu")]
    boosts = [
        {term.value: term.boost for clause in plan.clauses for term in clause if term.channel == "acronym"}
        for plan in plan_all(asked, frequencies(1_000), RetrievalPolicy())
    ]
    assert boosts[0]["vks"] < boosts[1]["vksu"]


def test_a_name_is_found_by_all_of_its_words_but_the_first_or_the_last() -> None:
    preparer = RecordPreparer(MatchSchema((FieldSpec("name", "string", Role.ORGANIZATION_NAME),)))
    indexed = set(preparer.prepare({"name": "KTH Royal Institute of Technology"}).document["joined"])
    asked = index_terms(preparer.slots, preparer.form({"name": "Royal Institute of Technology, Stockholm"}))
    [plan] = plan_all([asked], frequencies(1_000), RetrievalPolicy())
    assert indexed & values(plan, "part") == {"~instituteroyaltechnology"}
    assert not set(asked.joined) & set(asked.less_one)


def test_a_name_deep_in_a_long_text_is_asked_for() -> None:
    words = [f"word{n}" for n in range(50)]
    [plan] = plan_all([IndexTerms(name=[*words, "ghent", "university"])], frequencies(1_000), RetrievalPolicy())
    assert "~ghentuniversity" in values(plan, "part")


def test_a_misspelt_variant_is_asked_for_by_the_word_that_it_stands_for() -> None:
    [plan] = plan_all([IndexTerms(name=["finanve"])], frequencies(1_000_000, financial=40_000), RetrievalPolicy())
    [asked] = [clause for clause in plan.clauses if clause[0].channel == "token"]
    assert ("spelling", "financial") in {(term.channel, term.value) for term in asked}
