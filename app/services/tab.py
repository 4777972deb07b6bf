"""What one organisation has taken, runs and has used in this process between two writes; arithmetic only.

While a lease lasts, its hold in SQL = left + running + used: work moves credits from left to running to used, or back.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from app.db.ledger import Use
from app.errors import InsufficientCredits
from app.tariff import Operation


class Usage:
    """Units and credits by operation."""

    def __init__(self) -> None:
        self._sums: dict[Operation, tuple[int, int]] = {}

    def add(self, operation: Operation, units: int, credits: int) -> None:
        known_units, known_credits = self._sums.get(operation, (0, 0))
        self._sums[operation] = known_units + units, known_credits + credits

    def take(self) -> list[Use]:
        """All of it, and none of it is left here."""
        taken = [Use(operation, *sums) for operation, sums in self._sums.items()]
        self._sums = {}
        return taken

    def put_back(self, uses: list[Use]) -> None:
        """After a write that failed."""
        for use in uses:
            self.add(Operation(use.operation), use.units, use.credits)

    @property
    def credits(self) -> int:
        return sum(credits for _, credits in self._sums.values())

    def __bool__(self) -> bool:
        return bool(self._sums)


@dataclass(frozen=True, slots=True)
class Write:
    """What a tab has handed over to a transaction; `parked` credits were left on a lease that ends with it."""

    used: list[Use]
    simulated: list[Use]
    ends: bool
    parked: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """The last time that the balance did not cover a price; true for a moment, of that price and any higher one."""

    price: int
    until: float
    error: InsufficientCredits

    def holds(self, price: int, at: float) -> bool:
        return price >= self.price and at < self.until


@dataclass(slots=True)
class Tab:
    """`until` is monotonic seconds: after it the lease may have expired and is not spent from."""

    lease_id: str | None = None
    size: int = 0
    left: int = 0
    running: int = 0
    until: float = 0.0
    charges: int = 0
    """Charges that are open, in either mode; a tab with one is not dropped."""
    is_active: bool = False
    used: Usage = field(default_factory=Usage)
    simulated: Usage = field(default_factory=Usage)
    simulated_writing: int = 0
    """Simulated credits that a transaction under way is writing: used, but not yet in the balance."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    refusal: Refusal | None = None
    top_up: asyncio.Task[None] | None = None

    def can_spend(self, price: int, at: float) -> bool:
        return self.lease_id is not None and price <= self.left and at < self.until

    def spend(self, price: int, at: float) -> bool:
        """Moves the price from left to running; False when it is not there."""
        if not self.can_spend(price, at):
            return False
        self.left -= price
        self.running += price
        self.is_active = True
        return True

    def keep(self, lease_id: str | None, operation: Operation, units: int, price: int) -> None:
        """The work was done. What a lost lease held is captured from the balance instead."""
        if lease_id == self.lease_id:
            self.running -= price
        self.used.add(operation, units, price)

    def give_back(self, lease_id: str | None, price: int) -> None:
        """The work was not done. What a lost lease held has gone back already."""
        if lease_id == self.lease_id:
            self.running -= price
            self.left += price

    def end(self) -> None:
        """No lease any more: given back or lost."""
        self.lease_id = None
        self.left = self.running = self.size = 0

    def begin_write(self, *, may_end: bool) -> Write:
        """Takes out what is to be written; an idle lease that may end is closed to requests meanwhile."""
        ends = may_end and self.lease_id is not None and not (self.is_active or self.running)
        written = Write(self.used.take(), self.simulated.take(), ends, self.left if ends else 0)
        self.left -= written.parked
        self.simulated_writing = sum(use.credits for use in written.simulated)
        self.is_active = self.is_active and not may_end
        return written

    def abort_write(self, written: Write) -> None:
        """Nothing was written; the lease may have been lost meanwhile."""
        self.used.put_back(written.used)
        self.simulated.put_back(written.simulated)
        self.simulated_writing = 0
        if self.lease_id is not None:
            self.left += written.parked

    def end_write(self, written: Write, lease: tuple[str, int] | None, until: float) -> None:
        """All was written, and the lease is given back or holds that many credits more."""
        self.simulated_writing = 0
        if written.ends:
            self.end()
        self.until = until
        if lease is not None:
            self.lease_id = lease[0]
            self.left += lease[1]
            self.size = self.left

    def is_low(self, price: int) -> bool:
        """Most of a lease of more than one request is spent."""
        return price < self.size and self.left * 4 < self.size

    @property
    def is_due(self) -> bool:
        """There is something to write."""
        return self.lease_id is not None or bool(self.used) or bool(self.simulated)
