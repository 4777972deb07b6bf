"""Downloads against a real HTTP server on loopback: what arrives is verified, what does not is explained."""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.embedded.errors import StackError
from app.embedded.fetch import fetch, jar_urls
from app.embedded.jars import JarCache, LockedJar
from app.embedded.machine import free_port

CONTENT = b"a jar" * 50_000
JAR = LockedJar("org.example:thing:1.0", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Its URL, and the file that it serves for JAR."""
    jar = tmp_path / "repository" / "org" / "example" / "thing" / "1.0" / "thing-1.0.jar"
    jar.parent.mkdir(parents=True)
    jar.write_bytes(CONTENT)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "repository"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", jar
        server.shutdown()
        thread.join()


def test_a_jar_is_fetched_verified_and_counted(repository: tuple[str, Path], tmp_path: Path) -> None:
    cache, counted = JarCache(tmp_path / "cache"), []
    fetch([JAR], cache, counted.append, repository[0])
    assert cache.is_intact(JAR)
    assert sum(counted) == len(CONTENT)


def test_a_jar_that_is_not_the_locked_one_is_refused(repository: tuple[str, Path], tmp_path: Path) -> None:
    repository[1].write_bytes(b"tampered")
    cache = JarCache(tmp_path / "cache")
    with pytest.raises(StackError, match="sha256"):
        fetch([JAR], cache, lambda _: None, repository[0])
    assert not cache.has(JAR)


def test_a_jar_that_the_repository_lacks_is_named(repository: tuple[str, Path], tmp_path: Path) -> None:
    repository[1].unlink()
    with pytest.raises(StackError, match=r"org\.example:thing:1\.0: the repository answered 404"):
        fetch([JAR], JarCache(tmp_path / "cache"), lambda _: None, repository[0])


def test_no_network_at_the_first_download_is_said_plainly(tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(StackError, match=r"no connection to the repository\. The first start needs the network"):
        fetch([JAR], JarCache(tmp_path / "cache"), lambda _: None, nobody)


def test_without_a_setting_jgo_says_where_jars_are() -> None:
    (url,) = jar_urls(JAR)
    assert url.startswith("https://")
    assert url.endswith("/org/example/thing/1.0/thing-1.0.jar")
