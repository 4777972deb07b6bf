"""Idempotency keys: which request has one, and the sealed answer that it got."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models import Base


class IdempotencyRow(Base):
    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_claimed_at", "claimed_at"),)

    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"), primary_key=True)
    route: Mapped[str] = mapped_column(String(200), primary_key=True)
    """Method and path template."""
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    """SHA-256 of path, query and body."""
    token: Mapped[str] = mapped_column(String(32))
    """Of the process that answers; a slow one finds that another has taken over."""
    claimed_at: Mapped[datetime]
    leased_until: Mapped[datetime]
    status: Mapped[int | None]
    """None until it is answered."""
    answer: Mapped[bytes | None] = mapped_column(LargeBinary)
