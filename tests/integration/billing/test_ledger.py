"""The ledger's laws hold under concurrency on SQLite and PostgreSQL: nothing is spent twice, nothing is lost."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db.ledger import Account, Use
from app.db.models import now
from app.errors import InsufficientCredits
from app.ids import Prefix, new_id
from app.tariff import Operation
from tests.integration.billing.conftest import Books

RECORD = Operation.MATCH_RECORD.value


async def debit(books: Books, organisation_id: str, credits: int = 1) -> bool:
    """Holds and captures in one transaction, as a request at the end of its balance does."""
    try:
        async with books.db.begin() as session:
            account = await Account.lock(session, organisation_id)
            hold = await account.hold(new_id(Prefix.LEASE), credits)
            assert await account.collect(hold, hold.id, Use(RECORD, 1, credits)) == 0
            await account.release(hold)
    except InsufficientCredits:
        return False
    return True


async def test_of_1000_concurrent_debits_on_500_credits_exactly_500_succeed(books: Books) -> None:
    organisation_id = await books.organisation(500)
    at_once = asyncio.Semaphore(8)  # SQLite makes writers queue for 15 s at most, and a busy machine is slow

    async def one() -> bool:
        async with at_once:
            return await debit(books, organisation_id)

    assert sum(await asyncio.gather(*(one() for _ in range(1000)))) == 500
    assert (await books.account(organisation_id)).balance == 0


async def test_a_hold_keeps_credits_from_others_until_it_is_released(books: Books) -> None:
    organisation_id = await books.organisation(10)
    async with books.db.begin() as session:
        await (await Account.lock(session, organisation_id)).hold("job_1" + organisation_id, 8)
    assert not await debit(books, organisation_id, 3)
    async with books.db.begin() as session:
        account = await Account.lock(session, organisation_id)
        hold = await account.find("job_1" + organisation_id)
        assert hold is not None
        await account.release(hold)
    assert await debit(books, organisation_id, 3)


async def test_an_expired_lease_is_given_back_when_its_credits_are_needed(books: Books) -> None:
    organisation_id = await books.organisation(10)
    async with books.db.begin() as session:
        account = await Account.lock(session, organisation_id)
        await account.hold(new_id(Prefix.LEASE), 9, now() - timedelta(seconds=1))
    assert await debit(books, organisation_id, 10)
    assert (await books.account(organisation_id)).balance == 0


async def test_what_a_hold_does_not_cover_is_taken_from_what_is_available_and_the_rest_is_told(books: Books) -> None:
    organisation_id = await books.organisation(10)
    async with books.db.begin() as session:
        account = await Account.lock(session, organisation_id)
        hold = await account.hold(new_id(Prefix.LEASE), 4)
        assert await account.collect(hold, hold.id, Use(RECORD, 13, 13)) == 3
    assert (await books.account(organisation_id)).balance == 0


async def test_an_error_in_the_transaction_undoes_the_movement(books: Books) -> None:
    organisation_id = await books.organisation(10)

    async def grant_and_fail() -> None:
        async with books.db.begin() as session:
            (await Account.lock(session, organisation_id)).grant(5, "never")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await grant_and_fail()
    assert (await books.account(organisation_id)).balance == 10


STEP = st.one_of(
    st.tuples(st.just("grant"), st.integers(1, 50), st.just(0)),
    st.tuples(st.just("hold"), st.integers(0, 60), st.just(0)),
    st.tuples(st.just("extend"), st.integers(0, 20), st.integers(0, 5)),
    st.tuples(st.just("collect"), st.integers(0, 60), st.integers(0, 5)),
    st.tuples(st.just("release"), st.just(0), st.integers(0, 5)),
    st.tuples(st.just("simulate"), st.integers(1, 60), st.just(0)),
)


async def step(books: Books, organisation_id: str, holds: list[str], kind: str, credits: int, which: int) -> int:
    """One movement in its own transaction; gives the credits that it adds to or takes from the world outside."""
    hold_id = holds[which % len(holds)] if holds else "none"
    async with books.db.begin() as session:
        account = await Account.lock(session, organisation_id)
        hold = await account.find(hold_id)
        match kind:
            case "grant":
                account.grant(credits, "step")
                return credits
            case "hold":
                new = new_id(Prefix.LEASE)
                await account.hold(new, credits)
                holds.append(new)
            case "extend" if hold is not None:
                await account.extend(hold, credits)
            case "collect":
                return await account.collect(hold, hold_id, Use(RECORD, credits, credits)) - credits
            case "release" if hold is not None:
                await account.release(hold)
            case "simulate":
                account.simulate(Use(RECORD, credits, credits), "step")
    return 0


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(lanes=st.lists(st.lists(STEP, min_size=1, max_size=6), min_size=1, max_size=4))
async def test_any_concurrent_movements_conserve_credits(books: Books, lanes: list[list[tuple[str, int, int]]]) -> None:
    async def lane(organisation_id: str, holds: list[str], steps: list[tuple[str, int, int]]) -> int:
        moved = 0
        for kind, credits, which in steps:
            with suppress(InsufficientCredits):
                moved += await step(books, organisation_id, holds, kind, credits, which)
        return moved

    organisation_id = await books.organisation(100)
    holds: list[str] = []
    moved = await asyncio.gather(*(lane(organisation_id, holds, steps) for steps in lanes))
    assert (await books.account(organisation_id)).balance == 100 + sum(moved)
