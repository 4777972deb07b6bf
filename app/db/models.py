"""The records of account: organisations, keys, datasets, snapshots, indices and jobs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, ForeignKey, Index, String, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.identity import Identity


def now() -> datetime:
    return datetime.now(UTC)


class UtcTime(TypeDecorator[datetime]):
    """Times in UTC, with a zone, on databases that keep none (SQLite) as on those that do."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: JSON, list[str]: JSON, datetime: UtcTime}  # noqa: RUF012


ID_TYPE = String(40)


class Organisation(Base):
    __tablename__ = "organisations"

    id: Mapped[str] = mapped_column(ID_TYPE, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    tier: Mapped[str | None] = mapped_column(String(40))
    """A tier of the tariff; None is the deployment's default."""
    created_at: Mapped[datetime] = mapped_column(default=now)


class ApiKey(Base):
    __tablename__ = "api_keys"
    __table_args__ = (Index("ix_api_keys_organisation", "organisation_id", "id"),)

    id: Mapped[str] = mapped_column(ID_TYPE, primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    name: Mapped[str] = mapped_column(String(200))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    prefix: Mapped[str] = mapped_column(String(16), default="", server_default="fo_")
    """The first characters of the key, by which a person tells keys apart."""
    scopes: Mapped[list[str]]
    role: Mapped[str | None] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    replaced_by: Mapped[str | None] = mapped_column(ID_TYPE)
    """Its successor, once it is rotated."""


class Dataset(Base):
    __tablename__ = "datasets"
    __table_args__ = (Index("ix_datasets_organisation", "organisation_id", "id"),)

    id: Mapped[str] = mapped_column(ID_TYPE, primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    name: Mapped[str] = mapped_column(String(200))
    fields: Mapped[dict[str, Any]]
    primary_key: Mapped[str | None] = mapped_column(String(200))
    roles: Mapped[dict[str, Any]]
    """Roles that the user set; they win over inferred ones."""
    head_snapshot_id: Mapped[str | None] = mapped_column(ID_TYPE)
    active_snapshot_id: Mapped[str | None] = mapped_column(ID_TYPE)
    next_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(default=now)
    deleted_at: Mapped[datetime | None]


class Snapshot(Base):
    __tablename__ = "snapshots"
    __table_args__ = (Index("ix_snapshots_dataset", "dataset_id", "id"),)

    id: Mapped[str] = mapped_column(ID_TYPE, primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"))
    parent_id: Mapped[str | None] = mapped_column(ID_TYPE)
    state: Mapped[str] = mapped_column(String(16))
    rows: Mapped[int] = mapped_column(BigInteger)
    """Records of the snapshot: replaced and deleted ones are not counted."""
    dq: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)


class IndexRow(Base):
    __tablename__ = "indices"
    __table_args__ = (Index("ix_indices_snapshot", "snapshot_id"), Index("ix_indices_dataset", "dataset_id"))

    id: Mapped[str] = mapped_column(ID_TYPE, primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"))
    snapshot_id: Mapped[str] = mapped_column(ForeignKey("snapshots.id"))
    name: Mapped[str] = mapped_column(String(255), unique=True)
    state: Mapped[str] = mapped_column(String(16))
    """building, ready (kept for rollback), active, retired or failed."""
    rows: Mapped[int] = mapped_column(BigInteger, default=0)
    template_digest: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[datetime] = mapped_column(default=now)


class JobRow(Base):
    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_organisation", "organisation_id", "id"), Index("ix_jobs_state", "state"))

    id: Mapped[str] = mapped_column(ID_TYPE, primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    kind: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16))
    payload: Mapped[dict[str, Any]]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    processed: Mapped[int] = mapped_column(BigInteger, default=0)
    total: Mapped[int] = mapped_column(BigInteger, default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    correlation_id: Mapped[str | None] = mapped_column(String(128))
    request_id: Mapped[str | None] = mapped_column(ID_TYPE)
    actor: Mapped[str | None] = mapped_column(ID_TYPE)
    """Who asked for the job, under which ids; its worker goes on in that name."""
    traceparent: Mapped[str | None] = mapped_column(String(55))
    """W3C trace context of the request that made the job."""
    snapshot_id: Mapped[str | None] = mapped_column(ID_TYPE)
    """The snapshot whose index may not go while the job is alive."""
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    expired_at: Mapped[datetime | None]
    """When its records, results and rejects were removed."""


def identity_of(row: JobRow) -> Identity | None:
    """The ids of the request that asked for the job; None for a job that no request made."""
    if row.request_id is None or row.correlation_id is None or row.actor is None:
        return None
    return Identity(row.request_id, row.correlation_id, row.actor)
