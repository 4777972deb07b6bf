"""The calibrations of datasets: numbered, one in use for each profile, and taken back at any time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.learned import Asked, count_change, learned_page, locked_dataset
from app.db.learned_models import CalibrationRow
from app.db.models import now
from app.db.session import Database
from app.errors import NotFound
from app.identity import current
from app.ids import Prefix
from app.matching.adapting import Adaptation
from app.matching.profile import Profile
from app.services import audit
from app.services.keys import Principal
from app.services.learned import LearnedCache


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a calibration found; `report["better"]` says whether it is worth using."""

    organisation_id: str
    dataset_id: str
    profile: Profile
    adaptation: Adaptation
    report: dict[str, Any]


class Calibrations:
    """Owns the transactions of calibrations."""

    def __init__(self, db: Database, learned: LearnedCache) -> None:
        self._db = db
        self._learned = learned

    async def add(self, job_id: str, outcome: Outcome) -> dict[str, Any]:
        """Keeps what a job found, and installs it when it is better; a job that runs twice adds it once."""
        calibration_id = f"{Prefix.CALIBRATION.value}_{job_id.partition('_')[2]}"
        async with self._db.begin() as session:
            await locked_dataset(session, outcome.organisation_id, outcome.dataset_id)
            row = await session.get(CalibrationRow, calibration_id)
            if row is None:
                row = await self._insert(session, calibration_id, outcome)
        self._learned.forget(outcome.dataset_id)
        return _answer(row)

    async def _insert(self, session: AsyncSession, calibration_id: str, outcome: Outcome) -> CalibrationRow:
        better = bool(outcome.report["better"])
        mine = CalibrationRow.dataset_id == outcome.dataset_id
        if better:
            used = mine, CalibrationRow.profile == outcome.profile.name, CalibrationRow.state == "installed"
            for earlier in await session.scalars(select(CalibrationRow).where(*used)):
                earlier.state = "replaced"
        last = await session.scalar(select(func.max(CalibrationRow.number)).where(mine))
        row = CalibrationRow(
            id=calibration_id,
            organisation_id=outcome.organisation_id,
            dataset_id=outcome.dataset_id,
            number=(last or 0) + 1,
            profile=outcome.profile.name,
            model=outcome.profile.model.name,
            state="installed" if better else "rejected",
            adaptation=outcome.adaptation.to_json(),
            report=outcome.report,
            actor=current().actor,
            created_at=now(),
        )
        session.add(row)
        await count_change(session, outcome.dataset_id)
        await audit.record(session, row.organisation_id, "calibration.create", row.id, _named(row))
        return row

    async def list_page(self, organisation_id: str, dataset_id: str, limit: int, cursor: str | None) -> dict[str, Any]:
        return await learned_page(self._db, CalibrationRow, Asked(organisation_id, dataset_id, limit, cursor), _answer)

    async def reset(self, who: Principal, dataset_id: str, calibration_id: str) -> None:
        """Takes a calibration out of use: the shipped model answers again. Raises DatasetNotFound or NotFound."""
        async with self._db.begin() as session:
            await locked_dataset(session, who.organisation_id, dataset_id)
            row = await session.get(CalibrationRow, calibration_id)
            if row is None or row.dataset_id != dataset_id:
                raise NotFound(f"Dataset {dataset_id} has no calibration {calibration_id}.")
            if row.state == "installed":
                row.state = "reset"
                await count_change(session, dataset_id)
                await audit.record(session, who.organisation_id, "calibration.reset", row.id, _named(row))
        self._learned.forget(dataset_id)


def _named(row: CalibrationRow) -> dict[str, Any]:
    return {"dataset_id": row.dataset_id, "profile": row.profile, "number": row.number, "state": row.state}


def _answer(row: CalibrationRow) -> dict[str, Any]:
    return {
        "calibration_id": row.id,
        "dataset_id": row.dataset_id,
        "calibration": f"cal{row.number}",
        "profile": row.profile,
        "model": row.model,
        "state": row.state,
        "report": row.report,
        "created_at": row.created_at.isoformat().replace("+00:00", "Z"),
    }
