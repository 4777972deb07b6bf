"""`foundryops-server up | down | status`: the embedded stack as one command."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console

from app.config import Settings
from app.embedded.errors import StackError
from app.embedded.folder import AlreadyRunning, StackFolder
from app.embedded.jars import JarCache, default_cache_dir

# Longer than all stop timeouts of the parts together.
_DOWN_TIMEOUT_S = 90.0
_POLL_S = 0.05
_NOT_RUNNING = 3


def register(cli: typer.Typer) -> None:
    cli.command("up")(up)
    cli.command("down")(down)
    cli.command("status")(status)


def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once everything is ready.")] = False,
) -> None:
    """Start OpenSearch, Valkey, the API and the worker; data is kept in ./var (FOUNDRYOPS_VAR_DIR)."""
    from app.cli.detach import start_detached

    settings = Settings()
    folder = StackFolder(settings.var_dir)
    with plain_errors():
        if detach:
            if (pid := folder.supervisor_pid()) is not None:
                raise AlreadyRunning(folder.root, pid)
            folder.create()
            _node_options(settings, folder)
            start_detached(folder, _say)
            show(folder.read_connection())
        else:
            with folder.held():
                _supervise(settings, folder)


def down() -> None:
    """Stop the stack of this folder, part by part; all data stays."""
    folder = StackFolder(Settings().var_dir)
    pid = folder.supervisor_pid()
    if pid is None:
        typer.echo(f"nothing is running in {folder.root}")
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _DOWN_TIMEOUT_S
    while folder.supervisor_pid() is not None:
        if time.monotonic() > deadline:
            typer.echo(f"the supervisor (process {pid}) did not end; see {folder.logs}", err=True)
            raise typer.Exit(1)
        time.sleep(_POLL_S)
    typer.echo("stopped; the data is kept")


def status() -> None:
    """Show what runs in this folder."""
    folder = StackFolder(Settings().var_dir)
    if folder.supervisor_pid() is None:
        typer.echo(f"nothing is running in {folder.root}")
        raise typer.Exit(_NOT_RUNNING)
    show(folder.read_connection())


@contextmanager
def plain_errors() -> Iterator[None]:
    """Ends the command with the sentence of a StackError, and code 1; of a second start also where the first is."""
    try:
        yield
    except AlreadyRunning as exc:
        typer.echo(str(exc), err=True)
        show(StackFolder(Settings().var_dir).read_connection())
        raise typer.Exit(1) from exc
    except StackError as exc:
        typer.echo(str(exc), err=True)
        raise typer.Exit(1) from exc


def show(connection: dict[str, Any]) -> None:
    """The URLs, the key and the processes of a running stack, a line each."""
    pids = connection.get("pids", {})
    rows = {
        "state": connection.get("state", "starting"),
        "api": connection.get("base_url"),
        "key": connection.get("api_key"),
        "metrics": connection.get("metrics_url"),
        "opensearch": connection.get("opensearch_url"),
        "valkey": connection.get("valkey_url"),
        "processes": ", ".join(f"{part} {pid}" for part, pid in pids.items()) or None,
    }
    for label, value in rows.items():
        if value is not None:
            typer.echo(f"{label:<11} {value}")


def jar_cache(settings: Settings) -> JarCache:
    return JarCache(settings.jar_cache_dir or default_cache_dir())


def _supervise(settings: Settings, folder: StackFolder) -> None:
    from app.embedded.supervisor import Plan, Supervisor

    prepare = [sys.executable, "-m", "app.cli.prepare"]
    plan = Plan(settings, folder, _node_options(settings, folder), prepare)
    Supervisor(plan, _say, show).run()


def _node_options(settings: Settings, folder: StackFolder) -> Any:
    """Checks everything that can be checked before a process starts, and fetches the jars. Raises StackError."""
    from app.embedded.fetch import ensure_jars
    from app.embedded.machine import check_disk, choose_heap_mb
    from app.embedded.opensearch import NodeOptions

    check_disk(folder.root)
    heap_mb = choose_heap_mb(settings.embedded_heap_mb)
    class_path = ensure_jars(jar_cache(settings), Console(stderr=True), settings.jar_repository_url)
    return NodeOptions(folder.opensearch, class_path, heap_mb, settings.embedded_opensearch_port)


def _say(message: str) -> None:
    print(message, flush=True)
