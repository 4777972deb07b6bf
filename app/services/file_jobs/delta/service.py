"""Delta jobs as their callers see them: accepted after a check of all that can be checked now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.db.indices import IndexRepository
from app.db.models import Base
from app.db.step_models import FileJobRow
from app.db.steps import StepRepository
from app.errors import Conflict, InvalidSchema
from app.ports import FILE_KINDS, FileStore, Uploads
from app.profiles import find_profile, profile_digest
from app.services.file_jobs.chunk_files import JobFiles
from app.services.file_jobs.delta.plan import answers_gone
from app.services.file_jobs.delta.results import DELTA_COLUMNS
from app.services.file_jobs.plan import check_columns
from app.services.file_jobs.service import first_step
from app.services.jobs import JobService
from app.services.match import MatchService
from app.services.match_targets import MatchTarget


@dataclass(frozen=True, slots=True)
class DeltaRequest:
    """What a caller asks for: the file of a job, answered against the one snapshot, now against the other."""

    from_snapshot_id: str
    to_snapshot_id: str
    job_id: str
    callback_url: str | None


@dataclass(frozen=True, slots=True)
class DeltaSources:
    """What says whether a delta can be made."""

    match: MatchService
    indices: IndexRepository
    steps: StepRepository
    uploads: Uploads
    store: FileStore


class DeltaService:
    """Submits match_delta jobs."""

    def __init__(self, sources: DeltaSources, jobs: JobService) -> None:
        self._sources = sources
        self._jobs = jobs

    async def submit(self, organisation_id: str, asked: DeltaRequest) -> dict[str, object]:
        """Pins the later snapshot and the profile and accepts the job.

        Raises JobNotFound, SnapshotNotFound, SnapshotNotActive; InvalidSchema for snapshots that cannot be compared and for a
        job that matched no file; JobNotReady or Conflict for one that is not completed, matched against another snapshot
        or with a profile that is no more; ArtifactExpired when its answers or its file are gone.
        """
        original = await self._jobs.get(organisation_id, asked.job_id)
        target = await self._check_snapshots(organisation_id, asked)
        if original["kind"] not in FILE_KINDS:
            raise InvalidSchema(
                f"Job {asked.job_id} is no job of /match/files or /match/delta.",
                field="job_id",
                received=original["kind"],
            )
        payload = await self._sources.steps.payload(asked.job_id)
        if payload["snapshot_id"] != asked.from_snapshot_id:
            raise Conflict(
                f"Job {asked.job_id} was matched against snapshot {payload['snapshot_id']}; give that as from_snapshot_id.",
                snapshot_id=payload["snapshot_id"],
            )
        await self._jobs.result(organisation_id, asked.job_id)
        await self._check_kept(organisation_id, asked.job_id, payload)
        return await self._create(organisation_id, asked, payload, target)

    async def _check_snapshots(self, organisation_id: str, asked: DeltaRequest) -> MatchTarget:
        dataset_id = await self._sources.indices.dataset_of(organisation_id, asked.from_snapshot_id)
        if asked.from_snapshot_id == asked.to_snapshot_id:
            raise InvalidSchema("from_snapshot_id and to_snapshot_id are the same snapshot.", field="to_snapshot_id")
        target = await self._sources.match.resolve(organisation_id, asked.to_snapshot_id, None)
        if target.dataset_id != dataset_id:
            raise InvalidSchema(
                "from_snapshot_id and to_snapshot_id are snapshots of different datasets.",
                field="to_snapshot_id",
                dataset_ids=[dataset_id, target.dataset_id],
            )
        return target

    async def _check_kept(self, organisation_id: str, job_id: str, payload: Mapping[str, Any]) -> None:
        await self._sources.uploads.check(organisation_id, payload["source_key"], "match")
        if await self._sources.store.size(JobFiles(job_id).answers) is None:
            raise answers_gone(job_id)
        row = await self._sources.steps.file_job(job_id)
        check_columns(row.columns, DELTA_COLUMNS)
        label = payload["options"]["profile"]
        try:
            same = profile_digest(find_profile(label).label) == row.profile_digest
        except InvalidSchema:
            same = False
        if not same:
            raise Conflict(
                f"Profile {label} is not what it was when job {job_id} was accepted; match the file again.",
                profile=label,
            )

    async def _create(
        self, organisation_id: str, asked: DeltaRequest, original: Mapping[str, Any], target: MatchTarget
    ) -> dict[str, object]:
        payload = {
            "snapshot_id": target.snapshot_id,
            "from_snapshot_id": asked.from_snapshot_id,
            "job_id": asked.job_id,
            "source_key": original["source_key"],
            "options": original["options"],
            "output_format": original["output_format"],
            "callback_url": asked.callback_url,
        }
        digest = profile_digest(original["options"]["profile"])

        def parts(job_id: str) -> Sequence[Base]:
            return FileJobRow(job_id=job_id, profile_digest=digest), first_step(job_id)

        return await self._jobs.create(
            organisation_id, "match_delta", payload, snapshot_id=target.snapshot_id, parts=parts
        )
