"""Alembic's entry: migrates the database whose URL `Database.migrate` passes, over its synchronous driver."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from app.db import audit_models, billing_models, learned_models, upload_models, webhook_models  # noqa: F401 - their tables belong to the metadata
from app.db.models import Base

url = make_url(context.config.attributes["url"])
if url.get_backend_name() == "sqlite":
    url = url.set(drivername="sqlite")
engine = create_engine(url)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
