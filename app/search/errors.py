"""The one seam where opensearch-py's errors become ours, most specific first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opensearchpy import exceptions as foreign

from app.errors import FoundryOpsError, InternalError, SearchUnavailable, SnapshotNotActive

_RETRY_AFTER_S = 2
_BUSY_STATUS = frozenset({429, 502, 503, 504})


@contextmanager
def translated() -> Iterator[None]:
    """Lets no foreign error out: SearchUnavailable when asking again may help, SnapshotNotActive when the index is gone."""
    try:
        yield
    except foreign.ConnectionTimeout as exc:
        raise _unavailable("The search engine did not answer in time.") from exc
    except foreign.ConnectionError as exc:
        raise _unavailable("The search engine does not answer.") from exc
    except foreign.TransportError as exc:
        raise answer_error(exc.status_code, _error_body(exc.info)) from exc
    except foreign.SerializationError as exc:
        # A proxy in front of a starting node answers in HTML.
        raise _unavailable("The search engine's answer could not be read.") from exc


def answer_error(status: int | str, error: dict[str, Any]) -> FoundryOpsError:
    """Our error for an error answer of the engine (of a request, or of one search of an `_msearch`)."""
    kind = str(error.get("type", ""))
    if kind in {"index_not_found_exception", "index_closed_exception"}:
        return SnapshotNotActive("The snapshot's index is gone; activate the snapshot again.")
    if status in _BUSY_STATUS or kind == "search_phase_execution_exception":
        return _unavailable("The search engine is overloaded or not ready.")
    return InternalError(f"The search engine refused a request: {status} {kind}")


def partial_answer() -> FoundryOpsError:
    """For an answer that lacks the hits of a shard: candidates may be missing, so it is no answer."""
    return _unavailable("The search engine answered from a part of the index only.")


def _unavailable(message: str) -> SearchUnavailable:
    return SearchUnavailable(message, retry_after_s=_RETRY_AFTER_S)


def _error_body(info: Any) -> dict[str, Any]:
    error = info.get("error") if isinstance(info, dict) else None
    return error if isinstance(error, dict) else {}
