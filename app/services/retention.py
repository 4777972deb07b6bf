"""Retention: what has a lifetime and has lived it is removed, once an hour, by one of the workers."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping

import structlog

from app.db.session import Database
from app.observability import frames_of
from app.observability.metrics import RETENTION_FAILED, RETENTION_LAST_RUN, RETENTION_REMOVED
from app.services import audit

log = structlog.get_logger(__name__)

Removed = Counter[str]
"""How many things of which organisation; the empty name stands for things that are nobody's."""
Rule = Callable[[], Awaitable[Removed]]


class RetentionService:
    """Runs rules that may each run at any time, twice, at once and again after a crash: what is gone stays gone."""

    def __init__(self, db: Database, rules: Mapping[str, Rule]) -> None:
        self._db = db
        self._rules = dict(rules)

    async def run(self) -> dict[str, int]:
        """Counts by rule. A rule that fails leaves its work to the next run and holds no other rule up."""
        by_rule: dict[str, Removed] = {}
        for name, rule in self._rules.items():
            try:
                by_rule[name] = await rule()
            except Exception as exc:
                RETENTION_FAILED.labels(name).inc()
                log.error("retention_failed", rule=name, error_type=type(exc).__name__, frames=frames_of(exc))
        counts = {name: removed.total() for name, removed in by_rule.items()}
        for name, count in counts.items():
            RETENTION_REMOVED.labels(name).inc(count)
        await self._audit(by_rule)
        RETENTION_LAST_RUN.set(time.time())
        log.info("retention_ran", removed=counts, failed=sorted(self._rules.keys() - by_rule.keys()))
        return counts

    async def _audit(self, by_rule: Mapping[str, Removed]) -> None:
        """One event for every organisation that lost something."""
        by_organisation: dict[str, dict[str, int]] = defaultdict(dict)
        for name, removed in by_rule.items():
            for organisation_id, count in removed.items():
                by_organisation[organisation_id][name] = count
        for organisation_id, counts in by_organisation.items():
            if organisation_id:
                async with self._db.begin() as session:
                    await audit.record(session, organisation_id, "retention.run", organisation_id, counts)
