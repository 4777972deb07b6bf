"""Logs say which request did what, as JSON; no value of a record and no key ever gets into them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from app.observability import configure_logging
from tests.api.conftest import Api

POISON = "Zyxwvut Poisonwerke"


class Captured:
    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    def lines(self, event: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in found if line["event"] == event]


@pytest.fixture
def captured() -> Iterator[Captured]:
    """All that this process logs, at the most talkative level."""
    configure_logging("DEBUG")
    [handler] = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    stream = io.StringIO()
    handler.setStream(stream)
    yield Captured(stream)
    configure_logging()


async def test_a_request_is_one_line_with_its_ids(api: Api, captured: Captured) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"X-Correlation-Id": "corr-1", "traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    response = await api.client.get("/api/v2/datasets/ds_none", headers=headers)
    [line] = captured.lines("request")
    assert line["request_id"] == response.headers["x-request-id"]
    assert line["correlation_id"] == "corr-1"
    assert line["trace_id"] == trace
    assert (line["method"], line["route"], line["status"]) == ("GET", "/api/v2/datasets/{dataset_id}", 404)
    assert line["took_ms"] > 0
    assert line["organisation_id"] == api.organisation_id


async def test_a_machines_health_check_is_not_logged_unless_it_fails(api: Api, captured: Captured) -> None:
    await api.client.get("/health/live")
    assert captured.lines("request") == []


async def test_no_value_and_no_key_is_logged(api: Api, companies: tuple[str, str], captured: Captured) -> None:
    """Whatever goes right or wrong on the way: good, unusable and malformed records, rejects, a batch, an activation."""
    record = {"company": POISON, "email": "zyx@poisonwerke.example"}
    good = {"snapshot_id": companies[1], "record": record, "options": {"return_explanations": True}}
    await api.call("POST", "/match/record", good)
    await api.call("POST", "/match/record", {**good, "record": {"company": [POISON]}})
    await api.call("POST", "/match/record", {**good, "options": {"field_map": {POISON: POISON}}})
    await api.client.post("/api/v2/match/record", content=b'{"record": "' + POISON.encode())
    await api.client.get("/api/v2/datasets", params={"cursor": POISON})
    await api.client.get(f"/api/v2/{POISON}")
    await api.activated([{"account_id": "1", "name": POISON}, {"account_id": [POISON], "name": POISON}])
    batch = await api.call("POST", "/match/batch", {"snapshot_id": companies[1], "records": [record, {"x": POISON}]})
    await api.run_job(batch.json()["job_id"])
    await api.client.get("/api/v2/datasets", headers={"Authorization": f"Bearer {POISON}"})
    _, key = await api.services.keys.create(api.organisation_id, "logged", ["jobs:read"])
    await api.client.get("/api/v2/datasets", headers={"Authorization": f"Bearer {key}"})
    assert len(captured.lines("request")) > 10
    assert captured.lines("job_run")
    for word in ("Zyxwvut", "poisonwerke", api.key, key):
        assert word.lower() not in captured.text.lower()


async def test_a_bug_is_logged_by_its_place_and_not_by_its_message(
    api: Api, companies: tuple[str, str], captured: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*args: object) -> None:
        raise RuntimeError(f"unexpected {args}")

    monkeypatch.setattr(api.services.match, "match_record", broken)
    body = {"snapshot_id": companies[1], "record": {"company": POISON}}
    response = await api.call("POST", "/match/record", body)
    assert response.status_code == 500
    assert POISON not in response.text + captured.text
    [line] = captured.lines("unhandled_error")
    assert line["error_type"] == "RuntimeError"
    assert any(frame.startswith("match.py:") for frame in line["frames"])
    assert line["request_id"] == response.headers["x-request-id"]


@pytest.mark.parametrize("name", ["uvicorn.error", "arq.worker", "app.anything"])
def test_libraries_log_in_the_same_format_and_without_messages_of_exceptions(captured: Captured, name: str) -> None:
    try:
        raise ValueError(POISON)
    except ValueError:
        logging.getLogger(name).exception("it broke")
    [line] = captured.lines("it broke")
    assert line["error_type"] == "ValueError"
    assert line["level"] == "error"
    assert POISON not in captured.text


def test_nothing_of_one_request_is_left_for_the_next(captured: Captured) -> None:
    assert structlog.contextvars.get_contextvars() == {}
    structlog.get_logger("app.next").info("next")
    assert "request_id" not in captured.lines("next")[0]
