"""Writes docs/openapi.json, the pinned OpenAPI document; read the diff before you commit it."""

from __future__ import annotations

import json
from pathlib import Path

from app.config import Settings
from app.main import create_app

TARGET = Path(__file__).parent.parent / "docs" / "openapi.json"

if __name__ == "__main__":
    document = create_app(Settings()).application.openapi()
    TARGET.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", "utf-8")
