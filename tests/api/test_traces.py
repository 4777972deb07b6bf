"""One request through API and worker is one trace, whoever began it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.observability.tracing import configure_tracing, stop_tracing
from tests.api.conftest import Api

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"


@pytest.fixture
def exported() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    configure_tracing("test", SimpleSpanProcessor(exporter))
    yield exporter
    stop_tracing()


def of_trace(exporter: InMemorySpanExporter, trace: str) -> dict[str, ReadableSpan]:
    spans = [span for span in exporter.get_finished_spans() if f"{span.context.trace_id:032x}" == trace]
    return {span.name: span for span in spans}


def parent_of(span: ReadableSpan) -> str:
    assert span.parent is not None
    return f"{span.parent.span_id:016x}"


def id_of(span: ReadableSpan) -> str:
    return f"{span.context.span_id:016x}"


async def test_a_batch_is_one_trace_from_the_caller_to_the_workers_search(
    api: Api, companies: tuple[str, str], exported: InMemorySpanExporter
) -> None:
    body = {"snapshot_id": companies[1], "records": [{"company": "Globex"}]}
    accepted = await api.call("POST", "/match/batch", body, headers={"traceparent": f"00-{TRACE}-{CALLER}-01"})
    await api.run_job(accepted.json()["job_id"])
    spans = of_trace(exported, TRACE)
    request, job = spans["POST /api/v2/match/batch"], spans["job match_batch"]
    assert parent_of(request) == CALLER
    assert parent_of(job) == id_of(request)
    for stage in ("match.retrieve", "match.rerank"):
        assert parent_of(spans[stage]) == id_of(job)


async def test_a_record_is_one_trace_with_its_stages(
    api: Api, companies: tuple[str, str], exported: InMemorySpanExporter
) -> None:
    body = {"snapshot_id": companies[1], "record": {"company": "Globex"}}
    response = await api.call("POST", "/match/record", body)
    spans = {span.name: span for span in exported.get_finished_spans()}
    request = spans["POST /api/v2/match/record"]
    assert request.attributes is not None
    assert request.attributes["foundryops.request_id"] == response.headers["x-request-id"]
    for stage in ("prepare", "retrieve", "rerank", "answer"):
        assert parent_of(spans[f"match.{stage}"]) == id_of(request)


async def test_an_activation_traces_the_build_of_its_index(api: Api, exported: InMemorySpanExporter) -> None:
    await api.activated([{"account_id": "1", "name": "Acme"}])
    spans = {span.name: span for span in exported.get_finished_spans()}
    assert parent_of(spans["index.build"]) == id_of(spans["job activate"])


async def test_spans_hold_no_value_of_a_record(
    api: Api, companies: tuple[str, str], exported: InMemorySpanExporter
) -> None:
    body = {"snapshot_id": companies[1], "record": {"company": "Poisonous Value GmbH", "city": {"bad": "Poisonous"}}}
    await api.call("POST", "/match/record", body)
    await api.call("POST", "/match/record?poisonous=poisonous", {**body, "record": {"company": "Poisonous Value"}})
    assert exported.get_finished_spans()
    assert "poisonous" not in " ".join(span.to_json() for span in exported.get_finished_spans()).lower()


async def test_without_an_exporter_the_callers_trace_is_still_kept_with_the_job(
    api: Api, companies: tuple[str, str]
) -> None:
    traceparent = f"00-{TRACE}-{CALLER}-01"
    body = {"snapshot_id": companies[1], "records": [{"company": "Globex"}]}
    accepted = await api.call("POST", "/match/batch", body, headers={"traceparent": traceparent})
    job = await api.services.jobs.claim(accepted.json()["job_id"])
    assert job is not None
    assert job.traceparent == traceparent


@pytest.mark.parametrize("given", ["", "nonsense", f"00-{'0' * 32}-{CALLER}-01", f"00-{TRACE}-{'0' * 16}-01"])
async def test_a_traceparent_that_is_none_begins_a_new_trace(
    api: Api, exported: InMemorySpanExporter, given: str
) -> None:
    await api.client.get("/health/live", headers={"traceparent": given})
    [span] = exported.get_finished_spans()
    assert span.parent is None
