"""What the services ask of the outside world; adapters in `app.search`, `app.files` and `app.db` answer.

`IndexDocument` bodies and forms come from `app.matching.prepare`; a record is known to the index by its `ordinal`
(0-based position in the snapshot), which is also its row in the record store.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from app.matching.plan import RetrievalPlan


class Retrieved(NamedTuple):
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
        self,
        index: str,
        plans: Sequence[RetrievalPlan],
        size: int,
        *,
        with_channels: bool = False,
        within: Sequence[range] = (),
    ) -> list[list[Retrieved]]:
        """`within` lets only these ordinals be candidates; without it all are."""


FILE_KINDS = frozenset({"match_files", "match_delta"})
"""Jobs that any number of workers do together, in steps that `app.db.steps` leases; all others are one worker's."""


class JobQueue(Protocol):
    """Wakes a worker; SQL stays the record of account. Raises QueueUnavailable."""

    async def wake(self, job_id: str, kind: str, attempt: int = 0) -> None: ...


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One object of a file store."""

    key: str
    size_bytes: int
    modified_at: datetime


class FileStore(Protocol):
    """Immutable objects by key (`a/b/c`); put replaces whole and atomically. Raises NotFound, StorageFull."""

    async def put(self, key: str, source: Path) -> None: ...
    async def put_bytes(self, key: str, content: bytes) -> None: ...
    async def get_bytes(self, key: str) -> bytes: ...
    async def size(self, key: str) -> int | None: ...

    async def local_path(self, key: str) -> Path:
        """A file of this machine with the object's content; the caller only reads it."""

    async def local_root(self, keys: Iterable[str]) -> Path:
        """A folder of this machine in which each of the objects lies at its key."""

    def workspace(self, prefix: str) -> Path:
        """Where on this machine the objects of a prefix are built, before `publish`."""

    async def publish(self, prefix: str, last: str) -> None:
        """Makes the files of a workspace objects; the one named `last` appears after all others."""

    async def receive(self, key: str, body: AsyncIterator[bytes], limit_bytes: int) -> int | None:
        """Takes a stream and gives its size; None when the key is taken. Only for a store without presigned PUTs."""

    async def presign_put(self, key: str, lifetime_s: int) -> str | None:
        """A URL that takes one object from anybody; None when the store has no door of its own."""

    async def delete(self, key: str) -> None: ...
    async def delete_prefix(self, prefix: str) -> None: ...
    async def list_files(self, prefix: str = "") -> list[StoredFile]: ...


class Uploads(Protocol):
    """Files that callers have sent, by `sk_…` key. Raises UploadNotFound, Conflict, ArtifactExpired, InvalidSchema."""

    async def check(self, organisation_id: str, storage_key: str, purpose: str) -> object:
        """Raises what is wrong with an upload before a job is made of it."""

    async def local_path(self, organisation_id: str, storage_key: str, purpose: str) -> Path:
        """Where this machine can read the file."""
