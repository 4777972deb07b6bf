"""`foundryops-server keys`: the first organisations and keys, made by whoever runs the server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from app.cli.service import with_database
from app.services.keys import SCOPES, KeyService

T = TypeVar("T")


def register(cli: typer.Typer) -> None:
    keys = typer.Typer(no_args_is_help=True, help="Make and revoke API keys.")
    keys.command("create")(create)
    keys.command("revoke")(revoke)
    cli.add_typer(keys, name="keys")


def create(
    name: Annotated[str, typer.Option(help="What the key is for.")] = "key",
    organisation_id: Annotated[str | None, typer.Option(help="An organisation's id; a new one when left out.")] = None,
    organisation: Annotated[str, typer.Option(help="The name of a new organisation.")] = "Default",
    scope: Annotated[list[str] | None, typer.Option(help="May be given often; all when left out.")] = None,
) -> None:
    """Make a key and show it once."""

    async def make(service: KeyService) -> tuple[str, str, str]:
        owner = organisation_id or await service.create_organisation(organisation)
        key_id, plain = await service.create(owner, name, scope or SCOPES)
        return owner, key_id, plain

    owner, key_id, plain = _run(make)
    typer.echo(f"organisation {owner}\nkey id       {key_id}\nAPI key      {plain}\nIt is not shown again.")


def revoke(organisation_id: str, key_id: str) -> None:
    """End a key; processes that have just seen it follow within seconds."""
    _run(lambda service: service.revoke(organisation_id, key_id))
    typer.echo(f"revoked {key_id}")


def _run(use: Callable[[KeyService], Awaitable[T]]) -> T:
    return with_database(lambda db, settings: use(KeyService(db, settings.key_hash_secret.get_secret_value())))
