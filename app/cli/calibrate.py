"""`foundryops-server calibrate`: labels from a CSV file, a refit in a job of the running stack, and its report."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from app.client import ApiFailure, Client
from app.config import Settings

_PART = 500
_WORDS = {"true": True, "1": True, "yes": True, "match": True, "false": False, "0": False, "no": False}


def register(cli: typer.Typer) -> None:
    cli.command("calibrate")(calibrate)


def calibrate(
    dataset: Annotated[str, typer.Option(help="The dataset's id.")],
    labels: Annotated[
        Path | None, typer.Option(help="CSV: the record's own columns, record_id and match (true or false).")
    ] = None,
    profile: Annotated[str, typer.Option(help="The profile to refit.")] = "balanced",
    id_column: Annotated[str, typer.Option(help="Column of the master record's primary key.")] = "record_id",
    match_column: Annotated[str, typer.Option(help="Column of the label.")] = "match",
) -> None:
    """Refit a profile to a dataset's labelled pairs; it is used from then on only if it is better."""
    console = Console()
    try:
        with Client.from_connection(Settings().var_dir / "connection.json") as client:
            if labels is not None:
                pairs = list(_read(labels, id_column, match_column))
                for start in range(0, len(pairs), _PART):
                    stored = client.call(
                        "POST", f"/datasets/{dataset}/labels", {"labels": pairs[start : start + _PART]}
                    )
                console.print(f"{len(pairs)} pairs read, {stored['labels']} labels in the dataset")
            job = client.call("POST", f"/datasets/{dataset}/calibrate", {"profile": profile})
            _show(console, client.wait(job["job_id"])["result"])
    except (ApiFailure, ValueError, OSError) as exc:
        console.print(f"[red]{exc}[/red]")
        raise typer.Exit(1) from exc


def _read(path: Path, id_column: str, match_column: str) -> Iterator[dict[str, Any]]:
    """Raises ValueError, naming the line."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        missing = {id_column, match_column} - set(rows.fieldnames or ())
        if missing:
            raise ValueError(f"{path} has no column {sorted(missing)[0]!r}.")
        for row in rows:
            label = _WORDS.get((row.pop(match_column) or "").strip().lower())
            record_id = (row.pop(id_column) or "").strip()
            record = {name: value for name, value in row.items() if name and value}
            if label is None or not record_id or not record:
                raise ValueError(f"{path}, line {rows.line_num}: needs a record, a {id_column} and true or false.")
            yield {"record": record, "record_id": record_id, "match": label}
    if rows.line_num < 2:
        raise ValueError(f"{path} holds no pairs.")


def _show(console: Console, found: dict[str, Any]) -> None:
    report = found["report"]
    table = Table(title=f"{report['profile']} on held-back pairs ({report['used']} of {report['labels']} labels used)")
    for column in ("figure", "shipped", "refitted"):
        table.add_column(column)
    for name in report["before"]:
        table.add_row(name, *(_figure(report[side][name]) for side in ("before", "after")))
    console.print(table)
    console.print(f"right pairs that retrieval missed: {report['not_retrieved']}, unusable: {report['unusable']}")
    console.print(f"surety that it is better: {report['log_loss_gain']['surety']:.1%}")
    used = "is used from now on" if found["state"] == "installed" else "is not used: it is no better"
    console.print(f"{report['profile']}+{found['calibration']} {used} ({found['calibration_id']})")


def _figure(measured: dict[str, Any]) -> str:
    if measured["value"] is None:
        return "–"
    low, high = measured["interval"] or (measured["value"],) * 2
    return f"{measured['value']:.3f}  ({low:.3f} … {high:.3f})"
