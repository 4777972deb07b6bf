"""What the services ask of the outside world; adapters in `app.search`, `app.files` and `app.db` answer.

`IndexDocument` bodies and forms come from `app.matching.prepare`; a record is known to the index by its `ordinal`
(0-based position in the snapshot), which is also its row in the record store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.matching.plan import RetrievalPlan


@dataclass(frozen=True, slots=True)
class Retrieved:
    """One candidate as the index found it; `channels` only when the caller asked for them."""

    ordinal: int
    retrieval_score: float
    channels: tuple[str, ...] = ()


class CandidateIndex(Protocol):
    """Reads candidates; raises SearchUnavailable when the engine does not answer, SnapshotNotActive when the index is gone."""

    async def retrieve(
        self, index: str, plan: RetrievalPlan, size: int, *, with_channels: bool = False
    ) -> list[Retrieved]: ...

    async def retrieve_many(
        self, index: str, plans: Sequence[RetrievalPlan], size: int, *, with_channels: bool = False
    ) -> list[list[Retrieved]]: ...


class JobQueue(Protocol):
    """Wakes a worker; SQL stays the record of account. Raises QueueUnavailable."""

    async def wake(self, job_id: str, kind: str, attempt: int = 0) -> None: ...


class FileStore(Protocol):
    """Immutable objects by key (`a/b/c`); put replaces whole and atomically. Raises NotFound."""

    async def put(self, key: str, source: Path) -> None: ...
    async def put_bytes(self, key: str, content: bytes) -> None: ...
    async def get_bytes(self, key: str) -> bytes: ...
    async def local_path(self, key: str) -> Path: ...
    async def delete_prefix(self, prefix: str) -> None: ...
