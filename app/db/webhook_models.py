"""Webhooks in SQL: the outbox of deliveries, and how far each organisation's signing secret was rotated."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models import Base, now

_ID = String(40)


class WebhookDelivery(Base):
    """One message to one URL; written in the transaction that ends the job, so that none is lost or invented."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        Index("ix_webhook_deliveries_organisation", "organisation_id", "id"),
        Index("ix_webhook_deliveries_job", "job_id"),
        Index("ix_webhook_deliveries_due", "state", "next_attempt_at"),
    )

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    job_id: Mapped[str] = mapped_column(_ID)
    message_id: Mapped[str] = mapped_column(_ID)
    """The receiver's key against doubles: a replay carries the id of the first delivery."""
    event: Mapped[str] = mapped_column(String(40))
    url: Mapped[str] = mapped_column(String(2048))
    body: Mapped[str] = mapped_column(Text)
    """What is signed and sent, byte for byte the same at every try."""
    correlation_id: Mapped[str | None] = mapped_column(String(128))
    state: Mapped[str] = mapped_column(String(16), default="pending")
    """pending, delivered or failed."""
    attempts: Mapped[dict[str, Any]] = mapped_column(default=lambda: {"made": []})
    next_attempt_at: Mapped[datetime | None] = mapped_column(default=now)
    """While a worker sends it, the time after which another may."""
    created_at: Mapped[datetime] = mapped_column(default=now)
    ended_at: Mapped[datetime | None]


class WebhookSecretState(Base):
    """The secrets themselves are derived and stand nowhere; no row means version 1, never rotated."""

    __tablename__ = "webhook_secrets"

    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"), primary_key=True)
    version: Mapped[int]
    rotated_at: Mapped[datetime]
    previous_until: Mapped[datetime]
    """Until then, messages carry a signature with the version before as well."""
