"""The decision log in OpenSearch: an index a day behind one alias, which Dashboards read and retention drops whole."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib import resources
from typing import Any

import orjson
from opensearchpy import AsyncOpenSearch

from app.errors import InvalidRequest
from app.search.errors import translated

_TIMEOUT_S = 15
_TOO_MANY = 429
_FILTERS = ("decision", "snapshot_id", "job_id", "record_hash")


@dataclass(frozen=True, slots=True)
class DecisionFilter:
    """Which decisions of an organisation; `since` is inclusive, `until` exclusive, None means any."""

    since: datetime | None = None
    until: datetime | None = None
    decision: str | None = None
    snapshot_id: str | None = None
    job_id: str | None = None
    record_hash: str | None = None


class DecisionIndex:
    """Writes, lists and drops; raises SearchUnavailable when the engine does not answer."""

    def __init__(self, client: AsyncOpenSearch, prefix: str, replicas: int) -> None:
        self.alias = f"{prefix}-decisions".lower()
        self._client = client
        self._replicas = replicas
        self._made: set[str] = set()

    async def write(self, documents: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], int]:
        """The documents that the engine had no room for, and how many it will never take.

        A document is known by its `decision_id`: written again, it replaces itself.
        """
        lines: list[bytes] = []
        for document in documents:
            index = self._index_of(document["at"][:10])
            await self._ensure(index)
            lines += (
                orjson.dumps({"index": {"_index": index, "_id": document["decision_id"]}}),
                orjson.dumps(document),
            )
        with translated():
            answer = await self._client.transport.perform_request(
                "POST",
                "/_bulk",
                params={"filter_path": "errors,items.*.status", "request_timeout": _TIMEOUT_S, "ignore": _TOO_MANY},
                body=b"\n".join(lines) + b"\n",
            )
        if answer.get("status") == _TOO_MANY:
            return list(documents), 0
        if not answer["errors"]:
            return [], 0
        statuses = [int(item["index"]["status"]) for item in answer["items"]]
        busy = [document for document, status in zip(documents, statuses, strict=True) if status == _TOO_MANY]
        self._made.clear()  # an index may have been removed by hand
        return busy, sum(status >= 300 and status != _TOO_MANY for status in statuses)

    async def list_page(
        self, organisation_id: str, wanted: DecisionFilter, limit: int, cursor: str | None
    ) -> dict[str, Any]:
        """The contract's list answer, newest first; raises InvalidRequest for a cursor that is none of ours."""
        body: dict[str, Any] = {
            "size": limit + 1,
            "query": {"bool": {"filter": _filters(organisation_id, wanted)}},
            "sort": [{"at": "desc"}, {"decision_id": "desc"}],
            "track_total_hits": False,
        }
        if cursor is not None:
            body["search_after"] = _read(cursor)
        params = {"ignore_unavailable": "true", "allow_no_indices": "true", "request_timeout": _TIMEOUT_S}
        with translated():
            answer = await self._client.search(index=self.alias, body=body, params=params)
        hits = answer["hits"]["hits"]
        more = len(hits) > limit
        hits = hits[:limit]
        data = [_shown(hit["_source"]) for hit in hits]
        return {"data": data, "has_more": more, "next_cursor": _write(hits[-1]["sort"]) if more else None}

    async def drop_before(self, day: date) -> int:
        """Removes the indices of the days before `day`; how many."""
        with translated():
            found = await self._client.indices.get_alias(name=self.alias, params={"ignore": 404})
        first_kept = self._index_of(day.isoformat())
        old = sorted(name for name in found if name.startswith(f"{self.alias}-") and name < first_kept)
        for name in old:
            with translated():
                await self._client.indices.delete(index=name, params={"ignore_unavailable": "true"})
            self._made.discard(name)
        return len(old)

    async def _ensure(self, index: str) -> None:
        """Makes the day's index from the template, once a process and day."""
        if index in self._made:
            return
        with translated():
            await self._client.indices.put_index_template(name=self.alias, body=self._template())
            await self._client.indices.create(index=index, params={"ignore": 400})
        self._made.add(index)

    def _template(self) -> dict[str, Any]:
        body: dict[str, Any] = orjson.loads(resources.files("index_templates").joinpath("decisions.json").read_bytes())
        body["index_patterns"] = [f"{self.alias}-*"]
        body["template"]["aliases"] = {self.alias: {}}
        body["template"]["settings"]["index"]["number_of_replicas"] = self._replicas
        return body

    def _index_of(self, iso_day: str) -> str:
        return f"{self.alias}-{iso_day.replace('-', '.')}"


def _filters(organisation_id: str, wanted: DecisionFilter) -> list[dict[str, Any]]:
    ends = {"gte": wanted.since, "lt": wanted.until}
    between = {end: _iso(time) for end, time in ends.items() if time is not None}
    given = {name: getattr(wanted, name) for name in _FILTERS if getattr(wanted, name) is not None}
    terms = {"organisation_id": organisation_id, **given}
    return [{"range": {"at": between}}, *({"term": {name: value}} for name, value in terms.items())]


def _shown(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "organisation_id"}


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _write(place: list[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def _read(cursor: str) -> list[Any]:
    try:
        at, decision_id = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
        return [int(at), str(decision_id)]
    except (binascii.Error, ValueError, TypeError) as exc:
        raise InvalidRequest("The cursor is not one that a list answered with.", field="cursor") from exc
