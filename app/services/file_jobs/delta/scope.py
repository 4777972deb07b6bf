"""What a delta must look at: the records that two snapshots differ in, or a reason to match every row again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.errors import SnapshotNotActive
from app.files.bundle import Bundle
from app.files.bundle_diff import Difference, difference
from app.matching.delta import least_weight
from app.ports import FileStore
from app.search.dsl import LONG_RUN
from app.services.file_jobs.chunk_files import JobFiles, pack, unpack
from app.services.match import MatchOptions, MatchService
from app.services.match_recheck import Touched
from app.services.match_records import MatchCall
from app.services.match_targets import MatchTarget

MOST_CHANGED_SHARE = 0.2
"""Of the smaller snapshot's records. Beyond it rarities move too far, and looking at each row first costs more than it saves."""
MOST_RUNS = 128
"""Long runs of touched records. Each is two clauses of every search, and OpenSearch takes 1,024 with those that retrieve."""
MOST_LISTED = 8_192
"""Touched records in short runs; each is a number in the body of every search."""


class Everything(StrEnum):
    """Why every row is matched again."""

    MANY_CHANGES = "MANY_CHANGES"
    """More of the master changed than `MOST_CHANGED_SHARE`."""
    SCATTERED_CHANGES = "SCATTERED_CHANGES"
    """The changed records lie so far apart that searching among them costs more than searching among all."""
    SCHEMA_CHANGED = "SCHEMA_CHANGED"
    """The snapshots' fields have other roles, or their indices were made by releases that normalise differently."""
    INDEX_GONE = "INDEX_GONE"
    """The earlier snapshot has no index any more, so nobody knows what changed."""
    LOW_THRESHOLD = "LOW_THRESHOLD"
    """At a threshold near zero every candidate belongs to the answer."""


@dataclass(frozen=True, slots=True)
class Scope:
    """`everything` is None, or why `touched` does not matter."""

    everything: Everything | None
    touched: Touched
    added_or_changed: int | None
    """None where nobody knows; so is `removed`."""
    removed: int | None

    def to_bytes(self) -> bytes:
        runs = [[run.start, run.stop] for run in self.touched.runs]
        counts = {"added_or_changed": self.added_or_changed, "removed": self.removed}
        return pack({"everything": self.everything, "runs": runs, **counts})

    @classmethod
    def from_bytes(cls, content: bytes) -> Scope:
        data = unpack(content)
        everything = Everything(data["everything"]) if data["everything"] else None
        touched = Touched([range(*run) for run in data["runs"]])
        return cls(everything, touched, data["added_or_changed"], data["removed"])


async def earlier_target(match: MatchService, organisation_id: str, snapshot_id: str) -> MatchTarget | None:
    """The earlier snapshot with its bundle; None when its index is gone. Raises SnapshotNotFound."""
    try:
        return await match.resolve(organisation_id, snapshot_id, None)
    except SnapshotNotActive:
        return None


def scope_of(before: Bundle | None, after: MatchTarget, options: MatchOptions) -> Scope:
    """Blocks while both bundles are read."""
    if before is None:
        return Scope(Everything.INDEX_GONE, Touched(()), None, None)
    found = difference(before, after.bundle)
    call = MatchCall.of(after, options)
    reasons: dict[Everything, Callable[[], bool]] = {
        Everything.SCHEMA_CHANGED: lambda: _made_alike(before) != _made_alike(after.bundle),
        Everything.LOW_THRESHOLD: lambda: least_weight(call.profile, call.threshold) is None,
        Everything.MANY_CHANGES: lambda: _is_large(found, before.meta.rows, after.bundle.meta.rows),
        Everything.SCATTERED_CHANGES: lambda: _is_scattered(found),
    }
    everything = next((reason for reason, holds in reasons.items() if holds()), None)
    runs = found.touched if everything is None else ()
    return Scope(everything, Touched(runs), found.added_or_changed, found.removed)


class Scopes:
    """Scopes of delta jobs, as their plan left them."""

    def __init__(self, store: FileStore) -> None:
        self._store = store

    async def put(self, job_id: str, scope: Scope) -> None:
        await self._store.put_bytes(JobFiles(job_id).scope, scope.to_bytes())

    async def get(self, job_id: str) -> Scope:
        return Scope.from_bytes(await self._store.get_bytes(JobFiles(job_id).scope))

    async def facts(self, job_id: str) -> dict[str, Any]:
        """What a delta's summary says of it, and the counts that its chunks add to."""
        scope = await self.get(job_id)
        return {
            "records_added_or_changed": scope.added_or_changed,
            "records_removed": scope.removed,
            "everything": scope.everything,
            **dict.fromkeys(COUNTS, 0),
        }


COUNTS = ("matched_again", "appeared", "disappeared", "changed", "unchanged")


def _made_alike(bundle: Bundle) -> tuple[object, ...]:
    return bundle.meta.fields, bundle.meta.normaliser_version


def _is_large(found: Difference, before: int, after: int) -> bool:
    return found.added_or_changed + found.removed > MOST_CHANGED_SHARE * min(before, after)


def _is_scattered(found: Difference) -> bool:
    short = [len(run) for run in found.touched if len(run) < LONG_RUN]
    return len(found.touched) - len(short) > MOST_RUNS or sum(short) > MOST_LISTED
