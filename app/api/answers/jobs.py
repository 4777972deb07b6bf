"""Answers of /jobs, and of what is accepted as a job."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.api.answers.common import AT, JOB, shown


class Progress(BaseModel):
    processed: int
    total: int
    percentage: float


_JOB_EXAMPLE = {
    "job_id": JOB,
    "kind": "match_batch",
    "status": "running",
    "progress": {"processed": 42000, "total": 100000, "percentage": 42.0},
    "eta_seconds": 130,
    "created_at": AT,
    "started_at": AT,
    "finished_at": None,
    "error": None,
    "result": None,
    "results_url": f"/api/v2/jobs/{JOB}/results",
    "rejects_url": None,
}


class Job(BaseModel):
    model_config = shown(_JOB_EXAMPLE)

    job_id: str
    kind: str
    status: Literal["queued", "running", "completed", "failed", "cancelled"]
    progress: Progress
    eta_seconds: int | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    error: dict[str, Any] | None = Field(description="Why it failed: code, message, details")
    result: dict[str, Any] | None = Field(description="What came out, for kinds whose result is small")
    results_url: str | None
    rejects_url: str | None


class AcceptedJob(Job):
    model_config = shown(
        {
            **_JOB_EXAMPLE,
            "kind": "activate",
            "status": "queued",
            "progress": {"processed": 0, "total": 0, "percentage": 0.0},
            "eta_seconds": None,
            "started_at": None,
            "results_url": None,
            "poll_url": f"/api/v2/jobs/{JOB}",
        }
    )

    poll_url: str


class AcceptedBatch(BaseModel):
    model_config = shown(
        {
            "job_id": JOB,
            "status": "queued",
            "poll_url": f"/api/v2/jobs/{JOB}",
            "results_url": f"/api/v2/jobs/{JOB}/results",
        }
    )

    job_id: str
    status: Literal["queued"]
    poll_url: str
    results_url: str


class JobResult(BaseModel):
    """What a job came to; a batch's has one line a record in `results`, in the records' order."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [{"job_id": JOB, "results": [{"index": 0, "id": "lead-1", "decision": "no_match"}]}]
        },
    )
