"""The decision log's queue: bounded, written in order, nothing lost without being counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from app.db.session import Database
from app.errors import SearchUnavailable
from app.services.decisions import DecisionLog, Origin

ORIGIN = Origin("org_1", "batch", "job_01J8X9Y2Z3A4B5C6D7E8F9G0H1")
ANSWER: dict[str, Any] = {
    "snapshot_id": "dss_1",
    "profile": "balanced@1",
    "threshold": 0.5,
    "decision": "match",
    "matches": [
        {
            "record_id": "a1",
            "score": 0.9,
            "confidence": "high",
            "record": {"name": "Secret Ltd"},
            "reasons": [{"code": "NAME_EXACT", "field": "name", "label": "Same name"}],
        }
    ],
    "candidates_considered": 50,
}


class Index:
    """Takes what it is told to take; an error is raised once."""

    def __init__(self) -> None:
        self.taken: list[Mapping[str, Any]] = []
        self.wrote = asyncio.Event()
        self.error: Exception | None = None
        self.busy = 0
        self.refused = 0

    async def write(self, documents: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], int]:
        error, self.error = self.error, None
        if error is not None:
            raise error
        room = len(documents) - self.busy
        self.taken += documents[:room]
        self.wrote.set()
        return list(documents[room:]), self.refused


def log_on(index: Any, db: Database, waiting_max: int = 100) -> DecisionLog:
    return DecisionLog(index, db, "secret", timedelta(days=30), waiting_max)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/test.db")
    await database.migrate()
    yield database
    await database.close()


def note(log: DecisionLog, count: int) -> None:
    for position in range(count):
        log.note(ORIGIN, {"company": "Secret"}, ANSWER, 1.0, position)


def lost(reason: str) -> float:
    return REGISTRY.get_sample_value("foundryops_decisions_dropped_total", {"reason": reason}) or 0.0


async def test_what_was_noted_is_written_when_the_process_ends(db: Database) -> None:
    index = Index()
    log = log_on(index, db)
    note(log, 3)
    await log.close()
    assert [document["position"] for document in index.taken] == [0, 1, 2]


async def test_a_decision_holds_ids_and_evidence_and_no_value_of_a_record(db: Database) -> None:
    index = Index()
    log = log_on(index, db)
    note(log, 1)
    await log.close()
    [document] = index.taken
    assert "Secret" not in str(document)
    assert document["decision_id"] == "dec_01J8X9Y2Z3A4B5C6D7E8F9G0H1-000000000"
    assert (document["record_id"], document["score"], document["reasons"]) == ("a1", 0.9, ["NAME_EXACT"])


async def test_the_log_writes_by_itself(db: Database) -> None:
    index = Index()
    log = log_on(index, db)
    note(log, 1)
    await asyncio.wait_for(index.wrote.wait(), 10)
    await log.close()
    assert len(index.taken) == 1


async def test_a_full_queue_drops_and_counts_instead_of_waiting(db: Database) -> None:
    before, index = lost("full"), Index()
    log = log_on(index, db, waiting_max=2)
    note(log, 5)
    await log.close()
    assert (len(index.taken), lost("full") - before) == (2, 3)


async def test_an_engine_that_is_away_loses_nothing_while_there_is_room(db: Database) -> None:
    index = Index()
    index.error = SearchUnavailable("away")
    log = log_on(index, db)
    note(log, 3)
    with pytest.raises(SearchUnavailable):
        await log.flush()
    await log.close()
    assert [document["position"] for document in index.taken] == [0, 1, 2]


async def test_what_the_engine_has_no_room_for_is_offered_again_in_order(db: Database) -> None:
    index = Index()
    index.busy = 2
    log = log_on(index, db)
    note(log, 5)
    with pytest.raises(SearchUnavailable):
        await log.flush()
    index.busy = 0
    await log.close()
    assert [document["position"] for document in index.taken] == [0, 1, 2, 3, 4]


async def test_what_the_engine_will_never_take_is_counted(db: Database) -> None:
    before, index = lost("refused"), Index()
    index.refused = 1
    log = log_on(index, db)
    note(log, 2)
    await log.close()
    assert lost("refused") - before == 1


async def test_an_end_without_an_engine_is_counted_and_does_not_hang(db: Database) -> None:
    before, index = lost("shutdown"), Index()
    index.error = SearchUnavailable("away")
    log = log_on(index, db)
    note(log, 2)
    await log.close()
    assert (index.taken, lost("shutdown") - before) == ([], 2)


async def test_a_log_that_is_switched_off_keeps_and_counts_nothing(db: Database) -> None:
    before, index = lost("full"), Index()
    log = log_on(index, db, waiting_max=0)
    note(log, 1)
    await log.close()
    assert (index.taken, lost("full")) == ([], before)


async def test_equal_records_have_equal_hashes_within_an_organisation_only(db: Database) -> None:
    index = Index()
    log = log_on(index, db)
    other = Origin("org_2", "record")
    for origin, record in ((ORIGIN, {"a": 1, "b": 2}), (ORIGIN, {"b": 2, "a": 1}), (other, {"a": 1, "b": 2})):
        log.note(origin, record, ANSWER, 1.0)
    await log.close()
    first, same, foreign = (document["record_hash"] for document in index.taken)
    assert first == same != foreign
