"""The decision log: what the matcher decided, noted in microseconds and written behind the answer's back."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import orjson
import structlog

from app.db.models import Snapshot, now
from app.db.session import Database
from app.errors import FoundryOpsError, SearchUnavailable
from app.identity import Identity, current
from app.observability import frames_of
from app.observability.metrics import DECISIONS_DROPPED, DECISIONS_WAITING, DECISIONS_WRITTEN
from app.search.decisions import DecisionFilter, DecisionIndex

log = structlog.get_logger(__name__)

_FLUSH_EVERY_S = 1.0
_BATCH = 500
"""One bulk request: its serialisation holds the event loop for under 2 ms."""
_LONGEST_WAIT_S = 30.0
_SNAPSHOTS_KNOWN_MAX = 10_000

Mode = Literal["record", "batch", "file"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asked, and in which way."""

    organisation_id: str
    mode: Mode
    job_id: str | None = None
    identity: Identity = field(default_factory=current)


class DecisionLog:
    """One per process: a bounded queue and a task that empties it. What does not fit is counted, never waited for."""

    def __init__(
        self, index: DecisionIndex, db: Database, server_secret: str, lifetime: timedelta, waiting_max: int
    ) -> None:
        """`waiting_max` 0 switches the log off."""
        self._index = index
        self._db = db
        self._secret = server_secret.encode()
        self._lifetime = lifetime
        self._waiting_max = waiting_max
        self._waiting: deque[dict[str, Any]] = deque()
        self._salts: dict[str, bytes] = {}
        self._datasets: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None
        self._lost = 0

    def note(
        self,
        origin: Origin,
        record: Mapping[str, Any],
        answer: Mapping[str, Any],
        took_ms: float,
        position: int | None = None,
    ) -> None:
        """Takes down one decision; costs microseconds and never fails. `position` is the record's in its job, 0-based."""
        if not self._waiting_max:
            return
        if len(self._waiting) >= self._waiting_max:
            self._drop(1, "full")
            return
        best = answer["matches"][0] if answer["matches"] else answer.get("review_candidate", {})
        self._waiting.append(
            {
                "decision_id": _decision_id(origin, position),
                "at": time.time(),
                "organisation_id": origin.organisation_id,
                "mode": origin.mode,
                "snapshot_id": answer["snapshot_id"],
                "request_id": origin.identity.request_id,
                "correlation_id": origin.identity.correlation_id,
                "actor": origin.identity.actor,
                "job_id": origin.job_id,
                "position": position,
                "record_hash": self._hash(origin.organisation_id, record),
                "profile": answer["profile"],
                "threshold": answer["threshold"],
                "decision": answer["decision"],
                "record_id": best.get("record_id"),
                "score": best.get("score"),
                "confidence": best.get("confidence"),
                "reasons": [reason["code"] for reason in best.get("reasons", ())],
                "matches": len(answer["matches"]),
                "candidates_considered": answer["candidates_considered"],
                "took_ms": took_ms,
            }
        )
        if self._task is None:
            self._task = asyncio.create_task(self._keep_writing())

    async def list_page(
        self, organisation_id: str, wanted: DecisionFilter, limit: int, cursor: str | None
    ) -> dict[str, Any]:
        """Decisions within their lifetime, newest first; what was decided in the last seconds may still be missing."""
        oldest = now() - self._lifetime
        since = max(wanted.since or oldest, oldest)
        return await self._index.list_page(organisation_id, replace(wanted, since=since), limit, cursor)

    async def expire(self) -> Counter[str]:
        """Removes the days that are past their lifetime; how many, and they are no single organisation's."""
        return Counter({"": await self._index.drop_before((now() - self._lifetime).date())})

    async def close(self, within_s: float = 5.0) -> None:
        """Writes what waits; what cannot be written in time is counted as lost."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        try:
            async with asyncio.timeout(within_s):
                while self._waiting:
                    await self.flush()
        except Exception:
            self._drop(len(self._waiting), "shutdown")
            self._waiting.clear()
        self._report()

    async def flush(self) -> None:
        """Writes one batch; raises SearchUnavailable, and then has lost nothing."""
        batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
        DECISIONS_WAITING.set(len(self._waiting))
        if not batch:
            return
        try:
            datasets = {name: await self._dataset_of(name) for name in {entry["snapshot_id"] for entry in batch}}
            busy, refused = await self._index.write([_document(entry, datasets) for entry in batch])
        except BaseException:
            self._waiting.extendleft(reversed(batch))
            raise
        DECISIONS_WRITTEN.inc(len(batch) - len(busy) - refused)
        self._drop(refused, "refused")
        if busy:
            again = {document["decision_id"] for document in busy}
            self._waiting.extendleft(entry for entry in reversed(batch) if entry["decision_id"] in again)
            raise SearchUnavailable("The search engine has no room for decisions.")

    async def _keep_writing(self) -> None:
        wait_s = _FLUSH_EVERY_S
        while True:
            if len(self._waiting) < _BATCH or wait_s > _FLUSH_EVERY_S:
                await asyncio.sleep(wait_s)
            try:
                await self.flush()
                wait_s = _FLUSH_EVERY_S
            except FoundryOpsError as exc:
                wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
                log.warning("decisions_wait", code=exc.code, waiting=len(self._waiting), wait_s=wait_s)
            except Exception as exc:
                wait_s = _LONGEST_WAIT_S
                log.error("decisions_failed", error_type=type(exc).__name__, frames=frames_of(exc))
            self._report()

    async def _dataset_of(self, snapshot_id: str) -> str | None:
        known = self._datasets.get(snapshot_id)
        if known is None:
            async with self._db.begin() as session:
                snapshot = await session.get(Snapshot, snapshot_id)
            if snapshot is None:
                return None
            if len(self._datasets) >= _SNAPSHOTS_KNOWN_MAX:
                self._datasets.clear()
            known = self._datasets[snapshot_id] = snapshot.dataset_id
        return known

    def _hash(self, organisation_id: str, record: Mapping[str, Any]) -> str:
        """Finds repeats of a record within an organisation; without the server's secret it cannot be guessed from values."""
        salt = self._salts.get(organisation_id)
        if salt is None:
            salt = hmac.new(self._secret, f"decisions/{organisation_id}".encode(), hashlib.sha256).digest()
            self._salts[organisation_id] = salt
        content = orjson.dumps(record, option=orjson.OPT_SORT_KEYS, default=str)
        return hashlib.blake2b(content, key=salt, digest_size=16).hexdigest()

    def _drop(self, count: int, reason: str) -> None:
        if count:
            DECISIONS_DROPPED.labels(reason).inc(count)
            self._lost += count

    def _report(self) -> None:
        if self._lost:
            log.error("decisions_lost", count=self._lost, waiting=len(self._waiting))
            self._lost = 0


def _document(entry: dict[str, Any], datasets: Mapping[str, str | None]) -> dict[str, Any]:
    at = datetime.fromtimestamp(entry["at"], UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {**entry, "at": at, "dataset_id": datasets[entry["snapshot_id"]]}


def _decision_id(origin: Origin, position: int | None) -> str:
    """The same for the same request, or record of a job: what is written twice stands there once."""
    if origin.job_id is not None:
        return f"dec_{origin.job_id.partition('_')[2]}-{position or 0:09d}"
    return f"dec_{origin.identity.request_id.partition('_')[2]}"
