"""Fixtures that the suites share; engines are started once a session, and only when a test asks for them."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from app.bootstrap import Services, build
from app.config import Settings
from app.db.session import Database
from tests.engines import Engines, engines
from tests.postgres import WHY_NOT, new_database, postgres

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
            cache_dir=folder / "cache",
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


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str | None]:
    """A PostgreSQL server, when there is one."""
    with postgres() as url:
        yield url


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def db(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    """A migrated database of the module's own, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('db')}/foundryops.db"
    else:
        server: str | None = request.getfixturevalue("postgres_url")
        if server is None:
            pytest.skip(WHY_NOT)
        url = new_database(server, f"t{secrets.token_hex(6)}")
    database = Database(url)
    await database.migrate()
    yield database
    await database.close()
