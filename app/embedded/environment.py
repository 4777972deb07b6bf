"""The variables that tell every part of the embedded stack where the others are; what the user has set stays."""

from __future__ import annotations

import os
from collections.abc import Mapping

from app.config import Settings
from app.embedded.folder import StackFolder


def part_environment(settings: Settings, folder: StackFolder, opensearch_url: str, redis_url: str) -> Mapping[str, str]:
    """The caller's environment, the engines' addresses, and absolute places under the stack's folder."""
    places = {
        "database_url": f"sqlite+aiosqlite:///{folder.root}/foundryops.db",
        "store_dir": str(folder.root / "files"),
        "cache_dir": str(folder.root / "cache"),
        "key_hash_secret": folder.secret(),
    }
    chosen = {name: value for name, value in places.items() if name not in settings.model_fields_set}
    chosen |= {"var_dir": str(folder.root), "opensearch_url": opensearch_url, "redis_url": redis_url}
    shared = {"PROMETHEUS_MULTIPROC_DIR": str(folder.metrics)}  # so that the API's /metrics speaks for the workers too
    return {**shared, **os.environ, **{f"FOUNDRYOPS_{name.upper()}": value for name, value in chosen.items()}}
