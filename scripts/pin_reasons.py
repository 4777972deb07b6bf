"""Writes the tables of docs/reasons.md from the catalogue; read the diff before you commit it."""

from __future__ import annotations

from pathlib import Path

from app.matching.catalogue import catalogue

TARGET = Path(__file__).parent.parent / "docs" / "reasons.md"
MARK = "<!-- codes -->"


def table() -> str:
    """One row a code, in the catalogue's order."""
    rows = [f"| `{one.code}` | {one.label} | {one.meaning} |" for one in catalogue()]
    return "\n".join(["| code | label | when |", "|---|---|---|", *rows])


if __name__ == "__main__":
    before, _, _ = TARGET.read_text("utf-8").partition(MARK)
    TARGET.write_text(f"{before}{MARK}\n{table()}\n", "utf-8")
