"""What a file job keeps in the file store: chunks in, chunks out, and the artefacts; the same content gives the same bytes."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

_LEVEL = 1
"""Chunks live for minutes; writing them fast matters more than their size."""
RESULT_COLUMNS = {
    "match_record_id": "string",
    "match_score": "float",
    "match_confidence": "string",
    "match_decision": "string",
    "match_reasons": "string",
    "match_rank": "int",
}
"""What a result adds to the columns of its file, with their types; the reasons are a JSON text."""
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ChunkInput:
    """Rows of the file that belong together: those that could be read, and the rejects among them."""

    rows: list[int]
    """Number of each record in the file, from 1."""
    lines: list[int | None]
    records: list[Record]
    rejects: list[Record]
    kept: list[list[Any] | None] = field(default_factory=list)
    """Of a delta: each record's earlier answer, as `KeptAnswer` has it in JSON; None where there was none."""

    def __len__(self) -> int:
        return len(self.rows) + len(self.rejects)


@dataclass(frozen=True, slots=True)
class ChunkOutput:
    """The chunk's part of the result, of the rejects and of the answers, all in the file's order."""

    results: list[Record]
    rejects: list[Record]
    answers: list[list[Any]] = field(default_factory=list)
    """Row of the file and its `KeptAnswer` in JSON, of each row that has an answer."""
    counts: dict[str, int] = field(default_factory=dict)
    """Of a delta: what became of the rows, beyond what a Tally says."""


@dataclass(frozen=True, slots=True)
class JobFiles:
    """The keys of one job's files."""

    job_id: str

    @property
    def folder(self) -> str:
        return f"jobs/{self.job_id}"

    @property
    def work(self) -> str:
        """Chunks; removed when the job has ended."""
        return f"{self.folder}/work"

    @property
    def rejects(self) -> str:
        return f"{self.folder}/rejects.ndjson.gz"

    @property
    def answers(self) -> str:
        """What a later delta needs to know of the answers; kept as long as the result."""
        return f"{self.folder}/answers.ndjson.gz"

    @property
    def scope(self) -> str:
        """Of a delta: what must be matched again."""
        return f"{self.work}/scope"

    def chunk_input(self, number: int) -> str:
        return f"{self.work}/{number:07d}.in"

    def chunk_output(self, number: int) -> str:
        return f"{self.work}/{number:07d}.out"

    def result(self, output_format: str) -> str:
        return f"{self.folder}/results.{output_format}"


def reject(row: int, line: int | None, record: Any, code: str, message: str, field: str | None = None) -> Record:
    """One line of the rejects artefact, in the form that snapshots use."""
    return {"row": row, "line": line, "record": record, "errors": [{"field": field, "code": code, "message": message}]}


def pack_input(chunk: ChunkInput) -> bytes:
    return pack(_fields(chunk))


def unpack_input(content: bytes) -> ChunkInput:
    return ChunkInput(**unpack(content))


def pack_output(output: ChunkOutput) -> bytes:
    return pack(_fields(output))


def unpack_output(content: bytes) -> ChunkOutput:
    return ChunkOutput(**unpack(content))


def result_rows(record: Mapping[str, Any], answer: Mapping[str, Any]) -> list[Record]:
    """The rows of the result for one input row: one a kept match, and one with the decision when there is none."""
    if not answer["matches"]:
        return [{**record, **dict.fromkeys(RESULT_COLUMNS), "match_decision": answer["decision"]}]
    return [
        {
            **record,
            "match_record_id": match["record_id"],
            "match_score": match["score"],
            "match_confidence": match["confidence"],
            "match_decision": match["decision"],
            "match_reasons": orjson.dumps(match["reasons"]).decode(),
            "match_rank": rank,
        }
        for rank, match in enumerate(answer["matches"], start=1)
    ]


def pack(content: Mapping[str, Any]) -> bytes:
    return zlib.compress(orjson.dumps(content), _LEVEL)


def unpack(content: bytes) -> Any:
    return orjson.loads(zlib.decompress(content))


def _fields(chunk: ChunkInput | ChunkOutput) -> dict[str, Any]:
    return {name: getattr(chunk, name) for name in chunk.__slots__}
