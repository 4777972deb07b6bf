"""What the commands on the records of account share: the database, the operator's name and errors as plain words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import typer

from app.config import Settings
from app.db.session import Database
from app.errors import FoundryOpsError
from app.identity import OPERATOR, act_as

T = TypeVar("T")


def with_database(use: Callable[[Database, Settings], Awaitable[T]]) -> T:
    """Gives what `use` gives; ends the command with status 1 and the message of an error that was raised on purpose."""

    async def main() -> T:
        act_as(OPERATOR)
        settings = Settings()
        db = Database(settings.database_url)
        try:
            await db.migrate()
            return await use(db, settings)
        finally:
            await db.close()

    try:
        return asyncio.run(main())
    except FoundryOpsError as exc:
        typer.echo(exc.message, err=True)
        raise typer.Exit(1) from exc
