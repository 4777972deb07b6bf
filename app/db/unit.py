"""A unit of work: a request's effects and the record that it was answered, kept together or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import ORMExecuteState, Session

_current: ContextVar[Unit | None] = ContextVar("unit", default=None)


class TrackingSession(Session):
    """Knows whether its transaction wrote anything."""


@event.listens_for(TrackingSession, "after_flush")
def _flushed(session: Session, context: Any) -> None:
    session.info["wrote"] = True


@event.listens_for(TrackingSession, "do_orm_execute")
def _executed(state: ORMExecuteState) -> None:
    if not state.is_select:
        state.session.info["wrote"] = True


class Unit:
    """From its first transaction that wrote, all of a request's work is one transaction, committed at the unit's end."""

    def __init__(self) -> None:
        self.session: AsyncSession | None = None
        """Set once effects are pending."""
        self.after: list[Callable[[], Awaitable[object]]] = []
        self._task = asyncio.current_task()

    @asynccontextmanager
    async def transaction(self, new: Callable[[], AsyncSession]) -> AsyncIterator[AsyncSession]:
        """Joins what is pending; otherwise commits what only read and keeps open what wrote."""
        if self.session is not None:
            async with self.session.begin_nested():
                yield self.session
            return
        session = new()
        try:
            await session.begin()
            yield session
            await session.flush()
            if session.sync_session.info.get("wrote"):
                self.session = session
            else:
                await session.commit()
        finally:
            if self.session is None:
                await asyncio.shield(session.close())

    async def commit(self) -> None:
        if self.session is not None:
            await self.session.commit()

    async def close(self) -> None:
        """Rolls back what was not committed."""
        if self.session is not None:
            await self.session.close()

    @classmethod
    def of_this_task(cls) -> Unit | None:
        """The unit that runs; None in a task that a request started and that works beside it."""
        unit = _current.get()
        return unit if unit is not None and unit._task is asyncio.current_task() else None


@asynccontextmanager
async def unit_of_work() -> AsyncIterator[None]:
    """Commits at the end and then does what waited for it; rolls everything back when the block raises."""
    unit = Unit()
    token = _current.set(unit)
    try:
        yield
        await unit.commit()
    finally:
        _current.reset(token)
        await asyncio.shield(unit.close())
    for call in unit.after:
        await call()
