"""Migrations are one chain, so that every database gets to the same schema on the same way."""

from __future__ import annotations

from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

MIGRATIONS = Path(__file__).parent.parent.parent / "app" / "db" / "migrations"


def test_migrations_are_numbered_in_one_chain() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert revisions == [f"{number:04}" for number in range(len(revisions), 0, -1)]
    files = {path.name[:4] for path in (MIGRATIONS / "versions").glob("0*.py")}
    assert files == set(revisions), "a file's name begins with its revision"
