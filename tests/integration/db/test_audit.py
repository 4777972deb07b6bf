"""The chain of audit events holds under concurrency and shows every kind of tampering, on both databases."""

from __future__ import annotations

import asyncio
from datetime import datetime
from itertools import pairwise

import orjson
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError

from app.db.models import Organisation
from app.db.session import Database
from app.identity import Identity, resume
from app.ids import Prefix, new_id
from app.services import audit
from app.services.audit import AuditFilter, AuditService


async def organisation(db: Database) -> str:
    organisation_id = new_id(Prefix.ORGANISATION)
    async with db.begin() as session:
        session.add(Organisation(id=organisation_id, name="Audited"))
    return organisation_id


async def write(db: Database, organisation_id: str, resource: str) -> None:
    async with db.begin() as session:
        await audit.record(session, organisation_id, "thing.change", resource, {"rows": 1, "name": "Müller"})


async def chain(db: Database, events: int) -> str:
    organisation_id = await organisation(db)
    for number in range(events):
        await write(db, organisation_id, f"r{number + 1}")
    return organisation_id


async def test_an_event_keeps_who_did_it_under_which_ids(db: Database) -> None:
    organisation_id = await organisation(db)
    resume(Identity("req_1", "corr-1", "key_1"))
    await write(db, organisation_id, "ds_1")
    [event] = (await AuditService(db).list_page(organisation_id, AuditFilter(), 10, None))["data"]
    assert (event["actor"], event["request_id"], event["correlation_id"]) == ("key_1", "req_1", "corr-1")
    assert (event["action"], event["resource"], event["details"]["name"]) == ("thing.change", "ds_1", "Müller")


async def test_concurrent_writers_make_one_chain(db: Database) -> None:
    organisation_id = await organisation(db)
    await asyncio.gather(*(write(db, organisation_id, f"r{n}") for n in range(40)))
    verdict = await AuditService(db).verify(organisation_id)
    assert (verdict.events, verdict.reason) == (40, None)


async def test_a_change_that_is_rolled_back_leaves_no_event(db: Database) -> None:
    organisation_id = await chain(db, 1)
    with pytest.raises(RuntimeError):
        await _write_and_fail(db, organisation_id)
    verdict = await AuditService(db).verify(organisation_id)
    assert (verdict.events, verdict.reason) == (1, None)


async def _write_and_fail(db: Database, organisation_id: str) -> None:
    async with db.begin() as session:
        await audit.record(session, organisation_id, "thing.change", "r")
        raise RuntimeError("the change failed")


@pytest.mark.parametrize("statement", ["UPDATE audit_events SET actor = 'x'", "DELETE FROM audit_events"])
async def test_the_database_refuses_to_change_events(db: Database, statement: str) -> None:
    await chain(db, 1)
    with pytest.raises(DatabaseError, match="never changed"):
        await _execute(db, statement)


async def _execute(db: Database, *statements: str, **values: str) -> None:
    async with db.begin() as session:
        for statement in statements:
            await session.execute(text(statement), values if ":" in statement else {})


async def tamper(db: Database, organisation_id: str, *statements: str) -> None:
    """As someone would who owns the database: without its triggers."""
    async with db.engine.begin() as connection:
        unlock, lock = await connection.run_sync(_trigger_statements)
        for statement in (*unlock, *statements, *lock):
            await connection.execute(text(statement), {"o": organisation_id} if ":o" in statement else {})


def _trigger_statements(connection: Connection) -> tuple[list[str], list[str]]:
    if connection.dialect.name == "postgresql":
        return ["ALTER TABLE audit_events DISABLE TRIGGER ALL"], ["ALTER TABLE audit_events ENABLE TRIGGER ALL"]
    found = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
    return [f"DROP TRIGGER {name}" for name, _ in found], [sql for _, sql in found]


MINE = "FROM audit_events WHERE organisation_id = :o AND"
SET = "UPDATE audit_events SET {} WHERE organisation_id = :o AND seq = {}"
TAMPERING: dict[str, tuple[list[str], int, str]] = {
    "a changed actor": ([SET.format("actor = 'someone'", 2)], 2, "changed"),
    "a changed detail": ([SET.format("details = '{}'", 3)], 3, "changed"),
    "a removed event": ([f"DELETE {MINE} seq = 2"], 2, "removed"),
    "removed last events": ([f"DELETE {MINE} seq >= 3"], 3, "removed"),
    "two events that changed places": (
        [SET.format("seq = 99", 2), SET.format("seq = 2", 3), SET.format("seq = 3", 99)],
        2,
        "reordered",
    ),
    "a head that was moved back": (
        ["UPDATE audit_heads SET seq = 3 WHERE organisation_id = :o"],
        4,
        "head",
    ),
}


@pytest.mark.parametrize("kind", TAMPERING)
async def test_verification_finds_the_first_broken_link(db: Database, kind: str) -> None:
    statements, broken_at, reason = TAMPERING[kind]
    organisation_id = await chain(db, 4)
    await tamper(db, organisation_id, *statements)
    verdict = await AuditService(db).verify(organisation_id)
    assert verdict.broken_at == broken_at
    assert reason in (verdict.reason or "")


async def test_an_export_holds_every_event_oldest_first(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_BATCH_EVENTS", 2)
    organisation_id = await chain(db, 5)
    exported = b"".join([lines async for lines in AuditService(db).export(organisation_id, AuditFilter())])
    events = [orjson.loads(line) for line in exported.splitlines()]
    assert [event["resource"] for event in events] == ["r1", "r2", "r3", "r4", "r5"]
    assert all(later["previous_hash"] == event["hash"] for event, later in pairwise(events))


async def test_events_are_filtered_by_action_resource_and_time(db: Database) -> None:
    organisation_id = await chain(db, 3)
    service = AuditService(db)
    events = (await service.list_page(organisation_id, AuditFilter(resource="r2"), 10, None))["data"]
    assert [event["seq"] for event in events] == [2]
    at = (await service.list_page(organisation_id, AuditFilter(), 1, None))["data"][0]["at"]
    since = AuditFilter(since=datetime.fromisoformat(at))
    assert [event["seq"] for event in (await service.list_page(organisation_id, since, 10, None))["data"]] == [3]
    none = AuditFilter(action="thing.other")
    assert (await service.list_page(organisation_id, none, 10, None))["data"] == []


async def test_pages_follow_each_other_newest_first(db: Database) -> None:
    organisation_id = await chain(db, 3)
    service = AuditService(db)
    first = await service.list_page(organisation_id, AuditFilter(), 2, None)
    second = await service.list_page(organisation_id, AuditFilter(), 2, first["next_cursor"])
    assert [event["seq"] for event in first["data"] + second["data"]] == [3, 2, 1]
    assert (first["has_more"], second["has_more"]) == (True, False)
