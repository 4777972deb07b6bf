"""A worker process beside a test, on the test's own deployment."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from app.config import Settings

ROOT = Path(__file__).parent.parent
_SHARED = ("var_dir", "database_url", "store_dir", "cache_dir", "opensearch_url", "redis_url", "index_prefix")


@asynccontextmanager
async def worker_process(
    settings: Settings, also: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs until the block ends; `also` is more of its environment."""
    shared = {f"FOUNDRYOPS_{name.upper()}": str(getattr(settings, name)) for name in _SHARED}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "workers",
        cwd=ROOT,
        env={**os.environ, **shared, **(also or {})},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
