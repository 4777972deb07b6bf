"""`python -m bench.quality.wrong --sets FOLDER [name …]`: what the running stack gets wrong, for a person to read.

Of each query: what was linked or missed, the best candidate with its reasons, and the right one with its rank, score and reasons.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from app.client import Client
from app.profiles import find_profile
from bench.quality.__main__ import asking, candidates, load
from bench.quality.sets import LabelledSet, find_sets, profile_of, read_set, shown

Match = dict[str, Any]


def main() -> None:
    chosen = asking(__doc__).parse_args()
    with Client.from_connection(Path("var/connection.json")) as client:
        for name, folder in find_sets(chosen.sets, chosen.names).items():
            labelled = read_set(folder, name)
            dataset_id, snapshot_id = load(client, labelled)
            counts = Counter[str]()
            asked = labelled.sample(chosen.queries)
            for kind, lines in _wrong(client, snapshot_id, labelled, asked, chosen.profile or profile_of(name)):
                counts[kind] += 1
                print(f"{name}: {kind}", *lines, sep="\n    ", flush=True)
            client.call("DELETE", f"/datasets/{dataset_id}")
            print(f"{name}: {len(asked)} queries,", ", ".join(f"{kind}: {n}" for kind, n in sorted(counts.items())))


def _wrong(
    client: Client, snapshot_id: str, labelled: LabelledSet, queries: Sequence[dict[str, str]], profile: str
) -> Iterator[tuple[str, list[str]]]:
    threshold = find_profile(profile).match_threshold
    names = {row["id"]: _fields(row) for row in labelled.master}
    for query in queries:
        answers = labelled.answers.get(query["id"], set[str]())
        matches = candidates(client, snapshot_id, query, profile)
        kind = _kind(matches, answers, threshold)
        if kind:
            best = [_told("best", 1, matches[0])] if matches else []
            yield kind, [f"asked {_fields(query)}", *best, *_answers(matches, answers, names)]


def _kind(matches: Sequence[Match], answers: set[str], threshold: float) -> str | None:
    """What is wrong with the answer to a query, or None."""
    linked = bool(matches) and matches[0]["score"] >= threshold
    if linked and matches[0]["record_id"] not in answers:
        return "linked to another" if answers else "linked, has no answer"
    if not answers or linked:
        return None
    if not any(match["record_id"] in answers for match in matches):
        return "not retrieved"
    return "right, but below the threshold" if matches[0]["record_id"] in answers else "another is first, not linked"


def _answers(matches: Sequence[Match], answers: set[str], names: dict[str, str]) -> list[str]:
    ranked = {match["record_id"]: rank for rank, match in enumerate(matches, start=1)}
    found = [_told("right", ranked[one], matches[ranked[one] - 1]) for one in sorted(answers) if one in ranked]
    return [*found, *(f"right, not retrieved: {names[one]}" for one in sorted(answers) if one not in ranked)]


def _told(which: str, rank: int, match: Match) -> str:
    reasons = ", ".join(f"{reason['code']} {reason['weight']:+.1f}" for reason in match["reasons"])
    return f"{which} #{rank} {match['score']:.3f} {_fields(match['record'])} ({reasons})"


def _fields(row: dict[str, Any]) -> str:
    return " | ".join(map(str, shown(row).values()))


if __name__ == "__main__":
    main()
