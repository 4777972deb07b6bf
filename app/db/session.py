"""The database of a process: engine, transactions and migrations, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from app.db.unit import TrackingSession, Unit

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_TIMEOUT_MS = 15_000


class Database:
    """One per process; `begin` is the only way to a session.

    A `begin` block is a transaction of its own. Inside `unit_of_work`, which the API opens for a POST with an idempotency key,
    the first block that writes stays open instead, later ones join it, and all is committed with the stored answer.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite and parsed.database not in (None, "", ":memory:"):
            Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
        self.engine: AsyncEngine = create_async_engine(url, pool_pre_ping=not self.is_sqlite)
        if self.is_sqlite:
            _tame_sqlite(self.engine)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False, sync_session_class=TrackingSession)

    @asynccontextmanager
    async def begin(self, *, apart: bool = False) -> AsyncIterator[AsyncSession]:
        """A session in a transaction: commits at the end, rolls back when the block raises.

        `apart`: commits by itself in a unit of work too, unless that has effects already; for what may be kept though the
        request fails, and before long work, because SQLite has one writer at a time.
        """
        unit = Unit.of_this_task()
        if unit is None or (apart and unit.session is None):
            async with self._sessions() as session, session.begin():
                yield session
        else:
            async with unit.transaction(self._sessions) as session:
                yield session

    async def after_commit(self, call: Callable[[], Awaitable[object]]) -> None:
        """Calls once what was written is committed: now, or at the end of the unit of work."""
        unit = Unit.of_this_task()
        if unit is None or unit.session is None:
            await call()
        else:
            unit.after.append(call)

    async def migrate(self) -> None:
        """Brings the schema to the newest revision; safe to call at every start."""
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        config.attributes["url"] = self.url
        await asyncio.to_thread(command.upgrade, config, "head")

    async def ping(self) -> None:
        """Raises what the driver raises when the database does not answer."""
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self.engine.dispose()


def _tame_sqlite(engine: AsyncEngine) -> None:
    """Writers queue from their first statement; without this, concurrent updates are lost without an error."""
    whole_from_the_start(engine.sync_engine)

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, record: Any) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", f"busy_timeout={_BUSY_TIMEOUT_MS}", "foreign_keys=ON", "synchronous=FULL"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()


def whole_from_the_start(engine: Engine) -> None:
    """SQLite transactions that hold the one writer's place from their begin, changes of the schema among them."""

    @event.listens_for(engine, "connect")
    def connected(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # the driver begins and commits nothing by itself

    @event.listens_for(engine, "begin")
    def begun(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
