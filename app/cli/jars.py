"""`foundryops-server jars`: look after the cache of OpenSearch's jars."""

from __future__ import annotations

import typer
from rich.console import Console

from app.cli.stack import jar_cache, plain_errors
from app.config import Settings


def register(cli: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="OpenSearch's jars: fetch them ahead, check every sum.")
    group.command("fetch")(fetch)
    group.command("verify")(verify)
    cli.add_typer(group, name="jars")


def fetch() -> None:
    """Download what the cache lacks, for instance while there is a network."""
    from app.embedded.fetch import ensure_jars

    settings = Settings()
    with plain_errors():
        paths = ensure_jars(jar_cache(settings), Console(stderr=True), settings.jar_repository_url)
    typer.echo(f"{len(paths)} jars in {jar_cache(settings).folder}")


def verify() -> None:
    """Read every jar and compare its sum with the lock; damaged ones are removed and fetched at the next start."""
    from app.embedded.fetch import verify_jars

    damaged = verify_jars(jar_cache(Settings()))
    for jar in damaged:
        typer.echo(f"damaged, removed: {jar.coordinate}")
    if damaged:
        raise typer.Exit(1)
    typer.echo("all jars are what the lock says")
