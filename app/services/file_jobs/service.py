"""File jobs as their callers see them: accepted after a check of all that can be checked now, and their artefacts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from app.db.models import Base
from app.db.step_models import FileJobRow, StepRow
from app.db.steps import StepKind
from app.errors import ArtifactExpired, NotFound
from app.ports import FILE_KINDS, FileStore, Uploads
from app.profiles import find_profile, profile_digest
from app.services.file_jobs.chunk_files import JobFiles
from app.services.jobs import JobService
from app.services.match import MatchOptions, MatchService


@dataclass(frozen=True, slots=True)
class FileRequest:
    """What a caller asks for; exactly one of the two ids is given."""

    snapshot_id: str | None
    dataset_id: str | None
    source_key: str
    options: MatchOptions
    output_format: str
    callback_url: str | None


_MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}


@dataclass(frozen=True, slots=True)
class Artefact:
    """A file that can be read here."""

    path: Path
    media_type: str
    file_name: str


class FileJobService:
    """Submits match_files jobs."""

    def __init__(self, match: MatchService, jobs: JobService, uploads: Uploads, store: FileStore) -> None:
        self._match = match
        self._jobs = jobs
        self._uploads = uploads
        self._store = store

    async def submit(self, organisation_id: str, asked: FileRequest) -> dict[str, object]:
        """Pins snapshot and profile and accepts the job.

        Raises UploadNotFound, and what a match of one record would raise for the target, the profile and the field map.
        """
        target = await self._match.resolve(organisation_id, asked.snapshot_id, asked.dataset_id)
        await self._uploads.check(organisation_id, asked.source_key, "match")
        profile = find_profile(asked.options.profile)
        options = replace(asked.options, profile=profile.label, return_explanations=False)
        payload = {
            "snapshot_id": target.snapshot_id,
            "source_key": asked.source_key,
            "options": asdict(options),
            "output_format": asked.output_format,
            "callback_url": asked.callback_url,
        }

        def parts(job_id: str) -> Sequence[Base]:
            return FileJobRow(job_id=job_id, profile_digest=profile_digest(profile.label)), first_step(job_id)

        return await self._jobs.create(
            organisation_id,
            "match_files",
            payload,
            snapshot_id=target.snapshot_id,
            parts=parts,
        )

    async def result(self, organisation_id: str, job_id: str) -> Artefact | None:
        """The result of a completed file job; None for a job of another kind; raises ArtifactExpired."""
        job = await self._jobs.get(organisation_id, job_id)
        if job["kind"] not in FILE_KINDS:
            return None
        summary = await self._jobs.result(organisation_id, job_id)
        chosen = summary["output_format"]
        name = f"{job_id}.{chosen}"
        return await self._artefact(JobFiles(job_id).result(chosen), _MEDIA_TYPES[chosen], name)

    async def rejects(self, organisation_id: str, job_id: str) -> Artefact:
        """The rejects of a completed file job; raises NotFound for a job of another kind, and ArtifactExpired."""
        job = await self._jobs.get(organisation_id, job_id)
        if job["kind"] not in FILE_KINDS:
            raise NotFound(f"Job {job_id} is no file job: it has no rejects.", job_id=job_id)
        await self._jobs.result(organisation_id, job_id)
        return await self._artefact(JobFiles(job_id).rejects, "application/gzip", f"{job_id}.rejects.ndjson.gz")

    async def _artefact(self, key: str, media_type: str, file_name: str) -> Artefact:
        try:
            path = await self._store.local_path(key)
        except NotFound as exc:
            raise ArtifactExpired("The files of this job were kept for their time and are gone.") from exc
        return Artefact(path, media_type, file_name)


def first_step(job_id: str) -> StepRow:
    return StepRow(job_id=job_id, number=0, kind=StepKind.PLAN)
