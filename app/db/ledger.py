"""Moves of credits on a locked account: grant, hold, capture, release. Each adds its entry in the caller's transaction.

    grant ──▶ available ──hold──▶ held ──capture──▶ used
                  ◀────────release──┘

balance = available + held = sum of the entries that are not simulated; neither part is ever negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.billing_models import SHADOW, CreditAccount, CreditEntry, CreditHold
from app.db.models import Organisation, now
from app.db.upsert import insert_if_absent
from app.errors import InsufficientCredits, NotFound
from app.ids import Prefix, new_id

GRANT = "grant"


@dataclass(frozen=True, slots=True)
class Use:
    """So many units of an operation, and what they cost."""

    operation: str
    units: int
    credits: int


class Account:
    """An organisation's credits, locked until the transaction ends. Call no two of these in one transaction."""

    def __init__(self, session: AsyncSession, row: CreditAccount) -> None:
        self._session = session
        self.row = row

    @classmethod
    async def lock(cls, session: AsyncSession, organisation_id: str) -> Account:
        """The account, made when it is asked for the first time; raises NotFound without the organisation."""
        locked = select(CreditAccount).where(CreditAccount.organisation_id == organisation_id).with_for_update()
        locked = locked.execution_options(populate_existing=True)
        row = await session.scalar(locked)
        if row is None:
            if await session.get(Organisation, organisation_id) is None:
                raise NotFound(f"There is no organisation {organisation_id}.")
            empty = {"mode": SHADOW, "balance": 0, "held": 0, "simulated": 0}
            await insert_if_absent(session, CreditAccount, organisation_id=organisation_id, **empty)
            row = (await session.scalars(locked)).one()
        return cls(session, row)

    def grant(self, credits: int, reason: str) -> str:
        """Adds credits; gives the entry's id."""
        self.row.balance += credits
        return self._enter(GRANT, 0, credits, reason)

    async def hold(self, hold_id: str, credits: int, expires_at: datetime | None = None) -> CreditHold:
        """Sets credits aside; raises InsufficientCredits. What expired holds still hold is given back first, if need be."""
        await self._cover(credits)
        self.row.held += credits
        hold = CreditHold(
            id=hold_id,
            organisation_id=self.row.organisation_id,
            credits=credits,
            expires_at=expires_at,
            created_at=now(),
        )
        self._session.add(hold)
        await self._session.flush()
        return hold

    async def find(self, hold_id: str) -> CreditHold | None:
        """A hold that has not been released."""
        return await self._session.get(CreditHold, hold_id, populate_existing=True)

    async def extend(self, hold: CreditHold, credits: int) -> None:
        """Sets more aside; raises InsufficientCredits."""
        await self._cover(credits)
        self.row.held += credits
        hold.credits += credits

    async def collect(self, hold: CreditHold | None, reference: str, use: Use) -> int:
        """Captures what was used, from the hold and then from what is available; gives the credits that nothing covers."""
        held = min(use.credits, hold.credits) if hold is not None else 0
        if hold is not None:
            self._give_back(hold, held)
        if use.credits > self.row.available:
            await self._reap()
        captured = min(use.credits, self.row.available)
        self.row.balance -= captured
        self._enter(use.operation, use.units, -captured, reference)
        return use.credits - captured

    async def release(self, hold: CreditHold) -> None:
        """Makes what is left of a hold available again."""
        self._give_back(hold, hold.credits)
        await self._session.delete(hold)

    def simulate(self, use: Use, reference: str) -> None:
        """Counts what shadow mode would have taken."""
        self.row.simulated += use.credits
        self._enter(use.operation, use.units, -use.credits, reference, simulated=True)

    def _give_back(self, hold: CreditHold, credits: int) -> None:
        hold.credits -= credits
        self.row.held -= credits

    async def _cover(self, credits: int) -> None:
        if credits > self.row.available:
            await self._reap()
        if credits > self.row.available:
            raise InsufficientCredits(
                f"This costs {credits} credits and {self.row.available} are available.",
                required=credits,
                available=self.row.available,
            )

    async def _reap(self) -> None:
        """Releases the leases of processes that are gone."""
        expired = select(CreditHold).where(
            CreditHold.organisation_id == self.row.organisation_id, CreditHold.expires_at < now()
        )
        for hold in list(await self._session.scalars(expired)):
            await self.release(hold)

    def _enter(self, operation: str, units: int, credits: int, reference: str, *, simulated: bool = False) -> str:
        at = now()
        entry = CreditEntry(
            id=new_id(Prefix.CREDIT),
            organisation_id=self.row.organisation_id,
            at=at,
            day=at.date(),
            operation=operation,
            units=units,
            credits=credits,
            simulated=simulated,
            reference=reference,
        )
        self._session.add(entry)
        return entry.id
