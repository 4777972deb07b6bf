"""`foundryops-server keys` and `organisations`: the first admin, made by whoever runs the server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer

from app.cli.service import with_database
from app.config import Settings
from app.db.models import Organisation
from app.db.session import Database
from app.limits.valkey import SharedValkey
from app.services.keys import KeyService, NewKey
from app.services.scopes import SCOPES

T = TypeVar("T")


def register(cli: typer.Typer) -> None:
    keys = typer.Typer(no_args_is_help=True, help="Make and revoke API keys.")
    keys.command("create")(create)
    keys.command("revoke")(revoke)
    cli.add_typer(keys, name="keys")
    organisations = typer.Typer(no_args_is_help=True, help="Make and list organisations.")
    organisations.command("create")(create_organisation)
    organisations.command("list")(list_organisations)
    cli.add_typer(organisations, name="organisations")


def create(
    name: Annotated[str, typer.Option(help="What the key is for.")] = "key",
    organisation_id: Annotated[str | None, typer.Option(help="An organisation's id; a new one when left out.")] = None,
    organisation: Annotated[str, typer.Option(help="The name of a new organisation.")] = "Default",
    role: Annotated[str | None, typer.Option(help="viewer, matcher, steward or admin; admin when left out.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="Instead of a role; may be given often.")] = None,
) -> None:
    """Make a key and show it once."""
    wanted = NewKey(name, scope, role or (None if scope else "admin"))

    async def make(service: KeyService) -> dict[str, Any]:
        owner = organisation_id or await service.create_organisation(organisation)
        return {"organisation": owner, **await service.issue(owner, wanted, frozenset(SCOPES))}

    made = _run(make)
    typer.echo(f"organisation {made['organisation']}\nkey id       {made['key_id']}\nAPI key      {made['key']}")
    typer.echo("It is not shown again.")


def revoke(organisation_id: str, key_id: str) -> None:
    """End a key, for every process at once."""
    _run(lambda service: service.revoke(organisation_id, key_id))
    typer.echo(f"revoked {key_id}")


def create_organisation(name: str) -> None:
    """Make an organisation and show its id."""
    typer.echo(_run(lambda service: service.create_organisation(name)))


def list_organisations() -> None:
    """Show id, time of making and name of every organisation."""
    found: list[Organisation] = _run(lambda service: service.organisations())
    for one in found:
        typer.echo(f"{one.id}  {one.created_at:%Y-%m-%d %H:%M}  {one.name}")


def _run(use: Callable[[KeyService], Awaitable[T]]) -> T:
    async def main(db: Database, settings: Settings) -> T:
        valkey = SharedValkey(settings.redis_url)
        try:
            return await use(KeyService(db, settings.key_hash_secret.get_secret_value(), valkey))
        finally:
            await valkey.close()

    return with_database(main)
