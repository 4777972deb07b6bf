"""Alembic's entry: migrates the database whose URL `Database.migrate` passes, over its synchronous driver."""

from __future__ import annotations

import importlib
import pkgutil

from alembic import context
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

import app.db
from app.db.models import Base

for module in pkgutil.iter_modules(app.db.__path__, "app.db."):
    if module.name.endswith("_models"):
        importlib.import_module(module.name)  # its tables belong to the metadata

url = make_url(context.config.attributes["url"])
if url.get_backend_name() == "sqlite":
    url = url.set(drivername="sqlite")
engine = create_engine(url)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
