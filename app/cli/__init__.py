"""`foundryops-server`: commands in modules of their own, each with a `register(cli)`."""

from __future__ import annotations

import importlib

import typer

# A module per group; each has `register(cli: typer.Typer) -> None` and imports what is heavy inside its commands.
GROUPS = ("stack", "jars", "demo", "files", "keys", "billing", "audit", "retention", "calibrate")


def build() -> typer.Typer:
    cli = typer.Typer(
        no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="The FoundryOps server."
    )
    for group in GROUPS:
        importlib.import_module(f"{__name__}.{group}").register(cli)
    return cli


def main() -> None:
    build()()
