"""`foundryops-server audit`: verifies the chains of audit events and exports one."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from app.cli.service import with_database
from app.config import Settings
from app.db.session import Database
from app.services.audit import AuditFilter, AuditService, Verdict
from app.services.keys import KeyService

Organisation = Annotated[str, typer.Argument(help="An organisation's id.")]


def register(cli: typer.Typer) -> None:
    audit = typer.Typer(no_args_is_help=True, help="Verify and export the audit trail.")
    audit.command("verify")(verify)
    audit.command("export")(export)
    cli.add_typer(audit, name="audit")


def verify(
    organisation_id: Annotated[str | None, typer.Argument(help="All organisations when left out.")] = None,
) -> None:
    """Follow the hash chains; ends with status 1 and the first broken link of each chain that does not hold.

    Keep the printed end of a chain elsewhere: only that shows a chain that was cut and re-made as a whole.
    """

    async def check(db: Database, settings: Settings) -> list[Verdict]:
        keys = KeyService(db, settings.key_hash_secret.get_secret_value())
        chosen = [organisation_id] if organisation_id else [one.id for one in await keys.organisations()]
        return [await AuditService(db).verify(one) for one in chosen]

    verdicts = with_database(check)
    for verdict in verdicts:
        state = "ok" if verdict.reason is None else f"BROKEN at event {verdict.broken_at}: {verdict.reason}"
        typer.echo(f"{verdict.organisation_id} {state}; {verdict.events} events hold, the last is {verdict.hash}")
    if any(verdict.reason for verdict in verdicts):
        raise typer.Exit(1)


def export(organisation_id: Organisation) -> None:
    """Write all events of an organisation to standard output as NDJSON, oldest first."""

    async def write(db: Database, settings: Settings) -> None:
        async for lines in AuditService(db).export(organisation_id, AuditFilter()):
            sys.stdout.buffer.write(lines)

    with_database(write)
