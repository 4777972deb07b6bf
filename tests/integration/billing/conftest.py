"""An organisation with credits on each database, and meters of the processes that spend them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from sqlalchemy import func, select

from app.db.billing_models import ENFORCED, CreditAccount, CreditEntry, CreditHold
from app.db.ledger import Account
from app.db.models import Organisation
from app.db.session import Database
from app.ids import Prefix, new_id
from app.services.meter import Meter
from app.services.standings import Standings
from app.tariff import load_tariff


class Books:
    """The books of a database, for tests to fill and to audit."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.tariff = load_tariff()

    async def organisation(self, credits: int, mode: str = ENFORCED) -> str:
        organisation_id = new_id(Prefix.ORGANISATION)
        async with self.db.begin() as session:
            session.add(Organisation(id=organisation_id, name="Books"))
            await session.flush()
            account = await Account.lock(session, organisation_id)
            account.row.mode = mode
            account.grant(credits, "test")
        return organisation_id

    async def account(self, organisation_id: str) -> CreditAccount:
        """The account, after all of the ledger's laws were checked on it."""
        of_it = CreditEntry.organisation_id == organisation_id
        async with self.db.begin() as session:
            account = await session.get_one(CreditAccount, organisation_id)
            entries = select(func.coalesce(func.sum(CreditEntry.credits), 0)).where(of_it, ~CreditEntry.simulated)
            holds = select(func.coalesce(func.sum(CreditHold.credits), 0))
            assert await session.scalar(entries) == account.balance
            assert await session.scalar(holds.where(CreditHold.organisation_id == organisation_id)) == account.held
        assert account.held >= 0
        assert account.available >= 0
        return account


@pytest.fixture
async def books(db: Database) -> Books:
    return Books(db)


@pytest.fixture
async def meters(db: Database) -> AsyncIterator[Callable[[], Meter]]:
    """Makes the meter of one more process."""
    made: list[Meter] = []
    tariff = load_tariff()

    def make() -> Meter:
        made.append(Meter(db, Standings(db, tariff, "development"), tariff))
        return made[-1]

    yield make
    for meter in made:
        await meter.close()
