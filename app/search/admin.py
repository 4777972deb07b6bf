"""Makes, fills, seals, swaps and removes indices; synchronous, for build processes and activation."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from opensearchpy import OpenSearch

from app.errors import InternalError
from app.search.errors import translated
from app.search.names import writing_alias
from app.search.template import IndexBody

_LONG_S = 600
"""Force-merging tens of millions of records takes minutes; the engine goes on when the client gives up."""


class IndexAdmin:
    """Every call raises SearchUnavailable when the engine does not answer; use one per process."""

    def __init__(self, client: OpenSearch) -> None:
        self._client = client

    def create(self, index: str, body: IndexBody) -> str:
        """Makes an index that nobody reads; the alias under which it takes writes until `seal`."""
        writing = writing_alias(index)
        with translated():
            self._client.indices.create(index=index, body={**body.body, "aliases": {writing: {}}})
        return writing

    def refresh(self, index: str) -> None:
        with translated():
            self._client.indices.refresh(index=index)

    def force_merge(self, index: str) -> None:
        with translated():
            self._client.indices.forcemerge(
                index=index, params={"max_num_segments": 1, "flush": "true"}, request_timeout=_LONG_S
            )

    def seal(self, index: str, replicas: int) -> None:
        """From now on nobody can write to the index."""
        settings = {"index": {"number_of_replicas": replicas, "blocks.write": True}}
        with translated():
            self._client.indices.delete_alias(index=index, name=writing_alias(index))
            self._client.indices.put_settings(index=index, body=settings)

    def count(self, index: str) -> int:
        with translated():
            return int(self._client.count(index=index)["count"])

    def size_bytes(self, index: str) -> int:
        with translated():
            stats = self._client.indices.stats(index=index, metric="store")
        return int(stats["_all"]["primaries"]["store"]["size_in_bytes"])

    def template_digest(self, index: str) -> str | None:
        """The digest that stands in the index's mapping, None when it has none."""
        with translated():
            mapping = self._client.indices.get_mapping(index=index)
        meta: dict[str, Any] = mapping[index]["mappings"].get("_meta", {})
        return meta.get("template_digest")

    def swap_alias(self, alias: str, index: str) -> None:
        """Points `alias` at `index` and at nothing else, in one atomic action."""
        actions: list[dict[str, Any]] = [
            {"remove": {"index": old, "alias": alias}} for old in self.alias_targets(alias) if old != index
        ]
        actions.append({"add": {"index": index, "alias": alias}})
        with translated():
            self._client.indices.update_aliases(body={"actions": actions})

    def alias_targets(self, alias: str) -> list[str]:
        """The physical indices behind an alias (one, or none); `alias` may be a pattern."""
        with translated():
            found = self._client.indices.get_alias(name=alias, params={"ignore": 404})
        return sorted(found.keys() - {"error", "status"})

    def existing(self, pattern: str) -> list[str]:
        """The names of all indices that match a pattern; none for a full name that no index has."""
        with translated():
            found = self._client.cat.indices(
                index=pattern, params={"format": "json", "h": "index", "expand_wildcards": "all", "ignore": 404}
            )
        return sorted(row["index"] for row in found) if isinstance(found, list) else []

    def created_before(self, pattern: str, time: datetime) -> list[str]:
        """The names of the indices that match a pattern and are older."""
        with translated():
            found = self._client.cat.indices(
                index=pattern, params={"format": "json", "h": "index,creation.date", "expand_wildcards": "all"}
            )
        return sorted(row["index"] for row in found if int(row["creation.date"]) < time.timestamp() * 1000)

    def delete(self, indices: Iterable[str]) -> None:
        """Removes indices by their full names; one that is not there is no error."""
        for index in indices:
            if "*" in index:
                raise InternalError(f"Refused to delete indices by pattern: {index}")
            with translated():
                self._client.indices.delete(index=index, params={"ignore_unavailable": "true"})

    def close(self) -> None:
        self._client.close()
