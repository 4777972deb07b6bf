"""What is wrong with the database itself, told apart from bugs in what is asked of it."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import OperationalError

from app.errors import FoundryOpsError, StorageFull, Unavailable

_PASSING = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
_PRIMARY_CODE = 0xFF
_DISK_FULL = "53100"
"""PostgreSQL's SQLSTATE."""


def trouble_of(exc: OperationalError) -> FoundryOpsError | None:
    """Unavailable when it is busy or does not answer, StorageFull when its disk is full, None when the statement is wrong."""
    extended = getattr(exc.orig, "sqlite_errorcode", None)
    code = None if extended is None else extended & _PRIMARY_CODE
    if code == sqlite3.SQLITE_FULL or getattr(exc.orig, "sqlstate", None) == _DISK_FULL:
        return StorageFull("The database has no space left.")
    if code is not None and code not in _PASSING:
        return None
    # Not "nothing was changed": a connection may be lost while a commit is under way.
    return Unavailable("The database is busy or does not answer; ask again.")
