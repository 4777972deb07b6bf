"""`foundryops-server billing`: tiers, grants and billing modes, set by whoever runs the server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer

from app.cli.service import with_database
from app.config import Settings
from app.db.session import Database
from app.services.credits import CreditService, Mode
from app.services.meter import Meter
from app.services.standings import Standings
from app.tariff import load_tariff

T = TypeVar("T")


def register(cli: typer.Typer) -> None:
    billing = typer.Typer(no_args_is_help=True, help="Set tiers, grant credits, enforce them.")
    for command in (balance, tier, grant, mode):
        billing.command()(command)
    cli.add_typer(billing, name="billing")


def balance(organisation_id: str) -> None:
    """Show the tier, the mode and the credits of an organisation."""
    _show(_run(lambda credits: credits.balance(organisation_id)))


def tier(organisation_id: str, name: str) -> None:
    """Move an organisation to a tier; API processes follow within seconds."""
    _run(lambda credits: credits.set_tier(organisation_id, name))
    typer.echo(f"{organisation_id} is in tier {name}")


def grant(
    organisation_id: str,
    credits: Annotated[int, typer.Argument(min=1, max=10**12)],
    reason: Annotated[str, typer.Option(help="Kept with the grant.")] = "",
) -> None:
    """Add credits to an organisation."""
    _show(_run(lambda service: service.grant(organisation_id, credits, reason)))


def mode(organisation_id: str, name: Mode) -> None:
    """Choose whether running out of credits refuses work; API processes follow within seconds."""
    _show(_run(lambda credits: credits.set_mode(organisation_id, name)))


def _show(answer: dict[str, Any]) -> None:
    for name, value in answer.items():
        typer.echo(f"{name:20} {value}")


def _run(use: Callable[[CreditService], Awaitable[T]]) -> T:
    async def with_service(db: Database, settings: Settings) -> T:
        tariff = load_tariff(settings.tariff_file)
        standings = Standings(db, tariff, settings.environment)
        return await use(CreditService(db, Meter(db, standings, tariff), standings))

    return with_database(with_service)
