"""Fixtures that the suites share; engines are started once a session, and only when a test asks for them."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from app.bootstrap import Services, build
from app.config import Settings
from tests.engines import Engines, engines

hypothesis.settings.register_profile("no clock", deadline=None)  # a busy machine is no error
hypothesis.settings.load_profile("no clock")


@pytest.fixture(scope="session")
def running_engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    with engines(tmp_path_factory.mktemp("engines")) as found:
        yield found


@pytest.fixture(scope="session")
def make_settings(running_engines: Engines) -> Callable[[Path], Settings]:
    """Settings of a deployment of its own: its database, its files, its prefix of index names."""

    def make(folder: Path) -> Settings:
        return Settings(
            var_dir=folder,
            database_url=f"sqlite+aiosqlite:///{folder}/foundryops.db",
            store_dir=folder / "files",
            opensearch_url=running_engines.opensearch_url,
            redis_url=running_engines.redis_url,
            index_prefix=f"t{secrets.token_hex(4)}",
            opensearch_timeout_ms=10_000,
        )

    return make


@pytest.fixture(scope="module")
async def services(
    make_settings: Callable[[Path], Settings], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Services]:
    """A whole deployment without its HTTP edge."""
    built = await build(make_settings(tmp_path_factory.mktemp("deployment")))
    yield built
    await built.close()
