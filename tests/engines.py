"""Gives the tests their OpenSearch and Valkey: URLs that are given, else containers, else the embedded stack."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.embedded.errors import StackError
from app.embedded.stack import EngineStack

_HEAP_MB = 1024
_STARTS = 3
_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Engines:
    opensearch_url: str
    redis_url: str
    source: str


@contextmanager
def engines(folder: Path) -> Iterator[Engines]:
    """In this order: FOUNDRYOPS_TEST_OPENSEARCH_URL and _REDIS_URL, a Docker engine that answers, our own stack."""
    search, queue = os.environ.get("FOUNDRYOPS_TEST_OPENSEARCH_URL"), os.environ.get("FOUNDRYOPS_TEST_REDIS_URL")
    if search and queue:
        yield Engines(search, queue, "given")
    elif docker_answers():
        with _containers() as found:
            yield found
    else:
        stack = _started(folder)
        try:
            yield Engines(stack.opensearch_url, stack.redis_url, "embedded")
        finally:
            stack.close()


def _started(folder: Path) -> EngineStack:
    """Another process may take the chosen port in the moment between the choice and the start."""
    for attempt in range(_STARTS):
        stack = EngineStack(folder / str(attempt), _HEAP_MB)
        try:
            stack.wait()
            return stack
        except StackError:
            stack.close()
            if attempt == _STARTS - 1:
                raise
    raise AssertionError("unreachable")


def docker_answers() -> bool:
    if not Path("/var/run/docker.sock").exists() and "DOCKER_HOST" not in os.environ:
        return False
    import docker

    try:
        docker.from_env(timeout=5).ping()
    except docker.errors.DockerException:
        return False
    return True


@contextmanager
def _containers() -> Iterator[Engines]:
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.image import DockerImage
    from testcontainers.core.wait_strategies import HttpWaitStrategy, PortWaitStrategy

    with DockerImage(
        path=_ROOT, dockerfile_path="docker/opensearch.Dockerfile", tag="foundryops-opensearch:test"
    ) as image:
        search = (
            DockerContainer(str(image))
            .with_env("discovery.type", "single-node")
            .with_env("DISABLE_SECURITY_PLUGIN", "true")
            .with_env("OPENSEARCH_JAVA_OPTS", f"-Xms{_HEAP_MB}m -Xmx{_HEAP_MB}m")
            .with_exposed_ports(9200)
            .waiting_for(HttpWaitStrategy(9200, "/_cluster/health").with_startup_timeout(120))
        )
        queue = DockerContainer("valkey/valkey:9.1").with_exposed_ports(6379).waiting_for(PortWaitStrategy(6379))
        with search, queue:
            yield Engines(
                f"http://{search.get_container_host_ip()}:{search.get_exposed_port(9200)}",
                f"redis://{queue.get_container_host_ip()}:{queue.get_exposed_port(6379)}/0",
                "containers",
            )
