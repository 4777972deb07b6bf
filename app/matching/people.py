"""Nicknames of given names."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def nicknames() -> dict[str, frozenset[str]]:
    """Given name -> the formal names that it may stand for, itself included."""
    groups: dict[str, set[str]] = {}
    for line in (files("app.matching.data") / "nicknames.txt").read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        formal, *short = line.split()
        for name in (formal, *short):
            groups.setdefault(name, set()).add(formal)
    return {name: frozenset(formal) for name, formal in groups.items()}
