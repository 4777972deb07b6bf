"""What people taught about a dataset, in SQL: standing decisions, labelled pairs and the calibrations fitted on them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models import Base, now

_ID = String(40)


class LearnedRow(Base):
    """One a dataset: counts the changes of what matching must know, so that a process sees in one look whether it does."""

    __tablename__ = "learned"

    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    revision: Mapped[int] = mapped_column(default=0)


class StandingRow(Base):
    """One verdict about a record, kept as it was given, and a master record, known by its primary key."""

    __tablename__ = "standing_decisions"
    __table_args__ = (
        Index("ix_standing_decisions_dataset", "dataset_id", "id"),
        Index("ix_standing_decisions_organisation", "organisation_id", "id"),
    )

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"))
    record: Mapped[dict[str, Any]]
    field_map: Mapped[dict[str, Any]]
    record_id: Mapped[str] = mapped_column(Text)
    verdict: Mapped[str] = mapped_column(String(8))
    note: Mapped[str | None] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(_ID)
    """The id of the key that decided."""
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime | None]


class LabelRow(Base):
    """A pair of which a person said whether it is the same entity; `pair` is its digest, so that each pair has one label."""

    __tablename__ = "labels"
    __table_args__ = (
        Index("ix_labels_dataset", "dataset_id", "id"),
        UniqueConstraint("dataset_id", "pair", name="uq_labels_pair"),
    )

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"))
    pair: Mapped[str] = mapped_column(String(64))
    record: Mapped[dict[str, Any]]
    record_id: Mapped[str] = mapped_column(Text)
    match: Mapped[bool]
    actor: Mapped[str] = mapped_column(_ID)
    created_at: Mapped[datetime] = mapped_column(default=now)


class CalibrationRow(Base):
    """A refit of one profile to one dataset: what it changes, what it was worth, and whether it is in use."""

    __tablename__ = "calibrations"
    __table_args__ = (
        Index("ix_calibrations_dataset", "dataset_id", "id"),
        UniqueConstraint("dataset_id", "number", name="uq_calibrations_number"),
    )

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"))
    number: Mapped[int]
    profile: Mapped[str] = mapped_column(String(200))
    model: Mapped[str] = mapped_column(String(200))
    """The shipped model that it changes; with another it means nothing."""
    state: Mapped[str] = mapped_column(String(16))
    """installed, rejected (no better), replaced or reset."""
    adaptation: Mapped[dict[str, Any]] = mapped_column(JSON)
    report: Mapped[dict[str, Any]] = mapped_column(JSON)
    actor: Mapped[str | None] = mapped_column(_ID)
    created_at: Mapped[datetime] = mapped_column(default=now)
