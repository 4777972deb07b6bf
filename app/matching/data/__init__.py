"""Tables of the matching core, and how those of plain lines are read."""

from __future__ import annotations

from importlib.resources import files


def lines_of(name: str) -> list[str]:
    """The lines of a table, without its comments."""
    lines = (files(__name__) / name).read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]
