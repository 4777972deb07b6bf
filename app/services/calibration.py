"""Calibrates a profile to a dataset's labels: compares the pairs, refits, judges on held-back pairs, installs what is better."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import orjson

from app.errors import Conflict, InvalidSchema
from app.matching.adapting import Adaptation
from app.matching.fitting import LabelledRecord, fit, scores
from app.matching.judging import HeldBack, judge
from app.matching.profile import Profile
from app.profiles import find_profile
from app.services.calibrations import Calibrations, Outcome
from app.services.jobs import Job, JobService
from app.services.labels import Label, LabelService
from app.services.learned import Learned
from app.services.match import MatchService
from app.services.match_ranking import Ranked
from app.services.match_records import MatchCall, MatchOptions, read_record

_LEAST_LABELS = 20
_LEAST_OF_EACH = 5
_FOLDS = 5
_GROUP_RECORDS = 50

_HOW_TO_LABEL = (
    "Label pairs as the product answers them: the best candidate of records taken as they come, right or wrong, and wrong "
    "runners-up beside it."
)


@dataclass(slots=True)
class _Compared:
    """Labelled records as the product compares them, and the labels that comparison cannot use."""

    kinds: tuple[str, ...] = ()
    rows: int = 0
    records: list[LabelledRecord] = field(default_factory=list)
    unusable: int = 0
    """The record cannot be matched, or the snapshot has no such master record."""
    not_retrieved: int = 0
    """Right pairs that retrieval does not find: no score can help them."""

    @property
    def labels(self) -> list[bool]:
        return [label for record in self.records for label in record.labels.values()]


class CalibrationService:
    """Runs `calibrate` jobs."""

    def __init__(self, match: MatchService, labels: LabelService, calibrations: Calibrations, jobs: JobService) -> None:
        self._match = match
        self._labels = labels
        self._calibrations = calibrations
        self._jobs = jobs

    async def submit(self, organisation_id: str, dataset_id: str, profile: str) -> dict[str, Any]:
        """The accepted job; raises DatasetNotFound, SnapshotNotActive, and InvalidSchema for an unknown profile."""
        await self._match.resolve(organisation_id, None, dataset_id)
        payload = {"dataset_id": dataset_id, "profile": find_profile(profile).name}
        return await self._jobs.create(organisation_id, "calibrate", payload)

    async def run(self, job: Job) -> None:
        """Raises Conflict when there are too few labels to learn from."""
        dataset_id, profile = job.payload["dataset_id"], find_profile(job.payload["profile"])
        labels = await self._labels.all_of(dataset_id)
        compared = await self._compare(job, labels, profile)
        _check_enough(compared, len(labels))
        adaptation, report = await asyncio.to_thread(_refit, compared, profile)
        report |= {
            "profile": f"{profile.name}@{profile.version}",
            "labels": len(labels),
            "used": len(compared.labels),
            "matches": sum(compared.labels),
            "unusable": compared.unusable,
            "not_retrieved": compared.not_retrieved,
            "adaptation": adaptation.to_json(),
        }
        outcome = Outcome(job.organisation_id, dataset_id, profile, adaptation, report)
        await self._jobs.complete(job.id, await self._calibrations.add(job.id, outcome))

    async def _compare(self, job: Job, labels: Sequence[Label], profile: Profile) -> _Compared:
        """On the product's own path, with the shipped model and without standing decisions."""
        target = await self._match.resolve(job.organisation_id, None, job.payload["dataset_id"])
        call = MatchCall.of(replace(target, learned=Learned()), MatchOptions(profile=profile.name, threshold=0.0))
        kinds = tuple(dict.fromkeys([*(slot.kind.value for slot in call.slots), "hint"]))
        compared = _Compared(kinds, target.bundle.frequencies.rows)
        by_record: dict[bytes, list[Label]] = {}
        for label in labels:
            by_record.setdefault(orjson.dumps(dict(label.record), option=orjson.OPT_SORT_KEYS), []).append(label)
        groups = list(by_record.values())
        for start in range(0, len(groups), _GROUP_RECORDS):
            await self._compare_group(call, groups[start : start + _GROUP_RECORDS], compared)
            await self._jobs.progress(job.id, min(start + _GROUP_RECORDS, len(groups)), len(groups))
        return compared

    async def _compare_group(self, call: MatchCall, groups: Sequence[list[Label]], compared: _Compared) -> None:
        asked, kept = [], []
        for group in groups:
            try:
                asked.append(read_record(group[0].record, call))
                kept.append(group)
            except InvalidSchema:
                compared.unusable += len(group)
        for group, ranked in zip(kept, await self._match.rank(call, asked), strict=True):
            _add_labels(call, group, ranked, compared)


def _add_labels(call: MatchCall, group: Sequence[Label], ranked: Ranked, compared: _Compared) -> None:
    at = {candidate.ordinal: position for position, candidate in enumerate(ranked.candidates)}
    known: dict[int, bool] = {}
    for label in group:
        ordinal = call.target.bundle.ordinal_of(label.record_id)
        if ordinal is None:
            compared.unusable += 1
        elif ordinal in at:
            known[at[ordinal]] = label.match
        elif label.match:
            compared.not_retrieved += 1
    if known:
        evidence, scores = _by_kind(ranked, compared.kinds), ranked.reranked.scores
        compared.records.append(LabelledRecord(evidence, known, scores.copies, scores.shift))


def _by_kind(ranked: Ranked, kinds: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(kinds, candidates): what the slots of each kind add, in nats."""
    evidence = np.zeros((len(kinds), len(ranked.candidates)))
    for slot, added in zip(ranked.reranked.comparison.slots, ranked.reranked.scores.slots, strict=True):
        evidence[kinds.index(slot.kind)] += added
    return evidence


def _check_enough(compared: _Compared, given: int) -> None:
    right = sum(compared.labels)
    wrong = len(compared.labels) - right
    if len(compared.labels) < _LEAST_LABELS or min(right, wrong) < _LEAST_OF_EACH:
        raise Conflict(
            f"Of {given} labels {len(compared.labels)} can be used, {right} of them matches; it takes {_LEAST_LABELS}, "
            f"{_LEAST_OF_EACH} of either kind. {_HOW_TO_LABEL}",
            labels=given,
            usable=len(compared.labels),
            matches=right,
            unusable=compared.unusable,
            not_retrieved=compared.not_retrieved,
        )


def _refit(compared: _Compared, profile: Profile) -> tuple[Adaptation, dict[str, Any]]:
    """The adaptation fitted on all labels, and the report on records held back in turn."""
    records, kinds, rows, model = compared.records, compared.kinds, compared.rows, profile.model
    fold = np.random.default_rng(0).permutation(len(records)) % _FOLDS
    after = [np.zeros(0)] * len(records)
    for one in range(_FOLDS):
        trained = fit([r for r, f in zip(records, fold, strict=True) if f != one], kinds, model, rows)
        for i in np.flatnonzero(fold == one).tolist():
            after[i] = scores([records[i]], kinds, model, trained, rows)
    owner = np.repeat(np.arange(len(records)), [len(record.labels) for record in records])
    before = scores(records, kinds, model, Adaptation(), rows)
    held_back = HeldBack(before, np.concatenate(after), np.array(compared.labels), owner)
    return fit(records, kinds, model, rows), judge(held_back, profile.match_threshold)
