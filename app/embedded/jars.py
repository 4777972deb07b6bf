"""The jars of the embedded OpenSearch: a committed lock, a cache shared between clones, the check of every sum."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from app.embedded.errors import StackError

LOCK_NAME = "jars.lock"
_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class LockedJar:
    """One line of the lock: Maven coordinate `group:artifact:version[:classifier]`, SHA-256 in hex, size."""

    coordinate: str
    sha256: str
    size_bytes: int

    @property
    def file_name(self) -> str:
        _, artifact, version, *classifier = self.coordinate.split(":")
        return "-".join([artifact, version, *classifier]) + ".jar"

    def line(self) -> str:
        return f"{self.coordinate} {self.sha256} {self.size_bytes}"


def parse_lock(text: str) -> tuple[LockedJar, ...]:
    """The jars of a lock in its order; lines that start with # are remarks. Raises StackError on a bad line."""
    jars = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = line.split()
        if len(parts) != 3 or len(parts[1]) != 64 or not parts[2].isdigit() or parts[0].count(":") not in (2, 3):
            raise StackError(f"jar lock, line {number}: expected 'coordinate sha256 size', found {line!r}")
        jars.append(LockedJar(parts[0], parts[1], int(parts[2])))
    return tuple(jars)


def read_lock() -> tuple[LockedJar, ...]:
    """The lock that this version of the service was released with."""
    return parse_lock(resources.files("app.embedded").joinpath(LOCK_NAME).read_text(encoding="utf-8"))


def default_cache_dir() -> Path:
    """`$XDG_CACHE_HOME/foundryops/jars`, outside any clone, so that clones share one download."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return root / "foundryops" / "jars"


class JarCache:
    """Jars by their sum: `<folder>/<sha256>/<name>.jar`; a file is there whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, jar: LockedJar) -> Path:
        return self.folder / jar.sha256 / jar.file_name

    def has(self, jar: LockedJar) -> bool:
        """The cheap check of every start: there, and of the right size."""
        try:
            return self.path(jar).stat().st_size == jar.size_bytes
        except OSError:
            return False

    def is_intact(self, jar: LockedJar) -> bool:
        """The full check: reads the file and compares its sum."""
        return self.has(jar) and sha256_of(self.path(jar)) == jar.sha256

    def drop(self, jar: LockedJar) -> None:
        self.path(jar).unlink(missing_ok=True)

    def keep(self, jar: LockedJar, content: bytes) -> Path:
        """Stores a download by temporary file and rename. Raises StackError when the sum is not the lock's."""
        found = hashlib.sha256(content).hexdigest()
        if found != jar.sha256:
            raise StackError(
                f"{jar.coordinate}: the download's sha256 is {found}, the lock says {jar.sha256}; nothing was kept"
            )
        target = self.path(jar)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".part-", delete=False) as part:
            part.write(content)
        Path(part.name).replace(target)
        return target


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_READ_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
