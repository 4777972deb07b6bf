"""Floors of quality on the bundled sample, through the whole product; a change that lowers them is a regression."""

from __future__ import annotations

from typing import Any

import pytest

from app.bootstrap import Services
from app.profiles import find_profile
from app.sample import ACCOUNT_SCHEMA, LEAD_FIELDS, leads, organisations
from app.services.match import MatchOptions

LEADS = 600
PROFILE = "leads_to_accounts"
THRESHOLD = find_profile(PROFILE).match_threshold


@pytest.fixture(scope="module")
async def answers(services: Services) -> list[tuple[list[str], dict[str, Any] | None]]:
    """Right ids and best match of the first sample leads."""
    owner = await services.keys.create_organisation("Quality")
    dataset = await services.datasets.create(owner, "Sample", ACCOUNT_SCHEMA, "account_id", {})
    appended = await services.datasets.append(owner, dataset["dataset_id"], organisations())
    snapshot_id = appended["snapshot_id"]
    payload = {"dataset_id": dataset["dataset_id"], "snapshot_id": snapshot_id}
    job = await services.jobs.create(owner, "activate", payload)
    await services.runner.run(job["job_id"])
    target = await services.match.resolve(owner, snapshot_id, None)
    sample = leads()[:LEADS]
    records = [{name: lead[name] for name in LEAD_FIELDS if lead[name]} for lead in sample]
    options = MatchOptions(profile=PROFILE, threshold=0.0, top_n=1)
    found = await services.match.match_all(target, records, options)
    assert all(isinstance(answer, dict) for answer in found)
    best = [answer["matches"][0] if isinstance(answer, dict) and answer["matches"] else None for answer in found]
    return [(lead["answers"], match) for lead, match in zip(sample, best, strict=True)]


def test_the_right_account_is_first(answers: list[tuple[list[str], dict[str, Any] | None]]) -> None:
    known = [(right, match) for right, match in answers if right]
    hits = sum(match is not None and match["record_id"] in right for right, match in known)
    assert hits / len(known) >= 0.975


def test_links_are_right_and_few_are_missed(answers: list[tuple[list[str], dict[str, Any] | None]]) -> None:
    linked = [(right, match) for right, match in answers if match is not None and match["score"] >= THRESHOLD]
    correct = sum(match["record_id"] in right for right, match in linked)
    assert correct / len(linked) >= 0.985
    assert correct / sum(bool(right) for right, _ in answers) >= 0.95


def test_leads_without_an_account_stay_unlinked(answers: list[tuple[list[str], dict[str, Any] | None]]) -> None:
    strangers = [match for right, match in answers if not right]
    assert sum(match is None or match["score"] < THRESHOLD for match in strangers) / len(strangers) >= 0.94


def test_scores_mean_what_they_say(answers: list[tuple[list[str], dict[str, Any] | None]]) -> None:
    scored = [(match["score"], match["record_id"] in right) for right, match in answers if match is not None]
    expected = sum(score for score, _ in scored) / len(scored)
    assert abs(expected - sum(right for _, right in scored) / len(scored)) <= 0.03
