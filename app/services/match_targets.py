"""Finds the index and the open bundle that a snapshot or a dataset is matched against; remembers them for a moment."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from app.db.indices import IndexRepository
from app.db.models import IndexRow
from app.errors import InvalidSchema, NotFound, SnapshotNotActive
from app.files.bundle import FILES, META, Bundle
from app.matching.layout import slots_of
from app.ports import FileStore
from app.services.learned import Learned, LearnedCache

log = structlog.get_logger(__name__)

_SNAPSHOT_TTL_S = 5.0
"""A snapshot's index only ever goes away, and then the engine says so."""
_DATASET_TTL_S = 0.5
"""A dataset's active snapshot changes: an activation is seen after at most this long."""
_MAX_OPEN_BUNDLES = 16


@dataclass(frozen=True, slots=True)
class MatchTarget:
    """What a request is matched against, and what people taught about its dataset."""

    snapshot_id: str
    dataset_id: str
    index: str
    bundle: Bundle
    learned: Learned


@dataclass(frozen=True, slots=True)
class _Serving:
    """A kept index, as the records of account know it."""

    snapshot_id: str
    dataset_id: str
    name: str


class MatchTargets:
    """Resolves targets; one per process."""

    def __init__(
        self,
        indices: IndexRepository,
        store: FileStore,
        learned: LearnedCache,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._indices = indices
        self._store = store
        self._learned = learned
        self._clock = clock
        self._known: dict[tuple[str, str], tuple[float, _Serving]] = {}
        self._bundles: OrderedDict[str, Bundle] = OrderedDict()

    async def resolve(self, organisation_id: str, snapshot_id: str | None, dataset_id: str | None) -> MatchTarget:
        """The target of exactly one of the two ids; raises InvalidSchema for none or both."""
        if (snapshot_id is None) == (dataset_id is None):
            raise InvalidSchema("Give exactly one of snapshot_id and dataset_id.", field="snapshot_id")
        if snapshot_id is not None:
            serving = await self._remembered(
                (organisation_id, snapshot_id),
                _SNAPSHOT_TTL_S,
                lambda: self._indices.of_snapshot(organisation_id, snapshot_id),
            )
        else:
            serving = await self._remembered(
                (organisation_id, str(dataset_id)),
                _DATASET_TTL_S,
                lambda: self._indices.of_dataset(organisation_id, str(dataset_id)),
            )
        bundle = await self._bundle(serving)
        learned = await self._learned.of(serving.dataset_id, slots_of(bundle.schema))
        return MatchTarget(serving.snapshot_id, serving.dataset_id, serving.name, bundle, learned)

    async def _remembered(
        self, key: tuple[str, str], ttl_s: float, look_up: Callable[[], Awaitable[IndexRow]]
    ) -> _Serving:
        now = self._clock()
        found = self._known.get(key)
        if found is not None and found[0] > now:
            return found[1]
        row = await look_up()
        serving = _Serving(row.snapshot_id, row.dataset_id, row.name)
        self._known = {k: v for k, v in self._known.items() if v[0] > now}
        self._known[key] = (now + ttl_s, serving)
        return serving

    async def _bundle(self, serving: _Serving) -> Bundle:
        bundle = self._bundles.get(serving.name)
        if bundle is not None:
            self._bundles.move_to_end(serving.name)
            return bundle
        try:
            paths = [await self._store.local_path(f"indices/{serving.name}/{name}") for name in FILES]
            bundle = Bundle.open(paths[FILES.index(META)].parent)
        except (FileNotFoundError, NotFound) as exc:
            raise SnapshotNotActive(
                f"The index of snapshot {serving.snapshot_id} is gone; activate the snapshot again.",
                snapshot_id=serving.snapshot_id,
            ) from exc
        if bundle.meta.is_outdated:
            log.warning("index_outdated", snapshot_id=serving.snapshot_id, what_to_do="activate the snapshot again")
        self._bundles[serving.name] = bundle
        while len(self._bundles) > _MAX_OPEN_BUNDLES:
            self._bundles.popitem(last=False)
        return bundle
