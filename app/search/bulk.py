"""Posts documents to an index under construction: a few requests in flight, refused items sent again, none sent twice."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from opensearchpy import OpenSearch

from app.errors import InternalError, SearchUnavailable
from app.search.errors import translated

_ACTION = b'{"index":{}}\n'
_BODY_BYTES_MAX = 8 * 1024 * 1024
"""A batch of long records is posted in several requests; the engine refuses bodies of more than 100 MB."""
_ATTEMPTS = 8
_FIRST_WAIT_S = 0.25
_TOO_MANY = 429
_BULK_PARAMS = {"filter_path": "errors,items.*.status,items.*.error.type", "require_alias": "true"}
"""`require_alias`: an index that was deleted meanwhile is not silently made anew with guessed mappings."""


class BulkSender:
    """One per build process; `target` is the alias under which the index takes writes."""

    def __init__(self, client: OpenSearch, target: str, in_flight: int) -> None:
        self._client = client
        self._path = f"/{target}/_bulk"
        self._pool = ThreadPoolExecutor(in_flight, thread_name_prefix="bulk")
        self._sent: deque[tuple[int, Future[None]]] = deque()
        self._in_flight = in_flight

    def send(self, documents: Sequence[bytes]) -> int:
        """Queues documents, waits while too many requests are in flight; the number of records now indexed."""
        for body in _bodies(documents):
            self._sent.append((len(body), self._pool.submit(self._post, body)))
        return self._settle(self._in_flight)

    def finish(self) -> int:
        """Waits for all; the number of records indexed since the last call."""
        indexed = self._settle(0)
        self._pool.shutdown()
        return indexed

    def _settle(self, allowed: int) -> int:
        indexed = 0
        while self._sent and (len(self._sent) > allowed or self._sent[0][1].done()):
            rows, future = self._sent.popleft()
            future.result()
            indexed += rows
        return indexed

    def _post(self, documents: Sequence[bytes]) -> None:
        """Raises SearchUnavailable, or InternalError with the engine's error type, never a record's values."""
        wait_s = _FIRST_WAIT_S
        for _ in range(_ATTEMPTS):
            documents = self._post_once(documents)
            if not documents:
                return
            time.sleep(wait_s)
            wait_s *= 2
        raise SearchUnavailable("The search engine keeps refusing documents: it is overloaded.")

    def _post_once(self, documents: Sequence[bytes]) -> Sequence[bytes]:
        """The documents that the engine had no room for."""
        body = _ACTION + (b"\n" + _ACTION).join(documents) + b"\n"
        with translated():
            answer = self._client.transport.perform_request(
                "POST", self._path, params={**_BULK_PARAMS, "ignore": _TOO_MANY}, body=body
            )
        if answer.get("status") == _TOO_MANY:
            return documents
        if not answer["errors"]:
            return ()
        statuses = [_status(item["index"]) for item in answer["items"]]
        return [document for document, status in zip(documents, statuses, strict=True) if status == _TOO_MANY]


def _status(item: dict[str, Any]) -> int:
    status = int(item["status"])
    if status >= 300 and status != _TOO_MANY:
        raise InternalError(f"The search engine refused a document: {item.get('error', {}).get('type')}")
    return status


def _bodies(documents: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    start = size = 0
    for at, document in enumerate(documents):
        if size + len(document) > _BODY_BYTES_MAX and at > start:
            yield documents[start:at]
            start, size = at, 0
        size += len(document)
    if start < len(documents):
        yield documents[start:]
