"""The audit trail: events that are only ever added, chained by hash, and the end of each organisation's chain."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models import ID_TYPE, Base


class AuditEvent(Base):
    """One mutation; triggers of the database refuse to change or remove it."""

    __tablename__ = "audit_events"
    __table_args__ = (
        UniqueConstraint("organisation_id", "seq"),
        Index("ix_audit_events_at", "organisation_id", "at"),
        Index("ix_audit_events_action", "organisation_id", "action", "seq"),
        Index("ix_audit_events_resource", "organisation_id", "resource", "seq"),
    )

    id: Mapped[str] = mapped_column(ID_TYPE, primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    seq: Mapped[int] = mapped_column(BigInteger)
    """Place in the organisation's chain, from 1 without gaps."""
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(ID_TYPE)
    action: Mapped[str] = mapped_column(String(64))
    resource: Mapped[str] = mapped_column(String(64))
    request_id: Mapped[str] = mapped_column(ID_TYPE)
    correlation_id: Mapped[str] = mapped_column(String(128))
    details: Mapped[dict[str, Any]]
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class AuditHead(Base):
    """The last link of an organisation's chain; whoever adds the next one holds this row."""

    __tablename__ = "audit_heads"

    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(String(64))
