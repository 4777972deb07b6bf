"""Names of aliases and physical indices; the only place that builds or parses them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IndexNames:
    """`<prefix>-<organisation>-<dataset>` is the alias that serves; a physical index adds `-<snapshot>-<6 hex>`."""

    prefix: str

    def alias(self, organisation_id: str, dataset_id: str) -> str:
        return f"{self.prefix}-{organisation_id}-{dataset_id}".lower()

    def new_index(self, organisation_id: str, dataset_id: str, snapshot_id: str) -> str:
        """A name that no index has yet: 24 random bits keep two builds of one snapshot apart."""
        return f"{self.alias(organisation_id, dataset_id)}-{snapshot_id.lower()}-{secrets.token_hex(3)}"

    def pattern(self, organisation_id: str | None = None, dataset_id: str | None = None) -> str:
        """Matches the physical indices of a dataset, or all that carry the prefix."""
        if organisation_id is None or dataset_id is None:
            return f"{self.prefix}-*-*-*-*".lower()
        return f"{self.alias(organisation_id, dataset_id)}-*"


def alias_of(index: str) -> str:
    """The alias that a physical index belongs to."""
    return index.rsplit("-", 2)[0]


def organisation_of(index: str) -> str:
    """The organisation's id in lower case, as it stands in the name of a physical index."""
    return index.rsplit("-", 4)[1]


def writing_alias(index: str) -> str:
    """The alias of an index under construction; gone once the index is sealed."""
    return f"{index}-building"
