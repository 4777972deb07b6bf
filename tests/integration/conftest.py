"""A deployment of its own for tests that break things."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from app.bootstrap import build
from app.config import Settings
from tests.deployment import Deployment


@pytest.fixture(scope="module")
async def deployment(
    make_settings: Callable[[Path], Settings], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Deployment]:
    """Small chunks, so that a small file has many."""
    settings = make_settings(tmp_path_factory.mktemp("faults")).model_copy(update={"file_chunk_rows": 20})
    services = await build(settings)
    yield Deployment(services, await services.keys.create_organisation("Faults"))
    await services.close()
