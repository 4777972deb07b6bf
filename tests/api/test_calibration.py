"""Labels and calibration over HTTP: stored, refitted in a job, judged, used for that dataset alone, and taken back."""

from __future__ import annotations

from typing import Any

import pytest

from app.matching.adapting import Adaptation
from app.profiles import find_profile
from app.services.calibrations import Outcome
from tests.api.conftest import Api

WORDS = "Amber Birch Cedar Dahlia Elder Fennel Garnet Hazel Indigo Jasper".split()
TRADES = "Mills Foundry Bakery Logistics".split()
NAMES = [f"{word} {trade}" for word in WORDS for trade in TRADES]
MASTER = [{"account_id": f"m{i}", "name": name, "country": "DE"} for i, name in enumerate(NAMES)]


@pytest.fixture(scope="module")
async def dataset_id(api: Api) -> str:
    return (await api.activated(MASTER))[0]


def labelled(right: list[bool]) -> list[dict[str, Any]]:
    """A pair for every name; that a name is the same says as much in each of them."""
    return [{"record": {"company": NAMES[i]}, "record_id": f"m{i}", "match": same} for i, same in enumerate(right)]


async def label(api: Api, dataset_id: str, labels: list[dict[str, Any]]) -> dict[str, Any]:
    response = await api.call("POST", f"/datasets/{dataset_id}/labels", {"labels": labels})
    assert response.status_code == 201, response.text
    added: dict[str, Any] = response.json()
    return added


async def forget_labels(api: Api, dataset_id: str) -> None:
    for one in (await api.call("GET", f"/datasets/{dataset_id}/labels")).json()["data"]:
        await api.call("DELETE", f"/datasets/{dataset_id}/labels/{one['label_id']}")


async def calibrate(api: Api, dataset_id: str) -> dict[str, Any]:
    accepted = await api.call("POST", f"/datasets/{dataset_id}/calibrate", {})
    assert accepted.status_code == 202, accepted.text
    return await api.run_job(accepted.json()["job_id"])


async def best(api: Api, dataset_id: str, profile: str = "balanced") -> tuple[str, float]:
    body = {
        "dataset_id": dataset_id,
        "record": {"company": NAMES[7]},
        "options": {"threshold": 0.0, "profile": profile},
    }
    answer = (await api.call("POST", "/match/record", body)).json()
    return answer["profile"], answer["matches"][0]["score"]


async def test_labels_that_contradict_the_model_change_its_scores_until_reset(api: Api, dataset_id: str) -> None:
    shipped = await best(api, dataset_id)
    added = await label(api, dataset_id, labelled([i % 2 == 0 for i in range(40)]))
    assert (added["added"], added["replaced"], added["labels"]) == (40, 0, 40)
    job = await calibrate(api, dataset_id)
    assert job["status"] == "completed", job
    found = job["result"]
    assert (found["state"], found["report"]["used"]) == ("installed", 40)
    before, after = (found["report"][side]["log_loss"]["value"] for side in ("before", "after"))
    assert after < 0.8 < before

    name, score = await best(api, dataset_id)
    assert name == f"{shipped[0]}+{found['calibration']}"
    assert score == pytest.approx(0.5, abs=0.2)
    assert (await best(api, dataset_id, "high_recall"))[0] == find_profile("high_recall").label

    path = f"/datasets/{dataset_id}/calibrations"
    assert (await api.call("DELETE", f"{path}/{found['calibration_id']}")).status_code == 204
    assert await best(api, dataset_id) == shipped
    listed = (await api.call("GET", path)).json()["data"]
    assert (listed[0]["calibration_id"], listed[0]["state"]) == (found["calibration_id"], "reset")
    await forget_labels(api, dataset_id)


async def test_a_refit_that_is_no_better_is_kept_but_not_used(api: Api, dataset_id: str) -> None:
    shipped = await best(api, dataset_id)
    report = {"better": False}
    outcome = Outcome(api.organisation_id, dataset_id, find_profile("balanced"), Adaptation(prior_shift=-9.0), report)
    found = await api.services.calibrations.add("job_00000000000000000000000000", outcome)
    assert found["state"] == "rejected"
    assert await best(api, dataset_id) == shipped


async def test_a_pair_that_is_labelled_again_has_the_new_label(api: Api, dataset_id: str) -> None:
    one = labelled([True])[0]
    await label(api, dataset_id, [one])
    assert (await label(api, dataset_id, [{**one, "match": False}]))["replaced"] == 1
    stored = (await api.call("GET", f"/datasets/{dataset_id}/labels")).json()["data"]
    assert [(row["record"], row["match"]) for row in stored] == [(one["record"], False)]
    await forget_labels(api, dataset_id)


async def test_too_few_labels_fail_the_job_and_say_what_is_missing(api: Api, dataset_id: str) -> None:
    gone = {"record": {"company": "Nobody"}, "record_id": "gone", "match": True}
    unreadable = {"record": {"shoe_size": "43"}, "record_id": "m1", "match": False}
    await label(api, dataset_id, [*labelled([True] * 10), gone, unreadable])
    job = await calibrate(api, dataset_id)
    assert (job["status"], job["error"]["code"]) == ("failed", "CONFLICT")
    details = job["error"]["details"]
    assert (details["labels"], details["usable"], details["unusable"]) == (12, 10, 2)
    await forget_labels(api, dataset_id)


async def test_a_job_that_runs_twice_adds_one_calibration(api: Api, dataset_id: str) -> None:
    await label(api, dataset_id, labelled([i % 3 == 0 for i in range(40)]))
    accepted = await api.call("POST", f"/datasets/{dataset_id}/calibrate", {})
    job_id = accepted.json()["job_id"]
    done = await api.run_job(job_id)
    known = (await api.call("GET", f"/datasets/{dataset_id}/calibrations")).json()["data"]
    outcome = Outcome(api.organisation_id, dataset_id, find_profile("balanced"), Adaptation(), {"better": True})
    again = await api.services.calibrations.add(job_id, outcome)
    assert again["calibration_id"] == done["result"]["calibration_id"]
    assert (await api.call("GET", f"/datasets/{dataset_id}/calibrations")).json()["data"] == known
    await api.call("DELETE", f"/datasets/{dataset_id}/calibrations/{again['calibration_id']}")
    await forget_labels(api, dataset_id)


async def test_a_profile_that_does_not_exist_is_refused(api: Api, dataset_id: str) -> None:
    refused = await api.call("POST", f"/datasets/{dataset_id}/calibrate", {"profile": "guesswork"})
    assert refused.status_code == 422
