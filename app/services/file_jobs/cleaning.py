"""Removes the chunks of file jobs that have ended, however they ended."""

from __future__ import annotations

from app.db.steps import StepRepository
from app.ports import FileStore
from app.services.file_jobs.chunk_files import JobFiles


class Cleaner:
    """Idle workers clean; what one leaves behind, the next one finds."""

    def __init__(self, steps: StepRepository, store: FileStore) -> None:
        self._steps = steps
        self._store = store

    async def clean(self) -> None:
        for job_id in await self._steps.of_ended_jobs():
            await self._store.delete_prefix(JobFiles(job_id).work)
            await self._steps.forget(job_id)
