"""A meter spends leases locally and stays exact: no more is captured than granted, nothing is kept by the dead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.db.billing_models import SHADOW, CreditEntry, CreditHold
from app.db.models import now
from app.errors import InsufficientCredits
from app.services.meter import Meter
from app.tariff import Operation
from tests.integration.billing.conftest import Books

Meters = Callable[[], Meter]
RECORD = Operation.MATCH_RECORD


async def ask(meter: Meter, organisation_id: str, *, fails: bool = False) -> bool:
    """A request; True when it was let in, whatever became of it."""
    try:
        async with meter.charge(organisation_id, RECORD):
            await asyncio.sleep(0)
            if fails:
                raise ZeroDivisionError
    except InsufficientCredits:
        return False
    except ZeroDivisionError:
        return True
    return True


async def test_of_1000_concurrent_requests_on_500_credits_exactly_500_are_answered(
    books: Books, meters: Meters
) -> None:
    organisation_id, meter = await books.organisation(500), meters()
    answered = await asyncio.gather(*(ask(meter, organisation_id) for _ in range(1000)))
    await meter.close()
    assert sum(answered) == 500
    assert (await books.account(organisation_id)).balance == 0


async def test_processes_together_never_capture_more_than_was_granted(books: Books, meters: Meters) -> None:
    organisation_id, processes = await books.organisation(300), [meters() for _ in range(3)]
    answered = await asyncio.gather(*(ask(processes[i % 3], organisation_id) for i in range(900)))
    for meter in processes:
        await meter.close()
    account = await books.account(organisation_id)
    assert account.balance == 300 - sum(answered)
    assert account.held == 0
    assert not any([await ask(meters(), organisation_id) for _ in range(account.balance, 1)])


async def test_a_request_that_fails_costs_nothing(books: Books, meters: Meters) -> None:
    organisation_id, meter = await books.organisation(1), meters()
    assert [await ask(meter, organisation_id, fails=True) for _ in range(5)] == [True] * 5
    assert [await ask(meter, organisation_id) for _ in range(2)] == [True, False]
    await meter.close()
    assert (await books.account(organisation_id)).balance == 0


async def test_no_request_waits_for_sql_while_the_lease_lasts(books: Books, meters: Meters) -> None:
    organisation_id, meter = await books.organisation(100_000), meters()
    for _ in range(200):
        await ask(meter, organisation_id)
    async with books.db.begin() as session:
        entries = await session.scalars(select(CreditEntry).where(CreditEntry.organisation_id == organisation_id))
        assert [entry.operation for entry in entries] == ["grant"]
    assert meter.credits_left(organisation_id) == (True, 100_000 - 200)
    await meter.flush(organisation_id)
    assert (await books.account(organisation_id)).balance == 100_000 - 200


async def test_the_lease_of_a_crashed_process_is_given_back(books: Books, meters: Meters) -> None:
    organisation_id, crashed, alive = await books.organisation(10), meters(), meters()
    async with crashed.charge(organisation_id, RECORD):  # a lease was taken, and nothing is written any more
        async with books.db.begin() as session:
            held = await session.scalar(select(CreditHold.credits).where(CreditHold.organisation_id == organisation_id))
            assert held == 1
            await session.execute(update(CreditHold).values(expires_at=now() - timedelta(seconds=1)))
        assert [await ask(alive, organisation_id) for _ in range(11)] == [True] * 10 + [False]
        await alive.close()
    assert (await books.account(organisation_id)).balance == 0


async def test_a_process_that_wakes_up_after_its_lease_captures_what_is_there_and_no_more(
    books: Books, meters: Meters
) -> None:
    organisation_id, asleep, other = await books.organisation(10), meters(), meters()
    assert await ask(asleep, organisation_id)
    async with books.db.begin() as session:
        await session.execute(update(CreditHold).values(expires_at=now() - timedelta(seconds=1)))
    assert sum([await ask(other, organisation_id) for _ in range(11)]) == 10
    await other.close()
    await asleep.close()
    account = await books.account(organisation_id)
    assert (account.balance, account.held) == (0, 0)


async def test_an_idle_lease_goes_back_with_the_second_write(books: Books, meters: Meters) -> None:
    organisation_id, meter = await books.organisation(1000), meters()
    await ask(meter, organisation_id)
    await meter.flush(organisation_id)
    assert (await books.account(organisation_id)).held > 0
    await meter.flush(organisation_id)
    account = await books.account(organisation_id)
    assert (account.balance, account.held) == (999, 0)


async def test_shadow_mode_counts_and_never_refuses(books: Books, meters: Meters) -> None:
    organisation_id, meter = await books.organisation(3, SHADOW), meters()
    assert [await ask(meter, organisation_id) for _ in range(5)] == [True] * 5
    assert meter.credits_left(organisation_id) == (False, -2)
    await meter.close()
    account = await books.account(organisation_id)
    assert (account.balance, account.simulated) == (3, 5)


async def test_a_write_that_fails_is_made_up_for_by_the_next(
    books: Books, meters: Meters, monkeypatch: pytest.MonkeyPatch
) -> None:
    organisation_id, meter = await books.organisation(100), meters()
    await ask(meter, organisation_id)
    with monkeypatch.context() as broken:
        broken.setattr("app.services.meter.Account.collect", _refuse)
        with pytest.raises(ConnectionError):
            await meter.flush(organisation_id)
    await meter.close()
    assert (await books.account(organisation_id)).balance == 99


async def _refuse(*_: object) -> int:
    raise ConnectionError
