"""Meters requests without a write per request: a process leases credits, spends them locally and captures in the background.

Enforced: a tab is backed by a hold in SQL. A crash leaves the hold to expire, which gives back what was not captured.
Shadow: what was used is counted and written in the same rhythm; a crash loses the last seconds of it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.db.billing_models import CreditHold
from app.db.ledger import Account
from app.db.models import now
from app.db.session import Database
from app.errors import InsufficientCredits
from app.ids import Prefix, new_id
from app.observability.metrics import CREDIT_REFUSALS, CREDITS_UNCOVERED, CREDITS_USED
from app.services.standings import Standings
from app.services.tab import Refusal, Tab
from app.tariff import Operation, Tariff

log = structlog.get_logger(__name__)

_FLUSH_S = 5.0
_REFUSAL_KEPT_S = 0.25
"""A client that goes on asking without credits costs one look at the balance in this time."""
_NO_LEASE = "requests"
"""The reference of entries that no lease stands behind."""
_LEASE = timedelta(seconds=60)
_SPEND_S = 30.0
"""Without a write that succeeded a process stops spending long before its lease can expire, whatever the clocks say."""
_LEASE_SHARE = 20
_LEASE_MAX_CREDITS = 1_000
"""A lease is a twentieth of what is available, up to this: near the end of a balance it is the price of one request."""


@dataclass(slots=True)
class Charge:
    """`async with` it around the work: taken first, raising InsufficientCredits, and given back when the work raises."""

    meter: Meter
    organisation_id: str
    operation: Operation
    units: int
    price: int = 0
    tab: Tab | None = field(default=None, repr=False)
    lease_id: str | None = None
    enforced: bool = False

    async def __aenter__(self) -> None:
        if self.meter.enabled:
            await self.meter.open(self)

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None
    ) -> None:
        if self.tab is not None:
            self._close(self.tab, done=kind is None)

    def _close(self, tab: Tab, *, done: bool) -> None:
        tab.charges -= 1
        if done:
            CREDITS_USED.labels(self.operation.value, "enforced" if self.enforced else "shadow").inc(self.price)
        if done and self.enforced:
            tab.keep(self.lease_id, self.operation, self.units, self.price)
        elif done:
            tab.simulated.add(self.operation, self.units, self.price)
        elif self.enforced:
            tab.give_back(self.lease_id, self.price)


class Meter:
    """One per process."""

    def __init__(self, db: Database, standings: Standings, tariff: Tariff, enabled: bool = True) -> None:
        self.enabled = enabled
        self._db = db
        self._standings = standings
        self._tariff = tariff
        self._tabs: dict[str, Tab] = {}
        self._tending: asyncio.Task[None] | None = None

    def charge(self, organisation_id: str, operation: Operation, units: int = 1) -> Charge:
        return Charge(self, organisation_id, operation, units, self._tariff.price(operation, units))

    async def open(self, charge: Charge) -> None:
        """Takes the price of a charge, in enforced mode; raises InsufficientCredits."""
        standing = await self._standings.of(charge.organisation_id)
        tab = self._tabs.setdefault(charge.organisation_id, Tab())
        tab.charges += 1
        if self._tending is None or self._tending.done():
            self._tending = asyncio.create_task(self._tend())
        if standing.enforced:
            try:
                await self._take(charge.organisation_id, tab, charge.price)
            except BaseException:
                tab.charges -= 1
                raise
            charge.enforced, charge.lease_id = True, tab.lease_id
        charge.tab = tab

    def credits_left(self, organisation_id: str) -> tuple[bool, int] | None:
        """Whether credits are enforced, and how many this process knows to be left; None before the first request."""
        standing = self._standings.last(organisation_id)
        if standing is None or not self.enabled:
            return None
        tab = self._tabs.get(organisation_id)
        if tab is None:
            return standing.enforced, standing.credits_left
        own = tab.left if standing.enforced else -(tab.simulated.credits + tab.simulated_writing)
        return standing.enforced, standing.credits_left + own

    async def flush(self, organisation_id: str) -> None:
        """Writes what this process has used."""
        tab = self._tabs.get(organisation_id)
        if tab is not None and tab.is_due:
            await asyncio.shield(self._write(organisation_id, tab))

    async def close(self) -> None:
        """Writes what was used and gives the leases back."""
        if self._tending is not None:
            self._tending.cancel()
            await asyncio.gather(self._tending, return_exceptions=True)
        for organisation_id, tab in list(self._tabs.items()):
            if tab.top_up is not None:
                await asyncio.gather(tab.top_up, return_exceptions=True)
            tab.is_active = False
            await self._try_flush(organisation_id)

    async def _take(self, organisation_id: str, tab: Tab, price: int) -> None:
        while not tab.spend(price, time.monotonic()):
            # A request that is cancelled must not leave open whether the write has happened.
            await asyncio.shield(self._lease(organisation_id, tab, price))
        if tab.is_low(price) and (tab.top_up is None or tab.top_up.done()):
            tab.top_up = asyncio.create_task(self._top_up(organisation_id, tab))

    async def _lease(self, organisation_id: str, tab: Tab, price: int) -> None:
        async with tab.lock:
            at = time.monotonic()
            if tab.can_spend(price, at):
                return
            if tab.refusal is not None and tab.refusal.holds(price, at):
                CREDIT_REFUSALS.inc()
                raise InsufficientCredits(tab.refusal.error.message, **tab.refusal.error.details)
            try:
                await self._sync(organisation_id, tab, max(0, price - tab.left))
            except InsufficientCredits as exc:
                CREDIT_REFUSALS.inc()
                tab.refusal = Refusal(price, at + _REFUSAL_KEPT_S, exc)
                raise

    async def _top_up(self, organisation_id: str, tab: Tab) -> None:
        """Before the lease is empty, so that no request waits for it; that there is little left is no error here."""
        try:
            async with tab.lock:
                await self._sync(organisation_id, tab, 1)
        except (InsufficientCredits, SQLAlchemyError):
            return

    async def _tend(self) -> None:
        while self._tabs:
            await asyncio.sleep(_FLUSH_S)
            for organisation_id, tab in list(self._tabs.items()):
                if tab.is_due:
                    await self._try_flush(organisation_id)
                elif not tab.charges:
                    self._tabs.pop(organisation_id, None)

    async def _try_flush(self, organisation_id: str) -> None:
        try:
            await self.flush(organisation_id)
        except SQLAlchemyError as exc:
            log.warning("credits_not_written", error_type=type(exc).__name__)

    async def _write(self, organisation_id: str, tab: Tab) -> None:
        async with tab.lock:
            await self._sync(organisation_id, tab)

    async def _sync(self, organisation_id: str, tab: Tab, needed: int | None = None) -> None:
        """One transaction: captures what was used, then leases at least `needed`, or gives an idle lease back.

        Raises InsufficientCredits. Hold the tab's lock; requests spend meanwhile, which moves credits within the tab only.
        """
        written = tab.begin_write(may_end=needed is None)
        try:
            async with self._db.begin(apart=True) as session:
                account = await Account.lock(session, organisation_id)
                hold = await self._hold(account, tab)
                uncovered = 0
                for use in written.used:
                    uncovered += await account.collect(hold, tab.lease_id or _NO_LEASE, use)
                for use in written.simulated:
                    account.simulate(use, _NO_LEASE)
                if written.ends and hold is not None:
                    await account.release(hold)
                lease = None if needed is None else await self._leased(account, hold, needed)
        except BaseException:
            tab.abort_write(written)
            raise
        CREDITS_UNCOVERED.inc(uncovered)
        tab.end_write(written, lease, time.monotonic() + _SPEND_S)
        self._standings.note(organisation_id, account.row)

    async def _hold(self, account: Account, tab: Tab) -> CreditHold | None:
        """The tab's hold with a new lease of life; None, and no lease any more, when it has expired and was released."""
        hold = None if tab.lease_id is None else await account.find(tab.lease_id)
        if hold is None:
            tab.end()
        else:
            hold.expires_at = now() + _LEASE
        return hold

    async def _leased(self, account: Account, hold: CreditHold | None, needed: int) -> tuple[str, int]:
        """The lease's id, and the credits that it now holds beyond those it held."""
        credits = max(needed, min(account.row.available // _LEASE_SHARE, _LEASE_MAX_CREDITS))
        if hold is None:
            hold = await account.hold(new_id(Prefix.LEASE), credits, now() + _LEASE)
        else:
            await account.extend(hold, credits)
        return hold.id, credits
