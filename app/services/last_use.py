"""Notes when keys were last used: in memory on the way, in SQL at most once a minute."""

from __future__ import annotations

import asyncio
from datetime import datetime

import structlog
from sqlalchemy import or_, update
from sqlalchemy.exc import SQLAlchemyError

from app.db.models import ApiKey, now
from app.db.session import Database

log = structlog.get_logger(__name__)

_WRITTEN_EVERY_S = 60.0


class LastUse:
    """A time that a crash loses is less than a minute old."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._seen: dict[str, datetime] = {}
        self._writer: asyncio.Task[None] | None = None

    def note(self, key_id: str) -> None:
        self._seen[key_id] = now()
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_now_and_then())

    async def flush(self) -> None:
        """Writes what was noted; keeps it for the next time when the database does not answer."""
        seen, self._seen = self._seen, {}
        try:
            async with self._db.begin() as session:
                for key_id, at in seen.items():
                    older = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < at)
                    await session.execute(
                        update(ApiKey).where(ApiKey.id == key_id, older).values(last_used_at=at),
                        execution_options={"synchronize_session": False},
                    )
        except (SQLAlchemyError, OSError) as exc:
            self._seen = {**seen, **self._seen}
            log.warning("last_use_not_written", error_type=type(exc).__name__)

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.cancel()
            self._writer = None
            await self.flush()

    async def _write_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_WRITTEN_EVERY_S)
            if self._seen:
                await self.flush()
