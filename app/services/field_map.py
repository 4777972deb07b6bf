"""Names of a file to fields of a dataset: `field_map` says which column is which field, null leaves a column out.

A file of columns (CSV, Parquet) is judged as a whole before its first row: a column that is no field would reject every
row. NDJSON has names of its own in every record and is judged row by row, as records appended inline are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from app.errors import InvalidSchema
from app.files.blocks import Block, FileFormat, RecordReader
from app.files.snapshots import DELETED

FieldNames = Mapping[str, str | None]


class FieldMap:
    """Reads blocks by the dataset's names; raises InvalidSchema when whole columns cannot be stored."""

    def __init__(
        self, reader: RecordReader, fields: Mapping[str, str], primary_key: str | None, given: FieldNames
    ) -> None:
        self._given = dict(given)
        self._fields = frozenset(fields)
        self._has_columns = reader.format is not FileFormat.NDJSON
        self._can_delete = primary_key is not None
        self._columns: dict[str, str] = {}
        if self._has_columns:
            self._columns = self._checked(reader.columns, primary_key)

    def _checked(self, columns: Sequence[str], primary_key: str | None) -> dict[str, str]:
        missing = [name for name in self._given if name not in columns]
        if missing:
            raise InvalidSchema(f"The file has no column {missing[0]!r}.", field="field_map", columns=missing)
        targets = [(name, to) for name in columns if (to := self._given.get(name, name)) is not None]
        twice = [name for name, count in Counter(to for _, to in targets).items() if count > 1]
        if twice:
            raise InvalidSchema(f"More than one column would be field {twice[0]!r}.", field=twice[0])
        unknown = [name for name, to in targets if to not in self._fields and not (to == DELETED and self._can_delete)]
        if unknown:
            raise InvalidSchema(
                f"Column {unknown[0]!r} is no field of the dataset: name its field in field_map, or null to leave it out.",
                field=unknown[0],
                columns=unknown,
            )
        found = {to: name for name, to in targets}
        if primary_key is not None and primary_key not in found:
            raise InvalidSchema(f"No column of the file is the primary key {primary_key!r}.", field=primary_key)
        return found

    def column(self, block: Block, field: str) -> Sequence[Any]:
        """The values of a field, None where a row has none."""
        if self._has_columns:
            return block.column(self._columns.get(field, field)) if field in self._columns else [None] * len(block.rows)
        return [self._renamed(record).get(field) for record in block.records] if self._given else block.column(field)

    def record(self, block: Block, at: int) -> dict[str, Any]:
        """A row as it could have been appended inline."""
        record = self._renamed(block.records[at])
        if self._has_columns and self._can_delete and DELETED in record:
            # Every row of a file of columns has the mark's column; in CSV it is text.
            mark = str(record.pop(DELETED) or "false").lower()
            if mark != "false":
                record[DELETED] = True if mark == "true" else mark
        return record

    def doubtful(self, block: Block) -> npt.NDArray[np.bool_]:
        """Rows that have a deletion mark or a name that is no field's."""
        if not self._has_columns:
            known = self._fields.issuperset
            return np.fromiter((not known(self._renamed(record)) for record in block.records), bool, len(block.rows))
        if DELETED not in self._columns:
            return np.zeros(len(block.rows), bool)
        marks = block.column(self._columns[DELETED])
        return np.fromiter((mark is not None for mark in marks), bool, len(marks))

    def _renamed(self, record: Mapping[str, Any]) -> dict[str, Any]:
        if not self._given:
            return dict(record)
        return {to: value for name, value in record.items() if (to := self._given.get(name, name)) is not None}
