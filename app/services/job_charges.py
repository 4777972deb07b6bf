"""Credits of jobs: held when a job is accepted, captured for what it did when it completes, else released.

Everything happens in the transaction of the job's own change. A job without a hold was accepted in shadow mode.
"""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.billing_models import ENFORCED
from app.db.ledger import Account, Use
from app.db.models import JobRow
from app.errors import InsufficientCredits
from app.observability.metrics import CREDIT_REFUSALS, CREDITS_UNCOVERED, CREDITS_USED
from app.tariff import Operation, Tariff

_OPERATIONS = {
    "activate": Operation.ACTIVATE,
    "match_batch": Operation.MATCH_BATCH,
    "match_files": Operation.MATCH_FILES,
    "match_delta": Operation.MATCH_FILES,
    "append": Operation.APPEND,
}
"""By kind of job; a kind without an operation is free."""
_BY_CALL = frozenset({Operation.ACTIVATE})
"""Priced by the job, not by its records."""


class JobCharges:
    """Hooks of `JobService`."""

    def __init__(self, tariff: Tariff, enabled: bool = True) -> None:
        self._tariff = tariff
        self._enabled = enabled

    async def accept(self, session: AsyncSession, job: JobRow) -> None:
        """Holds the price of the job's `total` records in enforced mode; raises InsufficientCredits."""
        use = self._use(job, job.total)
        if use is None:
            return
        account = await Account.lock(session, job.organisation_id)
        if account.row.mode == ENFORCED:
            await self._hold(account, job.id, use.credits)

    async def reserve(self, session: AsyncSession, job: JobRow, units: int) -> None:
        """Holds the price of `units` records in all, for a job that learns their number late; raises InsufficientCredits."""
        use = self._use(job, units)
        if use is None or use.operation in _BY_CALL:
            return
        account = await Account.lock(session, job.organisation_id)
        hold = await account.find(job.id)
        if hold is not None and use.credits > hold.credits:
            await self._hold(account, job.id, use.credits - hold.credits)

    async def settle(self, session: AsyncSession, job: JobRow) -> None:
        """Captures the price of the records that were matched and releases the rest."""
        use = self._use(job, _matched(job))
        if use is None:
            return
        account = await Account.lock(session, job.organisation_id)
        hold = await account.find(job.id)
        if hold is None:
            account.simulate(use, job.id)
        else:
            CREDITS_UNCOVERED.inc(await account.collect(hold, job.id, use))
            await account.release(hold)
        CREDITS_USED.labels(use.operation, "shadow" if hold is None else ENFORCED).inc(use.credits)

    async def release(self, session: AsyncSession, job: JobRow) -> None:
        """Makes available again what a job held that failed or was cancelled."""
        if self._use(job, 0) is None:
            return
        account = await Account.lock(session, job.organisation_id)
        hold = await account.find(job.id)
        if hold is not None:
            await account.release(hold)

    def _use(self, job: JobRow, records: int) -> Use | None:
        operation = _OPERATIONS.get(job.kind)
        if operation is None or not self._enabled:
            return None
        units = 1 if operation in _BY_CALL else records
        return Use(operation, units, self._tariff.price(operation, units))

    async def _hold(self, account: Account, job_id: str, credits: int) -> None:
        try:
            hold = await account.find(job_id)
            if hold is None:
                await account.hold(job_id, credits)
            else:
                await account.extend(hold, credits)
        except InsufficientCredits:
            CREDIT_REFUSALS.inc()
            raise


def _matched(job: JobRow) -> int:
    """What a job that completes is charged for: all it processed, of a delta only what was matched again."""
    if job.kind == "match_delta":
        return int((job.result or {}).get("matched_again", 0))
    return job.processed
