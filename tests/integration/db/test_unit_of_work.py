"""A unit of work keeps everything or nothing, and stands in nobody's way before its first effect; on both databases."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import func, select, text

from app.db.models import Organisation
from app.db.session import Database
from app.db.unit import unit_of_work


async def add(db: Database, name: str, **options: Any) -> None:
    async with db.begin(**options) as session:
        session.add(Organisation(id=name, name=name))


async def known(db: Database, *names: str) -> int:
    async with db.begin() as session:
        return int(await session.scalar(select(func.count()).where(Organisation.id.in_(names))) or 0)


async def test_what_several_transactions_wrote_is_committed_once_at_the_end(db: Database) -> None:
    async with unit_of_work():
        await add(db, "both-1")
        await add(db, "both-2")
        assert await known(db, "both-1", "both-2") == 2, "they see each other"
        assert await asyncio.create_task(known_to_others(db)) == 0
    assert await known(db, "both-1", "both-2") == 2


async def known_to_others(db: Database) -> int:
    """Read on a plain connection: on SQLite every `begin` waits for the writer."""
    count = "SELECT count(*) FROM organisations WHERE id LIKE 'both%'"
    if db.is_sqlite:
        with closing(sqlite3.connect(str(db.engine.url.database))) as reader:
            return int(reader.execute(count).fetchone()[0])
    async with db.engine.connect() as connection:
        return int(await connection.scalar(text(count)) or 0)


async def test_a_unit_that_fails_leaves_nothing_but_what_was_written_apart(db: Database) -> None:
    with pytest.raises(RuntimeError):
        await _fail_after_writing(db)
    assert await known(db, "undone-1", "undone-2") == 0
    assert await known(db, "apart") == 1


async def _fail_after_writing(db: Database) -> None:
    async with unit_of_work():
        await add(db, "apart", apart=True)
        await add(db, "undone-1")
        await add(db, "undone-2")
        raise RuntimeError("after its effects")


async def test_a_block_that_raises_is_undone_alone_when_its_caller_goes_on(db: Database) -> None:
    async with unit_of_work():
        await add(db, "kept")
        with pytest.raises(RuntimeError):
            await _raise_in_block(db, "dropped")
    assert (await known(db, "kept"), await known(db, "dropped")) == (1, 0)


async def _raise_in_block(db: Database, name: str) -> None:
    async with db.begin() as session:
        session.add(Organisation(id=name, name=name))
        await session.flush()
        raise RuntimeError("in a block")


async def test_reading_first_holds_no_lock(db: Database) -> None:
    async with unit_of_work():
        assert await known(db, "beside") == 0
        await asyncio.create_task(add(db, "beside"))
        assert await known(db, "beside") == 1


async def test_what_waits_for_the_commit_happens_after_it_and_never_when_it_fails(db: Database) -> None:
    seen: list[int] = []

    async def note() -> None:
        seen.append(await known(db, "awaited"))

    await db.after_commit(note)
    async with unit_of_work():
        await add(db, "awaited")
        await db.after_commit(note)
        assert seen == [0]
    assert seen == [0, 1]
    with pytest.raises(RuntimeError):
        await _fail_with_waiter(db, note)
    assert seen == [0, 1]


async def _fail_with_waiter(db: Database, note: Any) -> None:
    async with unit_of_work():
        await add(db, "awaited-2")
        await db.after_commit(note)
        raise RuntimeError("after its effects")
