"""The records of account of file jobs: what a job was accepted for, and the steps that it is done in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models import Base, now

_ID = String(40)


class FileJobRow(Base):
    __tablename__ = "file_jobs"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    profile_digest: Mapped[str] = mapped_column(String(64))
    """Of the profile as it was when the job was accepted."""
    columns: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Of the file, in its order, with the type of each; known once it is planned."""
    served_at: Mapped[datetime] = mapped_column(default=now)
    """When a step was last taken: the job that waits longest is served next."""


class StepRow(Base):
    __tablename__ = "steps"
    __table_args__ = (Index("ix_steps_state", "job_id", "state", "number"),)

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """0 plans, 1 and on are the chunks in the file's order, the last one assembles."""
    kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    """waiting or done; taken while `leased_until` lies ahead."""
    holder: Mapped[str | None] = mapped_column(_ID)
    leased_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    """How often it was taken and not given back: each is a lost worker, but for the last."""
    unavailable_since: Mapped[datetime | None]
    """Since when it waits for a part that does not answer."""
    rows: Mapped[int] = mapped_column(BigInteger, default=0)
    results: Mapped[int] = mapped_column(BigInteger, default=0)
    matched: Mapped[int] = mapped_column(BigInteger, default=0)
    rejected: Mapped[int] = mapped_column(BigInteger, default=0)
