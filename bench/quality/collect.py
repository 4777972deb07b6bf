"""Turns labelled sets into training rows: the features of every candidate that the product's own path retrieves."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import orjson
from scipy import sparse

from app.bootstrap import Services
from app.files.bundle import Bundle
from app.matching.compare import Comparison, compare
from app.matching.compare.candidates import feature_names
from app.matching.layout import Kind, slots_of
from app.matching.rerank import Query, prepare_query
from app.matching.roles import infer_roles
from app.matching.schema import Role
from app.profiles import find_profile
from bench.quality.sets import LabelledSet, shown

COLUMNS = tuple((kind, name) for kind in (*(k.value for k in Kind), "hint") for name in feature_names(kind))
_FIRST = {kind: i for i, (kind, _) in reversed(list(enumerate(COLUMNS)))}
_PROFILE = find_profile("balanced")
_CHUNK = 50
_FIRST_FIELD_DROP = 0.25


@dataclass(frozen=True)
class TrainingRows:
    """`features` is (candidates, COLUMNS), `right` and `query` one entry a candidate; queries without candidates are left out."""

    name: str
    rows: int
    features: sparse.csr_matrix
    right: npt.NDArray[np.bool_]
    query: npt.NDArray[np.int64]
    answerable: npt.NDArray[np.bool_]
    """One entry a query."""
    alone: npt.NDArray[np.bool_]
    """One entry a query: whether one value of it is compared."""


async def collect(
    services: Services,
    bundle: Bundle,
    labelled: LabelledSet,
    count: int,
    drop: float = 0.0,
    ways: Sequence[Collection[str]] = (),
) -> TrainingRows:
    """Compares `count` queries with the set's activated master.

    Fields are dropped with probability `drop`, the first seldom. With `ways` each query has the fields of one of them, in turn.
    """
    queries = labelled.sample(count)
    rng = random.Random(count)
    records = [shown(query) for query in queries]
    if ways:
        records = [_only(record, ways[at % len(ways)]) for at, record in enumerate(records)]
    asked = _prepared(bundle, [_thinned(record, drop, rng) for record in records])
    found = await _retrieve(services, bundle, asked, _PROFILE.candidates)
    answers = [labelled.answers.get(query["id"], set()) for query in queries]
    return _compared(bundle, labelled.name, asked, found, answers)


def collect_pairs(bundle: Bundle, labelled: LabelledSet) -> TrainingRows:
    """Compares the labelled pairs of a set, each as a query of its own with one candidate."""
    queries = {query["id"]: query for query in labelled.queries}
    asked = _prepared(bundle, [shown(queries[query_id]) for query_id, _, _ in labelled.pairs])
    ordinals = [bundle.ordinal_of(record_id) for _, record_id, _ in labelled.pairs]
    found = [[] if ordinal is None else [ordinal] for ordinal in ordinals]
    answers = [{record_id} if same else set[str]() for _, record_id, same in labelled.pairs]
    return _compared(bundle, labelled.name, asked, found, answers)


def ways_to_name_a_person(labelled: LabelledSet) -> list[list[str]]:
    """Where a set's queries give a person's name in several fields: all fields but those names, with one of them at a time."""
    roles = infer_roles(dict.fromkeys(shown(labelled.queries[0]), "string"))
    whole = [[name] for name, role in roles.items() if role is Role.PERSON_NAME]
    halves = [name for name, role in roles.items() if role in (Role.GIVEN_NAME, Role.FAMILY_NAME)]
    ways = [*whole, halves] if halves else whole
    others = [name for name in roles if [name] not in whole and name not in halves]
    return [[*way, *others] for way in ways] if len(ways) > 1 else []


def _only(record: dict[str, str], fields: Collection[str]) -> dict[str, str]:
    return {name: value for name, value in record.items() if name in fields} or record


def _prepared(bundle: Bundle, records: Sequence[dict[str, str]]) -> list[Query]:
    slots = slots_of(bundle.schema)
    return [prepare_query(record, slots, _PROFILE, bundle.frequencies, {}) for record in records]


def _compared(
    bundle: Bundle,
    name: str,
    asked: Sequence[Query],
    found: Sequence[Sequence[int]],
    answers: Sequence[set[str]],
) -> TrainingRows:
    slots = slots_of(bundle.schema)
    blocks, right, owners = [], list[bool](), list[int]()
    alone = np.zeros(len(asked), np.bool_)
    for q, (query, ordinals) in enumerate(zip(asked, found, strict=True)):
        if not ordinals:
            continue
        forms = [orjson.loads(form) for form in bundle.forms.read_many(ordinals)]
        comparison = compare(slots, query.form, forms, bundle.frequencies)
        blocks.append(sparse.csr_matrix(_matrix(comparison)))
        alone[q] = comparison.of_one_value
        records = (orjson.loads(record) for record in bundle.records.read_many(ordinals))
        right += [record["record_id"] in answers[q] for record in records]
        owners += [q] * len(ordinals)
    features = sparse.vstack(blocks).tocsr()
    answerable = np.array([bool(some) for some in answers])
    return TrainingRows(name, bundle.meta.rows, features, np.array(right), np.array(owners), answerable, alone)


def _thinned(record: dict[str, str], drop: float, rng: random.Random) -> dict[str, str]:
    """The first field is mostly the name, which few records lack; what is left of a record is never nothing."""
    gone = [rng.random() < (drop if i else drop * _FIRST_FIELD_DROP) for i in range(len(record))]
    left = {name: value for (name, value), lacks in zip(record.items(), gone, strict=True) if not lacks}
    return left or record


async def activated(services: Services, organisation_id: str, labelled: LabelledSet) -> Bundle:
    """The set's master as a dataset of the organisation, appended and activated."""
    schema = {"id": "string"} | dict.fromkeys(labelled.fields, "string")
    dataset = await services.datasets.create(organisation_id, labelled.name, schema, "id", {})
    records = [{name: row[name] or None for name in schema} for row in labelled.master]
    appended = await services.datasets.append(organisation_id, dataset["dataset_id"], records)
    job = await services.jobs.create(
        organisation_id, "activate", {"dataset_id": dataset["dataset_id"], "snapshot_id": appended["snapshot_id"]}
    )
    await services.runner.run(job["job_id"])
    return (await services.match.resolve(organisation_id, appended["snapshot_id"], None)).bundle


async def _retrieve(services: Services, bundle: Bundle, asked: Sequence[Query], candidates: int) -> list[list[int]]:
    found: list[list[int]] = []
    for start in range(0, len(asked), _CHUNK):
        plans = [replace(query.plan) for query in asked[start : start + _CHUNK]]
        answers = await services.match.index.retrieve_many(bundle.meta.index, plans, candidates)
        found += [[candidate.ordinal for candidate in answer] for answer in answers]
    return found


def _matrix(comparison: Comparison) -> npt.NDArray[np.float32]:
    features = np.zeros((comparison.candidates, len(COLUMNS)), np.float32)
    for slot in comparison.slots:
        first = _FIRST[slot.kind]
        features[:, first : first + slot.features.shape[1]] += slot.features
    return features
