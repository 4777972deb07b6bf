"""Batches of records as jobs: checked when they are accepted, matched by a worker on the same path as one record."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from app.errors import FoundryOpsError
from app.profiles import find_profile
from app.services.decisions import DecisionLog, Origin
from app.services.jobs import Job, JobService
from app.services.match import MatchOptions, MatchService

_CHUNK_RECORDS = 25
"""Records asked in one `_msearch`; small, so that a batch does not hold the engine for long."""


class BatchService:
    """Submits and runs match_batch jobs."""

    def __init__(self, match: MatchService, jobs: JobService, decisions: DecisionLog) -> None:
        self._match = match
        self._jobs = jobs
        self._decisions = decisions

    async def submit(
        self,
        organisation_id: str,
        snapshot_id: str | None,
        dataset_id: str | None,
        records: Sequence[Mapping[str, Any]],
        options: MatchOptions,
        callback_url: str | None,
    ) -> dict[str, Any]:
        """Pins the snapshot and accepts the job; raises what a match of one record would raise for the target."""
        target = await self._match.resolve(organisation_id, snapshot_id, dataset_id)
        find_profile(options.profile)
        payload = {
            "snapshot_id": target.snapshot_id,
            "records": list(records),
            "options": asdict(options),
            "callback_url": callback_url,
        }
        return await self._jobs.create(
            organisation_id, "match_batch", payload, len(records), snapshot_id=target.snapshot_id
        )

    async def run(self, job: Job) -> None:
        """Matches all records of a claimed job; one that cannot be matched gets its error in its place."""
        options = MatchOptions(**job.payload["options"])
        target = await self._match.resolve(job.organisation_id, job.payload["snapshot_id"], None)
        records: list[dict[str, Any]] = job.payload["records"]
        results: list[dict[str, Any]] = []
        origin = Origin(job.organisation_id, "batch", job.id)
        for start in range(0, len(records), _CHUNK_RECORDS):
            chunk = records[start : start + _CHUNK_RECORDS]
            own = [{key: value for key, value in record.items() if key != "id"} for record in chunk]
            began = time.perf_counter()
            answers = await self._match.match_all(target, own, options)
            took_ms = round((time.perf_counter() - began) * 1000 / len(chunk), 2)
            for offset, answer in enumerate(answers):
                results.append(_result(start + offset, chunk[offset], answer))
                if not isinstance(answer, FoundryOpsError):
                    self._decisions.note(origin, own[offset], answer, took_ms, start + offset)
            await self._jobs.progress(job.id, len(results), len(records))
        await self._jobs.complete(job.id, {"job_id": job.id, "results": results})


def _result(position: int, record: dict[str, Any], answer: dict[str, Any] | FoundryOpsError) -> dict[str, Any]:
    """An answer or error at its record's place, with the record's own id."""
    echoed: dict[str, Any] = {"index": position} | ({"id": record["id"]} if "id" in record else {})
    if isinstance(answer, FoundryOpsError):
        return {**echoed, "error": {"code": answer.code, "message": answer.message, "details": answer.details}}
    return {**echoed, **answer}
