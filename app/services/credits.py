"""Credits for people: grants, the balance, what was used, and whether running out of them refuses work."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, Literal

from sqlalchemy import func, select

from app.db.billing_models import SHADOW, CreditAccount, CreditEntry
from app.db.ledger import GRANT, Account
from app.db.session import Database
from app.errors import InvalidSchema
from app.services import audit
from app.services.meter import Meter
from app.services.standings import Standings

Mode = Literal["shadow", "enforced"]
GroupBy = Literal["day", "operation"]
_MAX_DAYS = 400


class CreditService:
    """Every answer counts what this process has used up to now; what others use follows within seconds."""

    def __init__(self, db: Database, meter: Meter, standings: Standings) -> None:
        self._db = db
        self._meter = meter
        self._standings = standings

    async def balance(self, organisation_id: str) -> dict[str, Any]:
        """Credits in all, held by running work, available; and what shadow mode leaves of them."""
        await self._meter.flush(organisation_id)
        async with self._db.begin() as session:
            standing = await self._standings.within(session, organisation_id)
            account = await session.get(CreditAccount, organisation_id)
            if account is not None:
                # Jobs of other processes are charged to the account; answers after this one go on from it.
                self._standings.note(organisation_id, account)
            return {"tier": standing.tier_name, **_shape(account)}

    async def usage(self, organisation_id: str, first: date, last: date, group_by: GroupBy) -> dict[str, Any]:
        """What was used from the first day (UTC) through the last; raises InvalidSchema for a span that is none."""
        if not 0 <= (last - first).days < _MAX_DAYS:
            raise InvalidSchema(f"'from' must not be after 'to', nor {_MAX_DAYS} days before it.", field="from")
        await self._meter.flush(organisation_id)
        key = CreditEntry.day if group_by == "day" else CreditEntry.operation
        sums = (func.sum(CreditEntry.units), -func.sum(CreditEntry.credits))
        query = (
            select(key, CreditEntry.simulated, *sums)
            .where(CreditEntry.organisation_id == organisation_id, CreditEntry.operation != GRANT)
            .where(CreditEntry.day.between(first, last))
            .group_by(key, CreditEntry.simulated)
        )
        async with self._db.begin() as session:
            rows = await session.execute(query)
            found = [(str(group), simulated, int(units), int(credits)) for group, simulated, units, credits in rows]
        return {
            "from": first.isoformat(),
            "to": last.isoformat(),
            "group_by": group_by,
            "data": _groups(group_by, found),
        }

    async def grant(self, organisation_id: str, credits: int, reason: str) -> dict[str, Any]:
        """Adds credits; gives the grant's id and the balance after it."""
        async with self._db.begin() as session:
            account = await Account.lock(session, organisation_id)
            grant_id = account.grant(credits, reason)
            await audit.record(
                session, organisation_id, "credits.grant", grant_id, {"credits": credits, "reason": reason}
            )
        self._standings.note(organisation_id, account.row)
        return {"grant_id": grant_id, "credits": credits, "reason": reason, **_shape(account.row)}

    async def set_mode(self, organisation_id: str, mode: Mode) -> dict[str, Any]:
        """Shadow only counts, from nothing when it begins; enforced refuses what the balance does not cover."""
        await self._meter.flush(organisation_id)
        async with self._db.begin() as session:
            account = await Account.lock(session, organisation_id)
            if account.row.mode != mode:
                account.row.mode = mode
                account.row.simulated = 0
                await audit.record(session, organisation_id, "billing.set_mode", organisation_id, {"mode": mode})
        self._standings.note(organisation_id, account.row)
        return _shape(account.row)

    async def set_tier(self, organisation_id: str, tier: str) -> None:
        """Raises InvalidSchema naming the tiers, NotFound."""
        async with self._db.begin() as session:
            await self._standings.set_tier(session, organisation_id, tier)
            await audit.record(session, organisation_id, "organisation.set_tier", organisation_id, {"tier": tier})
        self._standings.forget(organisation_id)


def _shape(account: CreditAccount | None) -> dict[str, Any]:
    if account is None:
        account = CreditAccount(mode=SHADOW, balance=0, held=0, simulated=0)
    return {
        "mode": account.mode,
        "balance": account.balance,
        "held": account.held,
        "available": account.available,
        "used_simulated": account.simulated,
        "available_simulated": account.balance - account.simulated,
    }


def _groups(group_by: GroupBy, found: Iterable[tuple[str, bool, int, int]]) -> list[dict[str, Any]]:
    """One line a group, with what was taken and what shadow mode would have taken."""
    lines: dict[str, dict[str, Any]] = {}
    for group, simulated, units, credits in found:
        empty = {group_by: group, "units": 0, "credits": 0, "credits_simulated": 0}
        line = lines.setdefault(group, empty)
        line["units"] += units
        line["credits_simulated" if simulated else "credits"] += credits
    return [lines[group] for group in sorted(lines)]
