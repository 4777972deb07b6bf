"""What the OpenAPI document says of every operation alike: examples of errors, parameters, headers and tags."""

from __future__ import annotations

from typing import Any

ULID = "01J8X9Y2Z3A4B5C6D7E8F9G0H1"

DESCRIPTION = """Entity resolution: reference data goes in as datasets, an activated snapshot of one is searched, and any record
is answered with the probability that it is the same entity, with the reasons.

Every answer carries `X-Request-Id` and `X-Correlation-Id`; every answer that is not 2xx has the body `ErrorEnvelope`, whose
`error.code` is stable. Lists are paged by `cursor`. Send `Authorization: Bearer <api key>`."""

TAGS = {
    "match": "Match one record at once, a batch or a file in a job; every answer says why.",
    "datasets": "Reference data: datasets, their immutable snapshots, and which of them is searched.",
    "uploads": "Signed URLs for files that are too large for a request.",
    "jobs": "Asynchronous work: how it stands, what came out, how to stop it.",
    "webhooks": "What was sent when a job ended and how it went, sending again, and the secret that signs.",
    "decisions": "What the matcher decided, for a month; what people decided, for good.",
    "keys": "API keys: made, listed, rotated with an overlap, revoked.",
    "audit": "Who changed what, in a chain of events that shows tampering.",
    "billing": "Credits: the balance, what was used, grants, and whether running out refuses work.",
    "operations": "Health by dependency and metrics; no key needed.",
}
"""Tags in the order of the documentation; a route with another tag adds its own behind them."""

ERRORS: dict[str, tuple[str, dict[str, Any]]] = {
    "INVALID_REQUEST": ("The body is no valid JSON: unexpected end of data.", {}),
    "INVALID_SCHEMA": (
        "Field 'customer_id' expected int, got string",
        {"field": "customer_id", "expected": "int", "received": "string"},
    ),
    "PAYLOAD_TOO_LARGE": ("The body may have at most 131072 bytes.", {"limit": 131072, "received": 140211}),
    "UNAUTHORIZED": ("Send an API key: Authorization: Bearer <api key>.", {}),
    "FORBIDDEN": ("This key lacks the scope 'match:run'.", {"scope": "match:run"}),
    "INSUFFICIENT_CREDITS": ("This costs 100 credits and 40 are available.", {"required": 100, "available": 40}),
    "RATE_LIMIT": (
        "Over 600 requests in 60 s; ask again in 7 s.",
        {"reason": "rate", "limit": 600, "retry_after_s": 7, "concurrency_limit": 16, "queue_depth": 0},
    ),
    "NOT_FOUND": ("There is no such thing in this organisation.", {}),
    "DATASET_NOT_FOUND": (f"There is no dataset ds_{ULID}.", {"dataset_id": f"ds_{ULID}"}),
    "SNAPSHOT_NOT_FOUND": (f"There is no snapshot dss_{ULID}.", {"snapshot_id": f"dss_{ULID}"}),
    "JOB_NOT_FOUND": (f"There is no job job_{ULID}.", {"job_id": f"job_{ULID}"}),
    "UPLOAD_NOT_FOUND": (f"There is no upload sk_{ULID}.", {"source_key": f"sk_{ULID}"}),
    "CONFLICT": ("The state does not allow it.", {"status": "completed"}),
    "SNAPSHOT_NOT_ACTIVE": (
        f"Snapshot dss_{ULID} has no index: POST /api/v2/datasets/ds_{ULID}/activate builds it.",
        {"snapshot_id": f"dss_{ULID}"},
    ),
    "JOB_NOT_READY": (f"Job job_{ULID} is running; poll it until it is completed.", {"status": "running"}),
    "IDEMPOTENCY_IN_PROGRESS": (
        "A request with this idempotency key is being answered; ask again for its answer.",
        {"retry_after_s": 1},
    ),
    "IDEMPOTENCY_KEY_REUSED": (
        "This idempotency key was used for another request; take a new key for each request.",
        {"field": "Idempotency-Key"},
    ),
    "ARTIFACT_EXPIRED": ("The result was kept for 24 hours and is gone.", {}),
    "UNSUPPORTED_MEDIA_TYPE": ("Send the body as it is: Content-Encoding 'gzip' is not accepted here.", {}),
    "UNREADABLE_FILE": ("The file is a ZIP archive or an Excel workbook; save the sheet as CSV.", {"byte": 0}),
    "STORAGE_FULL": ("There is no space left in the file store; free some and try again.", {}),
    "SEARCH_UNAVAILABLE": ("The search engine does not answer.", {"retry_after_s": 2}),
    "STORE_UNAVAILABLE": ("The object store does not answer, or refuses; ask again.", {"retry_after_s": 2}),
    "QUEUE_UNAVAILABLE": ("The job queue does not answer.", {"retry_after_s": 2}),
    "INTERNAL": ("Something went wrong on our side.", {}),
}
"""By code, a message and details as the service writes them; a code without an entry is shown with empty details."""

