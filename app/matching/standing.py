"""Standing decisions: what a person decided about a record and a master record, once and for all.

A record is known by its comparable form: records that the matcher cannot tell apart are the same record, so the same
decisions hold for them, whatever their spelling, field names or way in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import orjson
import xxhash

from app.matching.index_terms import Form


class Verdict(StrEnum):
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class StandingDecision:
    """One pair's verdict; `id` grows with time, `actor` is the id of the key that decided."""

    id: str
    verdict: Verdict
    record_id: str
    actor: str
    expires_at: datetime | None = None


def record_identity(form: Form) -> bytes:
    """Equal for forms that compare alike: the order of a slot's values does not matter."""
    return xxhash.xxh3_128_digest(orjson.dumps([sorted(found) if found else None for found in form]))


def in_force(decisions: Iterable[StandingDecision], at: datetime) -> dict[str, StandingDecision]:
    """By master record, the verdicts about one record that hold: the newest about each pair, and one "always" at most.

    A record is one entity, so a newer "always" takes the place of an older one.
    """
    newest: dict[str, StandingDecision] = {}
    for decision in sorted(decisions, key=lambda one: one.id):
        if decision.expires_at is None or decision.expires_at > at:
            newest[decision.record_id] = decision
    always = max((one.id for one in newest.values() if one.verdict is Verdict.ALWAYS), default="")
    return {record_id: one for record_id, one in newest.items() if one.verdict is Verdict.NEVER or one.id == always}
