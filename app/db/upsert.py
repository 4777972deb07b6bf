"""Inserts that give way to a row that is already there, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import literal
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Base


async def insert_if_absent(session: AsyncSession, model: type[Base], **values: Any) -> bool:
    """True when the row was inserted, False when its key was taken; waits for a concurrent insert of the same key."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    inserted = dialect.insert(model).values(**values).on_conflict_do_nothing().returning(literal(True))
    return (await session.scalar(inserted)) is not None
