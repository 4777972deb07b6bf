"""A list of people that holds nothing but their names can be matched."""

from __future__ import annotations

import numpy as np
import pytest

from app.matching.frequencies import TermFrequencies, count_hashes, merge_counts
from app.matching.layout import slots_of
from app.matching.people import nicknames
from app.matching.prepare import RecordPreparer
from app.matching.rerank import Retrieval, prepare_query, rerank
from app.matching.roles import infer_roles
from app.matching.schema import FieldSpec, MatchSchema
from app.profiles import find_profile
from app.sample import organisations

FIELD = "full_name"
SCHEMA = MatchSchema(tuple(FieldSpec(name, "string", role) for name, role in infer_roles({FIELD: "string"}).items()))
PREPARER, SLOTS = RecordPreparer(SCHEMA), slots_of(SCHEMA)
GIVEN = sorted(nicknames())[::3]
FAMILY = sorted({str(one["name"]).split()[0] for one in organisations()})
PEOPLE = [f"{given} {FAMILY[at * 7 % len(FAMILY)]}" for at, given in enumerate(GIVEN * 8)]
PROFILE = find_profile("balanced")


def score(record: str, master: str) -> float:
    """Of the only candidate, in a list that holds it and some thousand other people."""
    prepared = [PREPARER.prepare({FIELD: name}) for name in (master, *PEOPLE)]
    counts = [count_hashes(np.fromiter(one.terms, np.uint64)) for one in prepared]
    frequencies = TermFrequencies.from_counts(len(prepared), *merge_counts(counts))
    query = prepare_query({FIELD: record}, SLOTS, PROFILE, frequencies, {})
    [found] = rerank(SLOTS, [Retrieval(query, [0])], lambda _: [prepared[0].form], frequencies, PROFILE)
    return float(found.scores.score[0])


@pytest.mark.parametrize(
    ("record", "master"),
    [
        ("Jose Garcia", "José García"),
        ("Владимир Путин", "Vladimir Putin"),
        ("Garcia, Jose", "José García"),
        ("Dr. Robert Kowalski", "Robert Kowalski"),
        ("Bob Kowalski", "Robert Kowalski"),
        ("Aleksei Navalny", "Alexey Navalny"),
        ("Hans Mueller", "Hans Müller"),
    ],
)
def test_one_person_under_two_spellings_is_a_match(record: str, master: str) -> None:
    assert score(record, master) >= PROFILE.match_threshold


@pytest.mark.parametrize(
    ("record", "master"),
    [("Jane Kowalski", "John Kowalski"), ("Robert Kowalski", "Robert Lindqvist"), ("Peter Jackson", "Peter Johnson")],
)
def test_two_people_who_share_half_a_name_are_none(record: str, master: str) -> None:
    assert score(record, master) < PROFILE.match_threshold
