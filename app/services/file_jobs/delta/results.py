"""What a delta says of a row: which answer it had, which it has, and what of it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.errors import FoundryOpsError
from app.matching.delta import KeptAnswer, change_of
from app.services.file_jobs.chunk_files import ChunkInput, ChunkOutput, Record
from app.services.file_jobs.chunks import rejected
from app.services.file_jobs.delta.scope import COUNTS
from app.services.file_jobs.rows import Answer
from app.services.match_kept import KEPT

_OF_AN_ANSWER = {"decision": "string", "record_id": "string", "score": "float", "record_ids": "string"}
DELTA_COLUMNS = {
    "match_change": "string",
    **{f"match_{time}_{name}": kind for time in ("before", "after") for name, kind in _OF_AN_ANSWER.items()},
}
"""What a delta's result adds to the columns of its file: the change, then of both answers the decision, the best match with its
score, and all matched record ids as a JSON text, best first."""


@dataclass(slots=True)
class DeltaOutput:
    """A chunk's output as it grows, row by row."""

    output: ChunkOutput = field(default_factory=lambda: ChunkOutput([], [], [], dict.fromkeys(COUNTS, 0)))
    matched: int = 0
    """Rows that have a match now."""

    def add(self, row: int, record: Record, before: KeptAnswer | None, after: KeptAnswer | None) -> None:
        """Takes a row with both its answers; None of one that could not be matched."""
        if after is not None:
            self.output.answers.append([row, after.to_json()])
            self.matched += bool(after.matches)
        change = change_of(before, after)
        if change is not None:
            self.output.counts[change.value] += 1
            self.output.results.append({**record, "match_change": change.value, **_told(before, after)})
        elif after is not None:
            self.output.counts["unchanged"] += 1


def delta_output(
    chunk: ChunkInput,
    kept: Sequence[KeptAnswer | None],
    standing: Mapping[int, KeptAnswer],
    answers: Mapping[int, Answer],
) -> tuple[ChunkOutput, int]:
    """The chunk's output, and how many of its rows have a match now.

    `kept` are the earlier answers; every position is in one of `standing` and `answers`, which were matched again.
    """
    made = DeltaOutput()
    made.output.rejects.extend(chunk.rejects)
    made.output.counts["matched_again"] = len(answers)
    for at, (row, line, record) in enumerate(zip(chunk.rows, chunk.lines, chunk.records, strict=True)):
        answer = standing.get(at) or answers[at]
        if isinstance(answer, FoundryOpsError):
            made.output.rejects.append(rejected(row, line, record, answer))
        made.add(row, record, kept[at], _kept(answer))
    made.output.rejects.sort(key=lambda one: one["row"])
    return made.output, made.matched


def _kept(answer: Answer | KeptAnswer) -> KeptAnswer | None:
    if isinstance(answer, FoundryOpsError):
        return None
    if isinstance(answer, KeptAnswer):
        return answer
    found: KeptAnswer = answer[KEPT]
    return found


def _told(before: KeptAnswer | None, after: KeptAnswer | None) -> dict[str, Any]:
    return {
        f"match_{time}_{name}": value
        for time, answer in (("before", before), ("after", after))
        for name, value in _columns(answer).items()
    }


def _columns(answer: KeptAnswer | None) -> dict[str, Any]:
    if answer is None:
        return dict.fromkeys(_OF_AN_ANSWER)
    record_id, score = answer.matches[0] if answer.matches else (None, None)
    ids = orjson.dumps(answer.record_ids).decode()
    return {"decision": answer.decision, "record_id": record_id, "score": score, "record_ids": ids}
