"""`foundryops-server retention`: what workers do every hour, at once."""

from __future__ import annotations

import asyncio

import typer

from app.config import Settings
from app.identity import OPERATOR, act_as


def register(cli: typer.Typer) -> None:
    retention = typer.Typer(no_args_is_help=True, help="Remove what has lived its time.")
    retention.command("run")(run)
    cli.add_typer(retention, name="retention")


def run() -> None:
    """Remove all that is past its lifetime now, and say how much of what."""
    for rule, count in asyncio.run(_run()).items():
        typer.echo(f"{rule:20} {count}")


async def _run() -> dict[str, int]:
    from app.bootstrap import build

    act_as(OPERATOR)
    services = await build(Settings())
    try:
        return await services.retention.run()
    finally:
        await services.close()
