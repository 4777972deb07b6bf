"""Alembic's entry: migrates the database whose URL `Database.migrate` passes, over its synchronous driver.

All revisions are one transaction, and one process has it at a time: the next one finds the schema made.
"""

from __future__ import annotations

import importlib
import pkgutil

from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

import app.db
from app.db.models import Base
from app.db.session import whole_from_the_start

for module in pkgutil.iter_modules(app.db.__path__, "app.db."):
    if module.name.endswith("_models"):
        importlib.import_module(module.name)  # its tables belong to the metadata

_ONE_AT_A_TIME = 0x666F756E647279
"""PostgreSQL's advisory lock of those who migrate, held until they commit; the letters of "foundry"."""
_SQLITE_WAIT_S = 60

url = make_url(context.config.attributes["url"])
is_sqlite = url.get_backend_name() == "sqlite"
if is_sqlite:
    engine = create_engine(url.set(drivername="sqlite"), connect_args={"timeout": _SQLITE_WAIT_S})
    whole_from_the_start(engine)
else:
    engine = create_engine(url)
with engine.connect() as connection:
    context.configure(
        connection=connection, target_metadata=Base.metadata, render_as_batch=True, transactional_ddl=True
    )
    with context.begin_transaction():
        if not is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_AT_A_TIME})
        context.run_migrations()
engine.dispose()
