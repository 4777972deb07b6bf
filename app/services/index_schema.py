"""Decides what the fields of a snapshot mean, from their names, their first values and what the user set."""

from __future__ import annotations

from collections.abc import Mapping

from app.files.snapshots import SEQ, Manifest, SnapshotRows
from app.matching.roles import infer_roles
from app.matching.schema import FieldSpec, MatchSchema, Role
from app.services.index_worker import sample_values

_SAMPLED_ROWS = 5_000
_SAMPLED_VALUES = 1_000


def effective_schema(manifest: Manifest, rows: SnapshotRows, roles: Mapping[str, str]) -> MatchSchema:
    """The schema that matching uses; roles that the user set win over inferred ones; the primary key identifies, no more."""
    first = next(rows.batches(_SAMPLED_ROWS))
    columns = {name: first.column(name).to_pylist() for name in first.schema.names if name != SEQ}
    inferred = infer_roles(manifest.fields, sample_values(columns, _SAMPLED_VALUES))
    chosen = {**inferred, **{name: Role(role) for name, role in roles.items()}}
    fields = [FieldSpec(name, kind, chosen[name]) for name, kind in manifest.fields.items()]
    return MatchSchema(tuple(field for field in fields if field.name != manifest.primary_key or field.name in roles))
