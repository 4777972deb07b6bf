"""Matches the rows of chunks, whatever the job makes of the answers: all at once, and one by one where one breaks us."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from app.db.steps import Step, StepRepository
from app.errors import Conflict, FoundryOpsError, InternalError
from app.observability import frames_of
from app.profiles import profile_digest
from app.services.decisions import DecisionLog, Origin
from app.services.match import MatchOptions, MatchService
from app.services.match_kept import kept_answer_of
from app.services.match_targets import MatchTarget

log = structlog.get_logger(__name__)
Answer = dict[str, Any] | FoundryOpsError
Records = Sequence[Mapping[str, Any]]


class RowMatcher:
    """Answers carry their `KeptAnswer`."""

    def __init__(self, steps: StepRepository, match: MatchService, decisions: DecisionLog) -> None:
        self._steps = steps
        self._match = match
        self._decisions = decisions

    async def target(self, step: Step) -> tuple[MatchTarget, MatchOptions]:
        """Raises what a match of one record raises, and Conflict when the profile is another than accepted."""
        options = MatchOptions(**step.payload["options"])
        accepted = (await self._steps.file_job(step.job_id)).profile_digest
        if profile_digest(options.profile) != accepted:
            raise Conflict("The profile was changed while the job ran; submit the file again.", profile=options.profile)
        return await self._match.resolve(step.organisation_id, step.payload["snapshot_id"], None), options

    async def answers(self, target: MatchTarget, records: Records, options: MatchOptions) -> Sequence[Answer]:
        """All at once; when a record breaks us, each alone, so that only that one is lost to the rejects."""
        try:
            return await self._match.match_all(target, records, options, kept_answer_of)
        except FoundryOpsError:
            raise
        except Exception as exc:
            log.error("chunk_crashed", error_type=type(exc).__name__, frames=frames_of(exc))
            return [await self._alone(target, record, options) for record in records]

    def note(
        self, step: Step, rows: Sequence[int], records: Records, answers: Sequence[Answer], took_ms: float
    ) -> None:
        """Takes the answers down in the decision log; `rows` are numbers in the file, from 1."""
        origin = Origin(step.organisation_id, "file", step.job_id)
        for row, record, answer in zip(rows, records, answers, strict=True):
            if not isinstance(answer, FoundryOpsError):
                self._decisions.note(origin, record, answer, took_ms, row - 1)

    async def _alone(self, target: MatchTarget, record: Mapping[str, Any], options: MatchOptions) -> Answer:
        try:
            return (await self._match.match_all(target, [record], options, kept_answer_of))[0]
        except FoundryOpsError:
            raise
        except Exception as exc:
            log.error("record_crashed", error_type=type(exc).__name__, frames=frames_of(exc))
            return InternalError("Something went wrong on our side with this row.")
