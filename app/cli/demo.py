"""`foundryops-server demo`: the main job on the bundled sample, over HTTP, with its own quality printed at the end."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.client import ApiFailure, Client
from app.config import Settings
from app.profiles import find_profile
from app.sample import ACCOUNT_SCHEMA, LEAD_FIELDS, leads, organisations

_PROFILE = "leads_to_accounts"
_WARM_UP = 200
_BATCH = 100
_SHOWN = 12
_CHIPS = 3

Answers = list[tuple[Mapping[str, Any], dict[str, Any]]]


def register(cli: typer.Typer) -> None:
    cli.command("demo")(demo)


def demo(
    leads_to_match: Annotated[int, typer.Option("--leads", min=1, max=2000, help="How many sample leads.")] = 2000,
) -> None:
    """Load the bundled sample into the running stack, activate it and match its leads."""
    console = Console()
    connection = Settings().var_dir / "connection.json"
    try:
        with Client.from_connection(connection) as client:
            dataset_id, snapshot_id = _load(client, console)
            answers, took_ms = _match_one_by_one(client, console, snapshot_id, leads()[:leads_to_match])
            _match_batch(client, console, snapshot_id)
            base_url = client.base_url
    except ApiFailure as exc:
        console.print(f"[red]{exc}[/red]")
        raise typer.Exit(1) from exc
    _show_matches(console, answers)
    _show_figures(console, answers, took_ms)
    console.print(f"dataset {dataset_id}, snapshot {snapshot_id}")
    console.print(f"API {base_url}, its documentation {base_url}/docs, the key in {connection}")


def _load(client: Client, console: Console) -> tuple[str, str]:
    records = organisations()
    dataset = client.call(
        "POST",
        "/datasets",
        {"name": "Sample companies", "schema": ACCOUNT_SCHEMA, "primary_key": "account_id"},
    )
    dataset_id: str = dataset["dataset_id"]
    with _bar(console) as bar:
        task = bar.add_task("append", total=len(records))
        snapshot_id = client.append(dataset_id, records, lambda done: bar.update(task, completed=done))
        job = client.call("POST", f"/datasets/{dataset_id}/activate", {"snapshot_id": snapshot_id})
        task = bar.add_task("activate", total=len(records))
        client.wait(job["job_id"], lambda done, total: bar.update(task, completed=done))
    return dataset_id, snapshot_id


def _match_one_by_one(
    client: Client, console: Console, snapshot_id: str, sample: Sequence[dict[str, Any]]
) -> tuple[Answers, list[float]]:
    answers: Answers = []
    took_ms: list[float] = []
    for lead in sample[:_WARM_UP]:
        client.call("POST", "/match/record", _request(snapshot_id, lead))
    with _bar(console) as bar:
        for lead in bar.track(sample, description="match"):
            started = time.perf_counter()
            answer = client.call("POST", "/match/record", _request(snapshot_id, lead))
            took_ms.append((time.perf_counter() - started) * 1000)
            answers.append((lead, answer))
    return answers, took_ms


def _match_batch(client: Client, console: Console, snapshot_id: str) -> None:
    records = [{"id": lead["lead_id"], **_record(lead)} for lead in leads()[:_BATCH]]
    started = time.perf_counter()
    job = client.call(
        "POST", "/match/batch", {"snapshot_id": snapshot_id, "records": records, "options": {"profile": _PROFILE}}
    )
    client.wait(job["job_id"])
    results = client.call("GET", f"/jobs/{job['job_id']}/results")["results"]
    matched = sum(result.get("decision") == "match" for result in results)
    spent = time.perf_counter() - started
    console.print(f"batch: {len(results)} leads through a worker in {spent:.2f} s, {matched} of them matched")


def _record(lead: Mapping[str, Any]) -> dict[str, Any]:
    return {name: lead[name] for name in LEAD_FIELDS if lead[name]}


def _request(snapshot_id: str, lead: Mapping[str, Any]) -> dict[str, Any]:
    # Threshold 0 shows the best candidate even where it is not good enough to be a match.
    options = {"profile": _PROFILE, "threshold": 0, "top_n": 1}
    return {"snapshot_id": snapshot_id, "record": _record(lead), "options": options}


def _show_matches(console: Console, answers: Answers) -> None:
    table = Table(title="The first leads", show_lines=False)
    for column in ("lead", "e-mail", "best account", "score", "reasons"):
        table.add_column(column, overflow="fold")
    for lead, answer in answers[:_SHOWN]:
        best = answer["matches"][0] if answer["matches"] else None
        chips = ", ".join(f"{r['code']} {r['weight']:+.1f}" for r in best["reasons"][:_CHIPS]) if best else ""
        name = str(best["record"]["name"]) if best else "—"
        table.add_row(lead["company"] or "", lead["email"] or "", name, f"{best['score']:.3f}" if best else "", chips)
    console.print(table)


def _show_figures(console: Console, answers: Answers, took_ms: list[float]) -> None:
    threshold = find_profile(_PROFILE).match_threshold
    best = [(lead["answers"], answer["matches"][0]) for lead, answer in answers if answer["matches"]]
    known = sum(bool(lead["answers"]) for lead, _ in answers)
    first = sum(match["record_id"] in right for right, match in best)
    linked = [(right, match) for right, match in best if match["score"] >= threshold]
    correct = sum(match["record_id"] in right for right, match in linked)
    console.print(
        f"hit@1 {first / max(known, 1):.3f}   precision {correct / max(len(linked), 1):.3f}   "
        f"recall {correct / max(known, 1):.3f}   ({len(answers)} leads, {known} of them with an account, "
        f"linked from {threshold:g})"
    )
    slow = statistics.quantiles(took_ms, n=20)[-1] if len(took_ms) > 1 else took_ms[0]
    console.print(f"match/record over HTTP, one client: p50 {statistics.median(took_ms):.1f} ms, p95 {slow:.1f} ms")


@contextmanager
def _bar(console: Console) -> Iterator[Progress]:
    columns = (TextColumn("{task.description:>9}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        yield progress
