"""docker-compose.yml fits the settings class, has no default password and watches every service's health."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.config import Settings

ROOT = Path(__file__).parent.parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES = sorted(COMPOSE["services"])
SECRET = re.compile(r"PASSWORD|SECRET|_KEY$")


def environment(service: str) -> dict[str, str]:
    return dict(COMPOSE["services"][service].get("environment", {}))


def test_all_parts_are_there() -> None:
    assert {"opensearch", "dashboards", "valkey", "postgres", "api", "worker"} <= set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_every_variable_of_ours_is_a_setting(service: str) -> None:
    known = {f"FOUNDRYOPS_{name.upper()}" for name in Settings.model_fields}
    ours = {name for name in environment(service) if name.startswith("FOUNDRYOPS_")}
    assert ours <= known


@pytest.mark.parametrize("service", SERVICES)
def test_no_secret_has_a_default(service: str) -> None:
    for name, value in environment(service).items():
        if SECRET.search(name):
            assert re.fullmatch(r"\$\{[A-Z_]+:\?.+\}", value), name


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_a_health_check(service: str) -> None:
    assert COMPOSE["services"][service]["healthcheck"]["test"]


@pytest.mark.parametrize("service", SERVICES)
def test_every_image_is_pinned_or_built_here(service: str) -> None:
    found = COMPOSE["services"][service]
    if "build" in found:
        assert (ROOT / found["build"]["dockerfile"]).is_file()
    else:
        assert re.search(r":\d", found["image"])


def test_the_image_of_opensearch_has_the_phonetic_plugin_of_the_embedded_version() -> None:
    image = (ROOT / "docker" / "opensearch.Dockerfile").read_text("utf-8")
    lock = (ROOT / "app" / "embedded" / "jars.lock").read_text("utf-8")
    version = re.search(r"plugin:analysis-phonetic:(?:jar:)?([\d.]*\d)", lock)
    assert version is not None
    assert f"opensearch:{version[1]}" in image
    assert "analysis-phonetic" in image


def test_published_ports_are_on_loopback() -> None:
    for service in SERVICES:
        for port in COMPOSE["services"][service].get("ports", []):
            assert port.startswith("127.0.0.1:"), service
