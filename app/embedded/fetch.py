"""Fills the jar cache from the lock: in parallel, without reading a POM, through jgo's own idea of where jars live."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from jgo.maven import MavenContext
from jgo.util import http
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from app.embedded.errors import StackError
from app.embedded.jars import JarCache, LockedJar, read_lock

PARALLEL_DOWNLOADS = 8
ATTEMPTS = 3
_TIMEOUT_S = 30
_CHUNK_BYTES = 1 << 16


def ensure_jars(cache: JarCache, console: Console, repository_url: str | None = None) -> list[Path]:
    """Class path of the locked jars; downloads what the cache lacks and shows a bar. Raises StackError."""
    jars = read_lock()
    missing = [jar for jar in jars if not cache.has(jar)]
    if missing:
        with _bar(console) as progress:
            total = sum(jar.size_bytes for jar in missing)
            task = progress.add_task(f"opensearch: {len(missing)} jars", total=total)
            fetch(missing, cache, lambda count: progress.advance(task, count), repository_url)
    return [cache.path(jar) for jar in jars]


def verify_jars(cache: JarCache) -> list[LockedJar]:
    """Reads every cached jar in full; drops and returns those that are damaged (absent ones are not damaged)."""
    damaged = [jar for jar in read_lock() if cache.path(jar).exists() and not cache.is_intact(jar)]
    for jar in damaged:
        cache.drop(jar)
    return damaged


def fetch(
    jars: Sequence[LockedJar], cache: JarCache, advance: Callable[[int], object], repository_url: str | None = None
) -> None:
    """Downloads and verifies jars; the first failure cancels the rest. Raises StackError."""
    with ThreadPoolExecutor(PARALLEL_DOWNLOADS, thread_name_prefix="jars") as pool:
        tasks = [pool.submit(_fetch_one, jar, cache, advance, repository_url) for jar in jars]
        try:
            for task in as_completed(tasks):
                task.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch_one(jar: LockedJar, cache: JarCache, advance: Callable[[int], object], repository_url: str | None) -> None:
    failure = ""
    for _ in range(ATTEMPTS):
        for url in jar_urls(jar, repository_url):
            try:
                cache.keep(jar, _download(url, advance))
                return
            except OSError as exc:  # requests' own errors are OSErrors
                failure = _plain(exc)
    raise StackError(
        f"cannot download {jar.coordinate}: {failure}. The first start needs the network to fetch OpenSearch's "
        f"jars ({cache.folder} keeps them for all later starts and other clones)"
    )


def _download(url: str, advance: Callable[[int], object]) -> bytes:
    """The whole body, counted as it comes; raises OSError, also for an answer other than 200."""
    with http.get(url, stream=True, timeout=_TIMEOUT_S) as response:
        if response.status_code != 200:
            raise OSError(f"the repository answered {response.status_code}")
        content = bytearray()
        for chunk in response.iter_content(_CHUNK_BYTES):
            content += chunk
            advance(len(chunk))
        return bytes(content)


def jar_urls(jar: LockedJar, repository_url: str | None = None) -> list[str]:
    """Where to ask for a jar: the given Maven repository, else the ones that jgo is set up with."""
    context = MavenContext()
    group, artifact, version, *classifier = jar.coordinate.split(":")
    component = context.project(group, artifact).at_version(version)
    path = f"{component.path_prefix.as_posix()}/{component.artifact(*classifier).filename}"
    bases = [repository_url] if repository_url else list(context.remote_repos.values())
    return [f"{base.rstrip('/')}/{path}" for base in bases]


def _plain(exc: OSError) -> str:
    text = str(exc).lower()
    if "resolve" in text or "name or service" in text or "unreachable" in text or "refused" in text:
        return "no connection to the repository"
    return str(exc)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=console
    )
