"""A run of retention: every rule, whatever the others do; audited where something was removed."""

from __future__ import annotations

import asyncio
from collections import Counter

from prometheus_client import REGISTRY
from sqlalchemy import func, select

from app.db.audit_models import AuditEvent
from app.services.retention import Removed, RetentionService
from tests.integration.retention.conftest import Kept
from tests.integration.retention.test_lifetimes import LATE


async def events(kept: Kept) -> list[dict[str, object]]:
    query = select(AuditEvent).where(AuditEvent.action == "retention.run").order_by(AuditEvent.seq)
    async with kept.services.db.begin() as session:
        return [row.details for row in await session.scalars(query)]


async def test_a_run_is_audited_once_with_its_counts_where_something_was_removed(kept: Kept) -> None:
    await kept.services.retention.run()
    before = await events(kept)
    for _ in range(2):
        await kept.ended(LATE)
    counts = await kept.services.retention.run()
    assert counts["jobs"] == 2
    assert await events(kept) == [*before, {"jobs": 2}]
    await kept.services.retention.run()
    assert len(await events(kept)) == len(before) + 1


async def test_a_rule_that_fails_is_counted_and_holds_no_other_rule_up(kept: Kept) -> None:
    async def broken() -> Removed:
        raise OSError("the store is away")

    async def works() -> Removed:
        return Counter({"": 3})

    failed = {"rule": "broken"}
    before = REGISTRY.get_sample_value("foundryops_retention_failed_total", failed) or 0.0
    counts = await RetentionService(kept.services.db, {"broken": broken, "works": works}).run()
    assert counts == {"works": 3}
    assert REGISTRY.get_sample_value("foundryops_retention_failed_total", failed) == before + 1


async def test_runs_at_the_same_time_remove_everything_once(kept: Kept) -> None:
    jobs = [await kept.ended(LATE) for _ in range(5)]
    await asyncio.gather(*(kept.services.retention.run() for _ in range(3)))
    rows = [await kept.row(job) for job in jobs]
    assert all(row.expired_at is not None and "records" not in row.payload for row in rows)
    async with kept.services.db.begin() as session:
        assert await session.scalar(select(func.count()).where(AuditEvent.action == "retention.run"))
