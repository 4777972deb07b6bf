"""`foundryops-server upload`, `ingest` and `match`: files in and out of a running server, each step with a bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from app.client import ApiFailure, Client
from app.config import Settings

_FORMATS = {".parquet": "parquet", ".ndjson": "ndjson", ".jsonl": "ndjson", ".csv": "csv"}

File = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="CSV, NDJSON or Parquet; gzip too.")
]
Url = Annotated[str | None, typer.Option(help="The server; the embedded stack's when left out.")]
Key = Annotated[str | None, typer.Option(envvar="FOUNDRYOPS_API_KEY", help="With --url.")]
Steps = Callable[[str, str], Callable[[float, float], None]]


def register(cli: typer.Typer) -> None:
    cli.command("upload")(upload)
    cli.command("ingest")(ingest)
    cli.command("match")(match)


def upload(
    file: File,
    purpose: Annotated[str, typer.Option(help="dataset or match.")] = "dataset",
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Upload a file and print its storage key."""
    with _session(url, api_key) as (client, console, step):
        storage_key = client.upload(file, purpose, step("upload", "B"))
    console.print(storage_key)


def ingest(
    file: File,
    dataset: Annotated[str, typer.Option(help="The dataset's id.")],
    activate: Annotated[bool, typer.Option("--activate", help="Activate the new snapshot, too.")] = False,
    field_map: Annotated[
        list[str] | None, typer.Option("--map", help="COLUMN=field, or COLUMN= to leave it out; may be given often.")
    ] = None,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Upload a file, append it to a dataset and, if asked, activate the new snapshot."""
    mapped = _field_map(field_map or [])
    with _session(url, api_key) as (client, console, step):
        storage_key = client.upload(file, "dataset", step("upload", "B"))
        body = {"source_key": storage_key, "field_map": mapped}
        job = client.call("POST", f"/datasets/{dataset}/append", body)
        summary: dict[str, Any] = client.wait(job["job_id"], step("ingest", "rows"))["result"]
        if activate:
            body = {"snapshot_id": summary["snapshot_id"]}
            job = client.call("POST", f"/datasets/{dataset}/activate", body)
            client.wait(job["job_id"], step("activate", "rows"))
    console.print(f"{summary['accepted']:,} rows accepted, {summary['rejected']:,} rejected, {summary['snapshot_id']}")
    if summary["rejected"]:
        console.print(f"rejected rows with their reasons: GET {summary['rejects_url']}")


def match(
    file: File,
    snapshot: Annotated[str, typer.Option(help="The snapshot's id; its index must be kept.")],
    out: Annotated[Path, typer.Option(help="Results; .csv, .ndjson or .parquet says the format.", dir_okay=False)],
    profile: Annotated[str, typer.Option(help="The profile to match with.")] = "balanced",
    field_map: Annotated[list[str] | None, typer.Option("--map", help="COLUMN=field; may be given often.")] = None,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Match a file's records against a snapshot and write the results to a file."""
    output_format = _FORMATS.get(out.suffix.lower())
    if output_format is None:
        raise typer.BadParameter(f"{out} must end in {', '.join(_FORMATS)}.", param_hint="--out")
    options = {"profile": profile, "field_map": _field_map(field_map or [])}
    with _session(url, api_key) as (client, console, step):
        storage_key = client.upload(file, "match", step("upload", "B"))
        body = {"snapshot_id": snapshot, "source_key": storage_key, "options": options, "output_format": output_format}
        job = client.wait(client.call("POST", "/match/files", body)["job_id"], step("match", "records"))
        client.download(job["results_url"], out, step("download", "B"))
    console.print(f"results in {out}")
    if job["rejects_url"]:
        console.print(f"rows that could not be read: GET {job['rejects_url']}")


def _field_map(given: list[str]) -> dict[str, str | None]:
    pairs = [entry.partition("=") for entry in given]
    wrong = [name for name, equals, _ in pairs if not equals or not name]
    if wrong:
        raise typer.BadParameter(f"{wrong[0]!r} is no COLUMN=field.", param_hint="--map")
    return {name: field or None for name, _, field in pairs}


@contextmanager
def _session(url: str | None, api_key: str | None) -> Iterator[tuple[Client, Console, Steps]]:
    """A client, where to print, and a maker of steps with a bar; an API error ends the command in plain words."""
    console = Console()
    columns = (TextColumn("{task.description:>9}"), BarColumn(), TaskProgressColumn(), _Rate(), TimeRemainingColumn())
    try:
        with _client(url, api_key) as client, Progress(*columns, console=console) as bars:

            def step(name: str, unit: str) -> Callable[[float, float], None]:
                task = bars.add_task(name, total=None, unit=unit)
                return lambda done, total: bars.update(task, completed=done, total=total or None)

            yield client, console, step
    except ApiFailure as exc:
        console.print(f"[red]{exc}[/red]")
        raise typer.Exit(1) from exc


def _client(url: str | None, api_key: str | None) -> Client:
    if url is None:
        return Client.from_connection(Settings().var_dir / "connection.json")
    if api_key is None:
        raise ApiFailure("--url needs an API key: --api-key or FOUNDRYOPS_API_KEY.")
    return Client(url, api_key)


class _Rate(ProgressColumn):
    """What was done and how fast, in the step's own unit."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed or 0
        if task.fields["unit"] == "B":
            return Text(f"{decimal(int(task.completed))}  {decimal(int(speed))}/s", style="progress.data.speed")
        return Text(f"{task.completed:,.0f} {task.fields['unit']}  {speed:,.0f}/s", style="progress.data.speed")
