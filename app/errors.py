"""The errors that the service raises on purpose; no HTTP in here, `app.api.errors` gives each its status.

FoundryOpsError
├── InvalidRequest            the request cannot be read at all (malformed JSON, bad cursor)
├── InvalidSchema             a value, field or option is not what the contract says
├── UnreadableFile            a file that cannot be read as what it should be, and where
├── PayloadTooLarge           a body, list or upload over its limit
├── UnsupportedMediaType      a body in an encoding or of a type that is not read here
├── Unauthorized              no valid key
├── Forbidden                 the key lacks a scope
├── InsufficientCredits       enforced mode, and the balance does not cover the operation
├── RateLimited               over a limit of the organisation's tier; ask again later
├── NotFound                  no such thing, or not this organisation's
│   ├── DatasetNotFound
│   ├── SnapshotNotFound
│   ├── JobNotFound
│   └── UploadNotFound
├── Conflict                  the state does not allow it
│   ├── SnapshotNotActive
│   ├── JobNotReady
│   └── IdempotencyInProgress
├── IdempotencyKeyReused      the key came with another request before
├── ArtifactExpired           it existed, its lifetime is over
├── StorageFull               no space left for what must be kept
├── Unavailable               a part that the service needs does not answer; ask again
│   ├── SearchUnavailable
│   ├── StoreUnavailable
│   └── QueueUnavailable
└── InternalError             a bug of ours
"""

from __future__ import annotations

from typing import Any, ClassVar


class FoundryOpsError(Exception):
    """Base of all; `code` is the contract's stable code, `details` is shown to the caller."""

    code: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str, /, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class InvalidRequest(FoundryOpsError):
    code = "INVALID_REQUEST"


class InvalidSchema(FoundryOpsError):
    code = "INVALID_SCHEMA"


class UnreadableFile(FoundryOpsError):
    """Raise with where it is: `line`, `column` or `byte`, as far as known."""

    code = "UNREADABLE_FILE"


class PayloadTooLarge(FoundryOpsError):
    """Raise with `limit` and `received`."""

    code = "PAYLOAD_TOO_LARGE"


class UnsupportedMediaType(FoundryOpsError):
    code = "UNSUPPORTED_MEDIA_TYPE"


class Unauthorized(FoundryOpsError):
    code = "UNAUTHORIZED"


class Forbidden(FoundryOpsError):
    """Raise with `scope`, the one that is missing."""

    code = "FORBIDDEN"


class RateLimited(FoundryOpsError):
    """Raise with `reason` (rate, concurrency or queue), `limit`, `retry_after_s`, `concurrency_limit`, `queue_depth`."""

    code = "RATE_LIMIT"


class InsufficientCredits(FoundryOpsError):
    """Raise with `required` and `available`, in credits."""

    code = "INSUFFICIENT_CREDITS"


class NotFound(FoundryOpsError):
    code = "NOT_FOUND"


class DatasetNotFound(NotFound):
    code = "DATASET_NOT_FOUND"


class SnapshotNotFound(NotFound):
    code = "SNAPSHOT_NOT_FOUND"


class JobNotFound(NotFound):
    code = "JOB_NOT_FOUND"


class UploadNotFound(NotFound):
    code = "UPLOAD_NOT_FOUND"


class Conflict(FoundryOpsError):
    code = "CONFLICT"


class SnapshotNotActive(Conflict):
    code = "SNAPSHOT_NOT_ACTIVE"


class JobNotReady(Conflict):
    code = "JOB_NOT_READY"


class IdempotencyInProgress(Conflict):
    """Raise with `retry_after_s`."""

    code = "IDEMPOTENCY_IN_PROGRESS"


class IdempotencyKeyReused(FoundryOpsError):
    code = "IDEMPOTENCY_KEY_REUSED"


class ArtifactExpired(FoundryOpsError):
    code = "ARTIFACT_EXPIRED"


class StorageFull(FoundryOpsError):
    code = "STORAGE_FULL"


class Unavailable(FoundryOpsError):
    """Raise with `retry_after_s`."""

    code = "UNAVAILABLE"

    @property
    def retry_after_s(self) -> int:
        return int(self.details.get("retry_after_s", 2))


class SearchUnavailable(Unavailable):
    code = "SEARCH_UNAVAILABLE"


class StoreUnavailable(Unavailable):
    code = "STORE_UNAVAILABLE"


class QueueUnavailable(Unavailable):
    code = "QUEUE_UNAVAILABLE"


class InternalError(FoundryOpsError):
    code = "INTERNAL"