STATUS_MEANINGS = {
    400: "The request cannot be read.",
    401: "No valid API key.",
    402: "The balance does not cover the operation; `Link` says where to top up.",
    403: "The key lacks the scope that is named.",
    404: "No such thing in this organisation.",
    409: "The state does not allow it.",
    410: "It existed; its lifetime is over.",
    413: "The body, list or file is over its limit.",
    415: "The body's encoding or media type is not accepted.",
    422: "A value is not what the contract says; `details.errors` lists all that were found.",
    429: "Over a limit; `details.reason` says which, ask again after `Retry-After`.",
    500: "A bug of ours; report the request id.",
    507: "The file store is full.",
    503: "A dependency does not answer; ask again after `Retry-After`.",
}

PARAMETERS: dict[str, tuple[str, Any]] = {
    "dataset_id": ("The dataset.", f"ds_{ULID}"),
    "snapshot_id": ("The snapshot.", f"dss_{ULID}"),
    "key_id": ("The API key, by its id.", f"key_{ULID}"),
    "job_id": ("The job.", f"job_{ULID}"),
    "storage_key": ("The upload, as `presign` named it.", f"sk_{ULID}"),
    "delivery_id": ("The webhook delivery.", f"whd_{ULID}"),
    "label_id": ("The label.", f"lbl_{ULID}"),
    "calibration_id": ("The calibration.", f"cal_{ULID}"),
    "decision_id": ("The standing decision.", f"std_{ULID}"),
    "decision": ("Only decisions of this kind.", "review"),
    "record_hash": ("Only decisions on records equal to the one that has this hash.", None),
    "Idempotency-Key": (
        "Makes it safe to send the request again: for 24 hours the same key with the same body gets the same answer.",
        "5f0c3f0e-2c8f-4c55-9d0b-7f1a2f9f6c11",
    ),
    "X-Idempotency-Key": ("The same as `Idempotency-Key`, for clients that cannot send that.", None),
    "limit": ("How many to answer with at most.", 100),
    "cursor": ("The `next_cursor` of the page before; a list that is asked without it begins at the newest.", None),
}
"""Description and example of parameters by name, for those that the route does not describe itself."""

NOT_FOUND_CODES = {
    "job_id": "JOB_NOT_FOUND",
    "snapshot_id": "SNAPSHOT_NOT_FOUND",
    "dataset_id": "DATASET_NOT_FOUND",
    "storage_key": "UPLOAD_NOT_FOUND",
}
"""By path parameter, the code of what it names; any other parameter is NOT_FOUND."""

HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-Id": {
        "description": "The request, as logs and reports name it.",
        "schema": {"type": "string"},
        "example": f"req_{ULID}",
    },
    "X-Correlation-Id": {
        "description": "The caller's `X-Correlation-Id`, or a new one.",
        "schema": {"type": "string"},
        "example": "7c3b1d1e-6d0f-4d9a-9a55-0d5c4d1b2f10",
    },
    "Idempotency-Replayed": {
        "description": "`true` when this is the stored answer to an earlier request with the same idempotency key.",
        "schema": {"type": "string"},
        "example": "true",
    },
    "WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string"}, "example": "Bearer"},
    "X-RateLimit-Limit": {
        "description": "Requests that the tier allows in a window.",
        "schema": {"type": "integer"},
        "example": 600,
    },
    "X-RateLimit-Remaining": {
        "description": "Requests left in the window.",
        "schema": {"type": "integer"},
        "example": 592,
    },
    "X-RateLimit-Reset": {
        "description": "When requests come back, in epoch seconds.",
        "schema": {"type": "integer"},
        "example": 1795561921,
    },
    "RateLimit": {
        "description": "The same as a structured field: `r` requests remain, more come back in `t` seconds.",
        "schema": {"type": "string"},
        "example": '"default";r=592;t=37',
    },
    "RateLimit-Policy": {
        "description": "The limit as a structured field: `q` requests in any `w` seconds.",
        "schema": {"type": "string"},
        "example": '"default";q=600;w=60',
    },
    "X-Credits-Remaining": {
        "description": "Credits left, as this process knows; in enforced mode only.",
        "schema": {"type": "integer"},
        "example": 4899,
    },
    "X-Credits-Remaining-Simulated": {
        "description": "Credits that enforced mode would have left, below 0 too; in shadow mode only.",
        "schema": {"type": "integer"},
        "example": 4899,
    },
    "Link": {"description": "Where to top up.", "schema": {"type": "string"}, "example": '</pay>; rel="payment"'},
    "X-Concurrency-Limit": {
        "description": "Requests that may be answered at the same time.",
        "schema": {"type": "integer"},
        "example": 16,
    },
    "X-Queue-Depth": {"description": "Jobs that wait.", "schema": {"type": "integer"}, "example": 3},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}, "example": 2},
    "Location": {
        "description": "Where the new thing is found.",
        "schema": {"type": "string"},
        "example": f"/api/v2/jobs/job_{ULID}",
    },
}
