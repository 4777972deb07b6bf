"""Whatever kills an activation, the old snapshot serves, and the next run finishes it and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.bootstrap import Services
from app.config import Settings
from app.db.indices import IndexRepository
from app.errors import SearchUnavailable, SnapshotNotActive
from app.files.bundle import META
from app.search.admin import IndexAdmin
from app.search.client import Endpoint
from app.services import activation
from app.services.match import MatchOptions
from tests.deployment import Deployment, companies

RUN = """
import asyncio, sys
from app.bootstrap import build
from app.config import Settings

async def main():
    services = await build(Settings())
    await services.runner.run(sys.argv[1])

asyncio.run(main())
"""


async def environment(settings: Settings) -> dict[str, str]:
    names = ("database_url", "redis_url", "opensearch_url", "index_prefix", "store_dir", "build_processes")
    ours = {f"FOUNDRYOPS_{name.upper()}": str(getattr(settings, name)) for name in names}
    return {**os.environ, **ours, "PYTHONPATH": str(Path.cwd())}


async def first_match(services: Services, organisation_id: str, dataset_id: str, name: str) -> str | None:
    answer = await services.match.match_record(
        organisation_id, None, dataset_id, {"company": name}, MatchOptions(threshold=0.0, top_n=1)
    )
    return answer["matches"][0]["record"]["name"] if answer["matches"] else None


@pytest.mark.parametrize("wait_for", ["building", "files", "records"])
async def test_a_killed_build_is_finished_by_the_next_run(deployment: Deployment, wait_for: str) -> None:
    services = deployment.services
    dataset_id, first = await deployment.activated(companies(50, "Old"))
    appended = await services.datasets.append(deployment.organisation_id, dataset_id, companies(9_000, "New", 50))
    job = await deployment.activation_job(dataset_id, appended["snapshot_id"])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RUN, job, env=await environment(services.settings), start_new_session=True
    )
    await _reached(services, job, wait_for)
    os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
    assert await first_match(services, deployment.organisation_id, dataset_id, "Old Company 7") == "Old Company 7"
    assert (await services.datasets.get(deployment.organisation_id, dataset_id))["active_snapshot_id"] == first

    await deployment.forget_heartbeat(job)
    await services.runner.run(job)
    done = await services.jobs.get(deployment.organisation_id, job)
    assert done["status"] == "completed", done
    shown = await services.datasets.get(deployment.organisation_id, dataset_id)
    assert shown["active_snapshot_id"] == appended["snapshot_id"]
    assert shown["rows"] == 9_050
    assert await IndexRepository(services.db).of_job(job) == []
    await asyncio.sleep(0.6)  # as long as a process may remember which snapshot is active
    assert deployment.indices(dataset_id) == deployment.bundles(dataset_id)
    assert len(deployment.indices(dataset_id)) == 2


async def _reached(services: Services, job: str, what: str) -> None:
    """Waits until the build has got so far: its row is there, its folder is, or it has indexed records."""
    indices = IndexRepository(services.db)
    while True:
        rows = await indices.of_job(job)
        if rows:
            folder = services.settings.store_dir / "indices" / rows[0].name / "work"
            if what == "building" or (what == "files" and folder.exists()):
                return
            if what == "records" and any(file.stat().st_size for file in folder.glob("*records.bin")):
                return
        await asyncio.sleep(0.01)


async def test_a_cancelled_activation_leaves_nothing(deployment: Deployment) -> None:
    services = deployment.services
    dataset_id, first = await deployment.activated(companies(20, "Old"))
    appended = await services.datasets.append(deployment.organisation_id, dataset_id, companies(9_000, "New", 20))
    job = await deployment.activation_job(dataset_id, appended["snapshot_id"])
    running = asyncio.create_task(services.runner.run(job))
    await _reached(services, job, "building")
    await services.jobs.cancel(deployment.organisation_id, job)
    await running
    assert (await services.jobs.get(deployment.organisation_id, job))["status"] == "cancelled"
    assert (await services.datasets.get(deployment.organisation_id, dataset_id))["active_snapshot_id"] == first
    assert len(deployment.indices(dataset_id)) == len(deployment.bundles(dataset_id)) == 1


async def test_an_index_that_the_engine_lost_is_built_again(deployment: Deployment) -> None:
    services, owner = deployment.services, deployment.organisation_id
    dataset_id, snapshot_id = await deployment.activated(companies(20, "Some"))
    lost = deployment.indices(dataset_id)
    with closing(IndexAdmin(Endpoint.from_settings(services.settings).client(30))) as admin:
        admin.delete(lost)
    with pytest.raises(SnapshotNotActive, match="activate the snapshot again"):
        await first_match(services, owner, dataset_id, "Some Company 3")
    job = await deployment.activation_job(dataset_id, snapshot_id)
    await services.runner.run(job)
    done = await services.jobs.get(owner, job)
    assert (done["status"], done["result"]["reused_index"]) == ("completed", False), done
    assert deployment.indices(dataset_id) == deployment.bundles(dataset_id) != lost
    assert await first_match(services, owner, dataset_id, "Some Company 3") == "Some Company 3"


async def test_an_index_of_another_normalisation_serves_until_it_is_built_again(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, owner = deployment.services, deployment.organisation_id
    monkeypatch.setattr(activation, "NORMALISER_VERSION", "of an earlier release")
    dataset_id, snapshot_id = await deployment.activated(companies(20, "Some"))
    monkeypatch.undo()
    before = deployment.indices(dataset_id)
    with capture_logs() as logged:
        assert await first_match(services, owner, dataset_id, "Some Company 3") == "Some Company 3"
    assert [one["snapshot_id"] for one in logged if one["event"] == "index_outdated"] == [snapshot_id]
    job = await deployment.activation_job(dataset_id, snapshot_id)
    await services.runner.run(job)
    done = await services.jobs.get(owner, job)
    assert (done["status"], done["result"]["reused_index"]) == ("completed", False), done
    assert len(deployment.indices(dataset_id) - before) == 1
    again = await deployment.activation_job(dataset_id, snapshot_id)
    await services.runner.run(again)
    assert (await services.jobs.get(owner, again))["result"]["reused_index"] is True


async def test_an_index_that_lost_its_bundle_is_built_again_beside_it(deployment: Deployment) -> None:
    services, owner = deployment.services, deployment.organisation_id
    dataset_id, snapshot_id = await deployment.activated(companies(20, "Some"))
    [bare] = deployment.indices(dataset_id)
    (services.settings.store_dir / "indices" / bare / META).unlink()
    job = await deployment.activation_job(dataset_id, snapshot_id)
    await services.runner.run(job)
    done = await services.jobs.get(owner, job)
    assert (done["status"], done["result"]["reused_index"]) == ("completed", False), done
    assert await first_match(services, owner, dataset_id, "Some Company 3") == "Some Company 3"
    [whole] = deployment.indices(dataset_id) - {bare}
    assert (services.settings.store_dir / "indices" / whole / META).exists()


async def test_matching_recovers_when_the_engine_is_back(deployment: Deployment) -> None:
    dataset_id, _ = await deployment.activated(companies(20, "Some"))
    services = deployment.services
    async with deployment.behind_a_cable() as (cable, behind):
        assert await first_match(behind, deployment.organisation_id, dataset_id, "Some Company 3")
        await cable.cut()
        with pytest.raises(SearchUnavailable) as raised:
            await first_match(behind, deployment.organisation_id, dataset_id, "Some Company 3")
        assert raised.value.retry_after_s > 0
        await cable.mend()
        assert await first_match(behind, deployment.organisation_id, dataset_id, "Some Company 3") == "Some Company 3"
    assert services.settings.opensearch_url != behind.settings.opensearch_url
