"""What operators count: requests by route, stages of a match, jobs, builds and the queue; labels stay few."""

from __future__ import annotations

import re

from prometheus_client import REGISTRY

from tests.api.conftest import Api


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_a_match_is_counted_by_stage_decision_and_candidates(api: Api, companies: tuple[str, str]) -> None:
    names = [
        ("foundryops_match_stage_seconds_count", {"stage": stage})
        for stage in ("prepare", "retrieve", "rerank", "answer")
    ]
    names += [("foundryops_match_candidates_count", {}), ("foundryops_matches_total", {"decision": "match"})]
    before = [value(name, **labels) for name, labels in names]
    body = {"snapshot_id": companies[1], "record": {"company": "Globex Corporation", "website": "globex.com"}}
    assert (await api.call("POST", "/match/record", body)).json()["decision"] == "match"
    prepared, retrieved, reranked, *rest = [
        value(name, **labels) - was for (name, labels), was in zip(names, before, strict=True)
    ]
    assert [prepared, *rest] == [1.0] * 4
    assert {retrieved, reranked} <= {1.0, 2.0}  # once more where the first retrieval settles nothing


async def test_an_activation_is_counted_as_a_job_and_as_a_build(api: Api) -> None:
    jobs = {"kind": "activate", "outcome": "completed"}
    before = value("foundryops_jobs_total", **jobs), value("foundryops_index_builds_total", outcome="built")
    await api.activated([{"account_id": "1", "name": "Acme"}])
    assert value("foundryops_jobs_total", **jobs) == before[0] + 1
    assert value("foundryops_index_builds_total", outcome="built") == before[1] + 1


async def test_waiting_jobs_are_seen_with_their_age(api: Api, companies: tuple[str, str]) -> None:
    body = {"snapshot_id": companies[1], "records": [{"company": "Globex"}]}
    accepted = (await api.call("POST", "/match/batch", body)).json()
    waiting = (await api.client.get("/metrics")).text
    shown = dict(re.findall(r"^(foundryops_\S+) (\S+)$", waiting, re.MULTILINE))
    assert float(shown['foundryops_jobs_open{state="queued"}']) >= 1
    assert float(shown["foundryops_oldest_queued_job_seconds"]) > 0
    assert float(shown["foundryops_queue_depth"]) >= 1
    await api.run_job(accepted["job_id"])


async def test_paths_and_methods_that_a_caller_makes_up_are_one_label(api: Api) -> None:
    for number in range(5):
        await api.client.get(f"/api/v2/made-up-{number}")
        await api.client.request(f"MADEUP{number}", "/api/v2/datasets")
    routes = {sample.labels["route"] for sample in series() if "route" in sample.labels}
    methods = {sample.labels["method"] for sample in series() if "method" in sample.labels}
    assert not [route for route in routes if "made-up" in route]
    assert not [method for method in methods if "MADEUP" in method]
    assert "unmatched" in routes


def series() -> list:  # type: ignore[type-arg]
    return [s for metric in REGISTRY.collect() if metric.name.startswith("foundryops_") for s in metric.samples]


async def test_readiness_tells_the_worker_and_the_queue_apart_from_the_dependencies(api: Api) -> None:
    found = (await api.client.get("/health/ready")).json()
    assert found["status"] == "ok"
    assert set(found["dependencies"]) == {"database", "search", "queue"}
    assert found["workers"] in ("ok", "none seen")
    assert found["queue_depth"] >= 0
