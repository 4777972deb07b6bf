"""Keyset pages over ids or running numbers: newest first, stable while rows are added."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.errors import InvalidRequest

T = TypeVar("T")
_MAX_INTEGER = 2**63 - 1


async def page(
    session: AsyncSession,
    query: Select[T],
    key: InstrumentedAttribute[str] | InstrumentedAttribute[int],
    limit: int,
    cursor: str | None,
    shape: Callable[[T], dict[str, Any]],
) -> dict[str, Any]:
    """The contract's list answer; raises InvalidRequest for a cursor that is none of ours."""
    if cursor is not None:
        query = query.where(key < _read(cursor, key.type.python_type))
    rows = list(await session.scalars(query.order_by(key.desc()).limit(limit + 1)))
    more = len(rows) > limit
    rows = rows[:limit]
    last = _write(str(getattr(rows[-1], key.key))) if more else None
    return {"data": [shape(row) for row in rows], "has_more": more, "next_cursor": last}


def _write(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def _read(cursor: str, kind: type[str] | type[int]) -> str | int:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
        key = kind(text)
        if not text.isprintable() or (isinstance(key, int) and abs(key) > _MAX_INTEGER):
            raise ValueError(text)
    except (binascii.Error, UnicodeDecodeError, ValueError) as exc:
        raise InvalidRequest("The cursor is not one that a list answered with.", field="cursor") from exc
    return key
