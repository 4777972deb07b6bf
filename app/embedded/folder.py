"""The stack's folder (`var`): where each thing lies, who holds it, its secret, and `connection.json` for scripts."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from app.embedded.errors import StackError

_PRIVATE = 0o600
_SECRET_BYTES = 32


class AlreadyRunning(StackError):
    """Another supervisor holds this folder; `pid` is its process id, if known."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        super().__init__(f"already running in {folder} (process {pid}): 'foundryops-server down' ends it")
        self.pid = pid


class StackFolder:
    """Paths and small files of one stack."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.logs = self.root / "logs"
        self.opensearch = self.root / "opensearch"
        self.valkey = self.root / "valkey"
        self.metrics = self.root / "metrics"
        self.connection_file = self.root / "connection.json"
        self._secret_file = self.root / "secret"
        self._lock_file = self.root / "supervisor.lock"

    def create(self) -> None:
        """Raises StackError when the folder cannot be made."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise StackError(f"cannot create {self.root}: {exc.strerror}") from exc

    @contextmanager
    def held(self) -> Iterator[None]:
        """Holds the folder for one supervisor; the kernel lets go however that ends. Raises AlreadyRunning."""
        self.create()
        descriptor = os.open(self._lock_file, os.O_RDWR | os.O_CREAT, _PRIVATE)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunning(self.root, _pid_in(descriptor)) from None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def supervisor_pid(self) -> int | None:
        """Process id of the supervisor that holds the folder now; None if none does."""
        with suppress(FileNotFoundError):
            descriptor = os.open(self._lock_file, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _pid_in(descriptor)
            finally:
                os.close(descriptor)
        return None

    def secret(self) -> str:
        """The key of key hashes and signed URLs; random, made at the first start, readable by the owner only."""
        with suppress(FileExistsError):
            descriptor = os.open(self._secret_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(_SECRET_BYTES))
        text = self._secret_file.read_text().strip()
        if len(text) < _SECRET_BYTES:
            raise StackError(f"{self._secret_file} is damaged: remove it (all API keys must then be made anew)")
        return text

    def empty_metrics(self) -> None:
        """Processes of an earlier start left their counts; a counter begins at nought with its stack."""
        shutil.rmtree(self.metrics, ignore_errors=True)
        self.metrics.mkdir()

    def read_connection(self) -> dict[str, Any]:
        """What `connection.json` says; empty if there is none or it cannot be read."""
        try:
            content = json.loads(self.connection_file.read_text())
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def write_connection(self, content: dict[str, Any]) -> None:
        """Replaces `connection.json` whole; a reader sees the old one or the new one."""
        with tempfile.NamedTemporaryFile("w", dir=self.root, prefix=".connection-", delete=False) as file:
            os.fchmod(file.fileno(), _PRIVATE)
            json.dump(content, file, indent=2)
            file.write("\n")
        Path(file.name).replace(self.connection_file)


def _pid_in(descriptor: int) -> int | None:
    text = os.pread(descriptor, 20, 0).decode().strip()
    return int(text) if text.isdigit() else None
