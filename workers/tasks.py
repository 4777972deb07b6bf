"""The tasks that arq calls."""

from __future__ import annotations

from typing import Any

from app.bootstrap import Services


async def run_job(context: dict[str, Any], job_id: str) -> None:
    """Does one job, if it is still to be done."""
    services: Services = context["services"]
    await services.runner.run(job_id)


async def wake_lanes(context: dict[str, Any], job_id: str) -> None:
    """Tells this worker's lanes that a file job waits; the other workers see it a moment later by themselves."""
    services: Services = context["services"]
    services.lane.wake()


async def sweep(context: dict[str, Any]) -> None:
    """Wakes jobs that wait although nobody was told, or whose worker is gone."""
    services: Services = context["services"]
    await services.runner.sweep()


async def retain(context: dict[str, Any]) -> None:
    """Removes what has lived its time."""
    services: Services = context["services"]
    await services.repair()
    await services.retention.run()
