"""What an organisation may do: its tier and its credits, remembered for seconds so that a request need not ask SQL."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.billing_models import ENFORCED, CreditAccount
from app.db.models import Organisation
from app.db.session import Database
from app.errors import InvalidSchema, NotFound
from app.tariff import Tariff, Tier

log = structlog.get_logger(__name__)

_TTL_S = 5.0
"""Another tier or billing mode is in force in every process after this."""
_MAX_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class Standing:
    """A tier with its limits, the billing mode, and the credits left in that mode when they were last looked at."""

    tier_name: str
    tier: Tier
    enforced: bool
    credits_left: int


class Standings:
    """Reads standings and sets tiers."""

    def __init__(
        self, db: Database, tariff: Tariff, environment: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._db = db
        self._tariff = tariff
        self._default = tariff.default_tiers[environment]
        self._clock = clock
        self._known: dict[str, tuple[float, Standing]] = {}

    async def of(self, organisation_id: str) -> Standing:
        """Raises NotFound without such an organisation."""
        known = self._fresh(organisation_id)
        if known is not None:
            return known
        async with self._db.begin() as session:
            return await self.within(session, organisation_id)

    async def within(self, session: AsyncSession, organisation_id: str) -> Standing:
        """The same, inside a transaction that is open already."""
        known = self._fresh(organisation_id)
        if known is not None:
            return known
        organisation = await session.get(Organisation, organisation_id)
        if organisation is None:
            raise NotFound(f"There is no organisation {organisation_id}.")
        standing = self._standing(organisation.tier, await session.get(CreditAccount, organisation_id))
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        self._known[organisation_id] = (self._clock() + _TTL_S, standing)
        return standing

    def last(self, organisation_id: str) -> Standing | None:
        """As it was last read, however long ago."""
        known = self._known.get(organisation_id)
        return None if known is None else known[1]

    def note(self, organisation_id: str, account: CreditAccount) -> None:
        """Keeps the credits of an account that was just written; the tier stays as it is known."""
        known = self._known.get(organisation_id)
        if known is not None:
            enforced, left = _credits(account)
            self._known[organisation_id] = known[0], replace(known[1], enforced=enforced, credits_left=left)

    def forget(self, organisation_id: str) -> None:
        """Reads it again when next asked: it was changed here."""
        self._known.pop(organisation_id, None)

    async def set_tier(self, session: AsyncSession, organisation_id: str, name: str) -> None:
        """Moves an organisation to a tier; raises InvalidSchema naming the tiers, NotFound."""
        if name not in self._tariff.tiers:
            known = sorted(self._tariff.tiers)
            raise InvalidSchema(f"There is no tier {name!r}; there are {', '.join(known)}.", field="tier", known=known)
        organisation = await session.get(Organisation, organisation_id, with_for_update=True)
        if organisation is None:
            raise NotFound(f"There is no organisation {organisation_id}.")
        organisation.tier = name

    def _fresh(self, organisation_id: str) -> Standing | None:
        known = self._known.get(organisation_id)
        return known[1] if known is not None and known[0] > self._clock() else None

    def _standing(self, tier: str | None, account: CreditAccount | None) -> Standing:
        """A tier that has left the tariff gives way to the default."""
        name = tier or self._default
        if name not in self._tariff.tiers:
            log.error("tier_unknown", tier=name)
            name = self._default
        return Standing(name, self._tariff.tiers[name], *_credits(account))


def _credits(account: CreditAccount | None) -> tuple[bool, int]:
    """Whether they are enforced, and how many are left in that mode."""
    if account is None:
        return False, 0
    if account.mode == ENFORCED:
        return True, account.available
    return False, account.balance - account.simulated
