"""Tables of credits: an account an organisation, what is held of it, and the entries whose sum is its balance."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models import Base, now

SHADOW, ENFORCED = "shadow", "enforced"
_ID = String(40)


class CreditAccount(Base):
    """Locked by whoever moves credits; `balance` is the sum of the entries that are not simulated."""

    __tablename__ = "credit_accounts"
    __table_args__ = (
        CheckConstraint("held >= 0", name="ck_credit_accounts_held"),
        CheckConstraint("balance >= held", name="ck_credit_accounts_covered"),
    )

    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"), primary_key=True)
    mode: Mapped[str] = mapped_column(String(16), default=SHADOW)
    balance: Mapped[int] = mapped_column(BigInteger, default=0)
    held: Mapped[int] = mapped_column(BigInteger, default=0)
    simulated: Mapped[int] = mapped_column(BigInteger, default=0)
    """Credits used in shadow mode since it began."""

    @property
    def available(self) -> int:
        return self.balance - self.held


class CreditHold(Base):
    """Credits set aside: for a job until it ends, or for a process until `expires_at`."""

    __tablename__ = "credit_holds"
    __table_args__ = (
        CheckConstraint("credits >= 0", name="ck_credit_holds_credits"),
        Index("ix_credit_holds_organisation", "organisation_id", "expires_at"),
    )

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    """The job's or the lease's."""
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    credits: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class CreditEntry(Base):
    """One movement, never changed: a grant adds, a capture takes away, a simulated one only counts."""

    __tablename__ = "credit_entries"
    __table_args__ = (Index("ix_credit_entries_day", "organisation_id", "day"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    at: Mapped[datetime] = mapped_column(default=now)
    day: Mapped[date]
    operation: Mapped[str] = mapped_column(String(40))
    """`grant`, or what was used."""
    credits: Mapped[int] = mapped_column(BigInteger)
    units: Mapped[int] = mapped_column(BigInteger)
    simulated: Mapped[bool]
    reference: Mapped[str] = mapped_column(String(200))
    """The job or lease that was captured from, or a grant's reason."""
