"""Limits over a real Valkey: shared by processes, given back after a crash, per process while Valkey is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from prometheus_client import REGISTRY

from app.limits.foreground import Foreground
from app.limits.rate import RateLimiter
from app.limits.slots import SlotPool
from app.limits.valkey import SharedValkey
from tests.cable import Cable
from tests.integration.limits.conftest import eventually

Limiters = Callable[..., RateLimiter]
Pools = Callable[..., SlotPool]
Valkeys = Callable[[], SharedValkey]


async def test_two_processes_share_one_window(limiters: Limiters, organisation_id: str) -> None:
    one, two = limiters(), limiters()
    allowed = [(await process.hit(organisation_id, 10, 600)).allowed for _ in range(10) for process in (one, two)]
    assert allowed == [True] * 10 + [False] * 10


async def test_remaining_counts_down_to_the_refusal(limiters: Limiters, organisation_id: str) -> None:
    limiter = limiters()
    states = [await limiter.hit(organisation_id, 3, 600) for _ in range(4)]
    assert [(state.allowed, state.remaining) for state in states] == [(True, 2), (True, 1), (True, 0), (False, 0)]


async def test_concurrent_requests_never_pass_the_limit(limiters: Limiters, organisation_id: str) -> None:
    processes = [limiters() for _ in range(3)]
    states = await asyncio.gather(*(processes[i % 3].hit(organisation_id, 1000, 600) for i in range(1500)))
    allowed = sum(state.allowed for state in states)
    blocks_left_over = 2 * 3 * (1000 // 100)
    assert 1000 - blocks_left_over <= allowed <= 1000


async def test_slots_are_shared_and_come_back_when_they_are_idle(pools: Pools, organisation_id: str) -> None:
    one, two = pools(), pools()
    assert [await one.acquire(organisation_id, 2) for _ in range(3)] == [True, True, False]
    assert not await two.acquire(organisation_id, 2)
    one.release(organisation_id)
    await eventually(lambda: two.acquire(organisation_id, 2))
    assert not await one.acquire(organisation_id, 2)


async def test_a_burst_takes_exactly_the_slots_there_are(pools: Pools, organisation_id: str) -> None:
    processes = [pools() for _ in range(3)]
    taken = await asyncio.gather(*(processes[i % 3].acquire(organisation_id, 20) for i in range(90)))
    assert sum(taken) == 20


async def test_a_dead_process_gives_its_slots_back(pools: Pools, organisation_id: str) -> None:
    dead, alive = pools(lease_ms=500), pools()
    assert await dead.acquire(organisation_id, 1)
    await dead.stop_tending()
    assert not await alive.acquire(organisation_id, 1)
    await eventually(lambda: alive.acquire(organisation_id, 1))


async def test_a_slot_in_use_outlives_its_lease(pools: Pools, valkeys: Valkeys, organisation_id: str) -> None:
    busy, other, valkey = pools(lease_ms=900), pools(), valkeys().client
    key = f"foundryops:slots:{organisation_id}"
    assert await busy.acquire(organisation_id, 1)
    [first] = await valkey.hvals(key)

    async def is_renewed_past_the_first_lease() -> bool:
        [held] = await valkey.hvals(key)
        return int(held.split(b":")[1]) > int(first.split(b":")[1]) + 900

    await eventually(is_renewed_past_the_first_lease)
    assert not await other.acquire(organisation_id, 1)


async def test_without_valkey_limits_hold_in_the_process(
    limiters: Limiters, pools: Pools, cable: Cable, cabled: SharedValkey, organisation_id: str
) -> None:
    await cable.cut()
    limiter, slots = limiters(cabled), pools(cabled)
    assert [(await limiter.hit(organisation_id, 2, 600)).allowed for _ in range(3)] == [True, True, False]
    assert [await slots.acquire(organisation_id, 2) for _ in range(3)] == [True, True, False]
    assert cabled.is_lost
    assert REGISTRY.get_sample_value("foundryops_limits_degraded") == 1


async def test_limits_are_shared_again_once_valkey_is_back(
    limiters: Limiters, cable: Cable, cabled: SharedValkey, organisation_id: str
) -> None:
    limiter, other = limiters(cabled), limiters()
    await cable.cut()
    assert (await limiter.hit(organisation_id, 2, 600)).allowed
    await cable.mend()

    async def is_back() -> bool:
        return not cabled.is_lost

    await eventually(is_back)
    assert [(await process.hit(organisation_id, 2, 600)).allowed for process in (other, limiter, other)] == [
        True,
        True,
        False,
    ]
    assert REGISTRY.get_sample_value("foundryops_limits_degraded") == 0


async def test_a_process_that_answers_much_is_heard_by_the_others_and_forgotten(
    valkeys: Valkeys, organisation_id: str
) -> None:
    api, worker = (Foreground(valkeys(), organisation_id) for _ in range(2))
    assert not await worker.is_busy()

    async def is_heard() -> bool:
        async with api.waiting():
            await asyncio.sleep(0.02)
        return await worker.is_busy()

    async def is_forgotten() -> bool:
        return not await worker.is_busy()

    await eventually(is_heard)
    await eventually(is_forgotten)


async def test_somebody_who_asks_now_and_then_is_not_much_to_answer(valkeys: Valkeys, organisation_id: str) -> None:
    api, worker = (Foreground(valkeys(), organisation_id) for _ in range(2))
    for _ in range(8):
        async with api.waiting():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        assert not await worker.is_busy()


async def test_without_valkey_nobody_is_known_to_wait(cable: Cable, cabled: SharedValkey, organisation_id: str) -> None:
    await cable.cut()
    process = Foreground(cabled, organisation_id)
    for _ in range(30):
        async with process.waiting():
            await asyncio.sleep(0.02)
    assert cabled.is_lost
    assert not await process.is_busy()
