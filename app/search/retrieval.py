"""Retrieves candidates from OpenSearch: answers `app.ports.CandidateIndex` with ordinals and retrieval scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from opensearchpy import AsyncOpenSearch

from app.matching.plan import RetrievalPlan
from app.ports import Retrieved
from app.search.dsl import channels_of, search_body, within_filter
from app.search.errors import answer_error, partial_answer, translated

_ANSWER = "hits.hits._score,hits.hits.fields.ord,hits.hits.matched_queries,timed_out,_shards.failed"
_SEARCH_PARAMS = {"filter_path": _ANSWER, "allow_partial_search_results": "false"}
_MSEARCH_PARAMS = {
    "filter_path": ",".join(f"responses.{path}" for path in (*_ANSWER.split(","), "error", "status")),
    "max_concurrent_searches": "1",
}
"""One search of a group at a time: the engine's threads are for those who wait; another group and other workers fill them."""


class OpenSearchCandidateIndex:
    """One per process; keeps its connections alive and reconnects by itself when the node is back."""

    def __init__(self, client: AsyncOpenSearch) -> None:
        self._client = client

    async def retrieve(
        self, index: str, plan: RetrievalPlan, size: int, *, with_channels: bool = False
    ) -> list[Retrieved]:
        """The best `size` candidates, best first, ties by ordinal.

        Raises SearchUnavailable, or SnapshotNotActive when `index` does not exist.
        """
        if not plan.clauses:
            return []
        body = orjson.dumps(search_body(plan, size, with_channels=with_channels))
        with translated():
            answer = await self._client.transport.perform_request(
                "POST", f"/{index}/_search", params=_SEARCH_PARAMS, body=body
            )
        return _candidates(answer)

    async def retrieve_many(
        self,
        index: str,
        plans: Sequence[RetrievalPlan],
        size: int,
        *,
        with_channels: bool = False,
        within: Sequence[range] = (),
    ) -> list[list[Retrieved]]:
        """One `_msearch` for all plans, answers in their order; raises like `retrieve`, for all when one fails."""
        asked = [at for at, plan in enumerate(plans) if plan.clauses]
        found: list[list[Retrieved]] = [[] for _ in plans]
        if not asked:
            return found
        only = within_filter(within) if within else None
        lines: list[bytes] = []
        for at in asked:
            lines += (b"{}", orjson.dumps(search_body(plans[at], size, with_channels=with_channels, only=only)))
        with translated():
            answer = await self._client.transport.perform_request(
                "POST", f"/{index}/_msearch", params=_MSEARCH_PARAMS, body=b"\n".join(lines) + b"\n"
            )
        for at, one in zip(asked, answer["responses"], strict=True):
            if "error" in one:
                raise answer_error(one["status"], one["error"])
            found[at] = _candidates(one)
        return found

    async def close(self) -> None:
        await self._client.close()


def _candidates(answer: dict[str, Any]) -> list[Retrieved]:
    if answer.get("timed_out") or answer.get("_shards", {}).get("failed"):
        raise partial_answer()
    hits = answer.get("hits", {}).get("hits", ())
    found = [
        Retrieved(
            hit["fields"]["ord"][0],
            hit["_score"],
            channels_of(hit["matched_queries"]) if "matched_queries" in hit else (),
        )
        for hit in hits
    ]
    # The engine breaks ties by its internal document number, which differs from build to build; asking it to sort
    # by ordinal too would cost it the skipping of hopeless documents.
    found.sort(key=lambda candidate: (-candidate.retrieval_score, candidate.ordinal))
    return found
