"""Reads labelled sets: a folder with master.csv, queries.csv and gold.csv (query_id, master_id)."""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass, field, replace
from pathlib import Path

LABEL_COLUMNS = frozenset(
    "id split qtype ops lang kind hardness freq schema case_group quality category notes source_key name_stripped".split()
)
"""What describes the label is never shown to the matcher."""

FAMILIES = {
    "lead": ("finance_accounts", "gen"),
    "affiliation": ("ror_affiliations_", "leipzig_"),
    "organisation": ("ror_", "universities_"),
    "person": ("febrl", "fake_", "historical_", "rldata"),
    "product": ("abt_", "amazon_", "beer"),
    "citation": ("dblp_", "cora"),
    "place": ("fodors_", "chicago_", "orgs_"),
}
INCOMPLETE = frozenset({"beer", "name_bench_opensanctions"})
"""Sets whose gold misses right answers: a wrong link may be right, so calibration and precision mean nothing there.

Their labelled pairs are what can be learned from.
"""
_NAME = "name"


@dataclass(frozen=True)
class LabelledSet:
    """`answers` gives for each query id the right master ids; a query without an entry has none."""

    name: str
    master: list[dict[str, str]]
    queries: list[dict[str, str]]
    answers: dict[str, set[str]]
    pairs: list[tuple[str, str, bool]] = field(default_factory=list)
    """Labelled pairs to test on: query id, master id, whether they are the same; most sets have none."""

    @property
    def fields(self) -> list[str]:
        return [name for name in self.master[0] if name not in LABEL_COLUMNS]

    def sample(self, count: int, seed: int = 0) -> list[dict[str, str]]:
        chosen = list(self.queries)
        random.Random(seed).shuffle(chosen)
        return chosen[:count]


def family_of(name: str) -> str:
    """The kind of data of a set: sets of one family are left out of training together."""
    for family, prefixes in FAMILIES.items():
        if name.startswith(prefixes):
            return family
    return "names"


def profile_of(name: str) -> str:
    """The profile that a set is measured with."""
    return "leads_to_accounts" if name == "finance_accounts" else "balanced"


def read_set(folder: Path, name: str) -> LabelledSet:
    """Raises FileNotFoundError when the folder is not a labelled set."""
    answers: dict[str, set[str]] = {}
    for row in _rows(folder / "gold.csv"):
        answers.setdefault(row["query_id"], set()).add(row["master_id"])
    return LabelledSet(name, _rows(folder / "master.csv"), _rows(folder / "queries.csv"), answers, _pairs(folder))


def _pairs(folder: Path) -> list[tuple[str, str, bool]]:
    path = folder / "pairs.csv"
    rows = _rows(path) if path.exists() else []
    return [(row["query_id"], row["master_id"], row["label"] == "1") for row in rows if row["split"] in ("test", "all")]


def among_strangers(labelled: LabelledSet, folder: Path) -> LabelledSet:
    """The set with the master of a generated folder in its own, by names of fields; who bears a name of the set's is left out.

    Raises ValueError when the set's records have no field `name`.
    """
    columns = list(labelled.master[0])
    if _NAME not in columns:
        raise ValueError(
            f"{labelled.name} has no field {_NAME!r}, so that nothing could tell strangers from its own records"
        )
    own = {_letters(row[_NAME]) for row in labelled.master}
    strangers = [row for row in _rows(folder / "master.csv") if _letters(row[_NAME]) not in own]
    added = [{name: row.get(name, "") for name in columns} | {"id": f"stranger {row['id']}"} for row in strangers]
    return replace(labelled, master=labelled.master + added)


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


def find_sets(root: Path, wanted: list[str]) -> dict[str, Path]:
    """All labelled sets under a folder by name (`autofj/Award`), or those that are named; without any the command ends."""
    found = {str(path.parent.relative_to(root)): path.parent for path in sorted(root.rglob("gold.csv"))}
    chosen = {name: path for name, path in found.items() if not wanted or {name, name.split("/")[0]} & set(wanted)}
    if not chosen:
        named = f" called {' or '.join(wanted)}" if wanted else ""
        raise SystemExit(f"{root} holds no labelled set{named}: there is no such folder with a gold.csv.")
    return chosen


def shown(row: dict[str, str]) -> dict[str, str]:
    """What the matcher may see of a query: filled fields that do not describe the label."""
    return {name: value for name, value in row.items() if value and name not in LABEL_COLUMNS}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
