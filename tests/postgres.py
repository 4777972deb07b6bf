"""Gives the tests a PostgreSQL: a URL that is given, else a throw-away cluster of the machine's own binaries, else none."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

WHY_NOT = "no PostgreSQL: set FOUNDRYOPS_TEST_POSTGRES_URL or install Debian's package postgresql"
_DRIVER = "postgresql+psycopg"
_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


@contextmanager
def postgres(folder_name: str = "foundryops-postgres-") -> Iterator[str | None]:
    """The URL of a server's maintenance database, `postgresql://…`; None when there is no way to one."""
    given = os.environ.get("FOUNDRYOPS_TEST_POSTGRES_URL")
    binaries = _binaries()
    if given:
        yield given.replace(f"{_DRIVER}://", "postgresql://")
    elif binaries is None:
        yield None
    else:
        with tempfile.TemporaryDirectory(prefix=folder_name) as folder, _cluster(binaries, Path(folder)) as url:
            yield url


def new_database(server_url: str, name: str, template: str | None = None) -> str:
    """Makes an empty database, or a copy of another; gives its SQLAlchemy URL."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template or "template0"}"'.encode())
    return f"{server_url.rpartition('/')[0]}/{name}".replace("postgresql://", f"{_DRIVER}://")


def _binaries() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return installed[-1].parent if installed else None


@contextmanager
def _cluster(binaries: Path, folder: Path) -> Iterator[str]:
    """PostgreSQL refuses to run as root, so root lends the folder to the user that its package made."""
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    data, port = folder / "data", _free_port()
    options = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
    options += f" -c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder}"

    def run(program: str, *arguments: str) -> None:
        command = [str(binaries / program), "-D", str(data), *arguments]
        subprocess.run(command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=60)

    run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync")
    run("pg_ctl", "start", "-w", "-s", "-l", str(folder / "log"), "-o", options)
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "stop", "-w", "-s", "-m", "immediate")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
