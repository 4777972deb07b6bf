"""What matching knows of what people taught about a dataset; remembered for a moment, so that no match waits for SQL."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from app.db.learned import LearnedRepository
from app.db.learned_models import CalibrationRow, StandingRow
from app.matching.adapting import Adaptation, adapted
from app.matching.index_terms import Form
from app.matching.layout import Kind, Slot
from app.matching.profile import Profile
from app.matching.rerank import comparable
from app.matching.standing import StandingDecision, Verdict, in_force, record_identity
from app.profiles import load_profiles

_TTL_S = 0.5
"""A standing decision or calibration made in another process is seen after at most this long."""
_MAX_DATASETS = 256

Slots = tuple[Slot, ...]
_Ignored = frozenset[Kind]


@dataclass(frozen=True, slots=True)
class _Decided:
    """A standing decision with the record that it is about, as it was given."""

    decision: StandingDecision
    record: Mapping[str, Any]
    field_map: Mapping[str, str]


@dataclass(slots=True)
class Learned:
    """Of one dataset, at one revision; the default is a dataset that nobody taught anything."""

    revision: int = 0
    decided: tuple[_Decided, ...] = ()
    calibrations: tuple[CalibrationRow, ...] = ()
    _identities: dict[tuple[str, Slots, _Ignored], bytes] = field(default_factory=dict)
    _books: dict[tuple[Slots, _Ignored], dict[bytes, list[StandingDecision]]] = field(default_factory=dict)
    _profiles: dict[str, Profile] = field(default_factory=dict)

    def profile(self, shipped: Profile) -> Profile:
        """The profile as this dataset's labels changed it, or the shipped one."""
        if not self.calibrations:
            return shipped
        if shipped.name not in self._profiles:
            self._profiles[shipped.name] = self._calibrated(shipped)
        return self._profiles[shipped.name]

    def _calibrated(self, shipped: Profile) -> Profile:
        for row in self.calibrations:
            if row.profile == shipped.name and row.model == shipped.model.name:
                tag = f"cal{row.number}"
                model = adapted(shipped.model, Adaptation.from_json(row.adaptation), f"{shipped.model.name}+{tag}")
                return replace(shipped, model=model, calibration=tag)
        return shipped

    def standing(self, slots: Slots, profile: Profile, form: Form, at: datetime) -> dict[str, StandingDecision]:
        """By master record id, the decisions that hold for a record of this comparable form."""
        if not self.decided:
            return {}
        found = self._book(slots, profile.ignored_kinds).get(record_identity(form))
        return in_force(found, at) if found else {}

    def read(self, slots: Slots) -> None:
        """Normalises the records of all decisions as these slots have it; what was read before is not read again."""
        for ignored in {profile.ignored_kinds for profile in load_profiles().values()}:
            self._book(slots, ignored)

    def knows(self, slots: Slots) -> bool:
        return not self.decided or any(known == slots for known, _ in self._books)

    def succeed(self, earlier: Learned) -> None:
        """Takes over what an earlier revision has read."""
        kept = {one.decision.id for one in self.decided}
        self._identities = {key: digest for key, digest in earlier._identities.items() if key[0] in kept}

    def _book(self, slots: Slots, ignored: _Ignored) -> dict[bytes, list[StandingDecision]]:
        book = self._books.get((slots, ignored))
        if book is None:
            book = {}
            for one in self.decided:
                book.setdefault(self._identity(one, slots, ignored), []).append(one.decision)
            self._books[slots, ignored] = book
        return book

    def _identity(self, one: _Decided, slots: Slots, ignored: _Ignored) -> bytes:
        key = one.decision.id, slots, ignored
        if key not in self._identities:
            _, form = comparable(one.record, slots, ignored, one.field_map)
            self._identities[key] = record_identity(form)
        return self._identities[key]


class LearnedCache:
    """One per process; asks for a dataset's revision twice a second while it is matched, and loads what has changed."""

    def __init__(self, repository: LearnedRepository, clock: Callable[[], float] = time.monotonic) -> None:
        self._repository = repository
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, Learned]] = OrderedDict()

    async def of(self, dataset_id: str, slots: Slots) -> Learned:
        """What is known of a dataset, its decisions read as `slots` have it."""
        until, learned = self._known.get(dataset_id, (0.0, Learned()))
        if until <= self._clock():
            checked = self._clock()
            if await self._repository.revision(dataset_id) != learned.revision:
                learned = await self._load(dataset_id, learned)
            self._known[dataset_id] = checked + _TTL_S, learned
            self._known.move_to_end(dataset_id)
            while len(self._known) > _MAX_DATASETS:
                self._known.popitem(last=False)
        if not learned.knows(slots):
            await asyncio.to_thread(learned.read, slots)
        return learned

    def forget(self, dataset_id: str) -> None:
        """After a change in this process: the next match sees it."""
        if dataset_id in self._known:
            self._known[dataset_id] = 0.0, self._known[dataset_id][1]

    async def _load(self, dataset_id: str, earlier: Learned) -> Learned:
        revision, decisions, calibrations = await self._repository.load(dataset_id)
        learned = Learned(revision, tuple(_decided(row) for row in decisions), tuple(calibrations))
        learned.succeed(earlier)
        return learned


def _decided(row: StandingRow) -> _Decided:
    decision = StandingDecision(row.id, Verdict(row.verdict), row.record_id, row.actor, row.expires_at)
    return _Decided(decision, row.record, row.field_map)
