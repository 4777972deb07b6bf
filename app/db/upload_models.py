"""Uploaded files: who may send one, how large, and how long it is kept."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models import Base, now


class Upload(Base):
    __tablename__ = "uploads"
    __table_args__ = (Index("ix_uploads_organisation", "organisation_id", "id"), Index("ix_uploads_end", "expires_at"))

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    """What the contract calls `storage_key`, and `source_key` where it is used."""
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    purpose: Mapped[str] = mapped_column(String(16))
    """dataset or match."""
    state: Mapped[str] = mapped_column(String(16))
    """pending (nothing has come yet, as far as known), stored, or expired (its file is gone)."""
    max_bytes: Mapped[int] = mapped_column(BigInteger)
    size_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    """End of the signed URL while pending; after that the end of the file, moved on by each job that reads it."""
