"""What a key may do: scopes, and roles as named sets of them from `roles.yaml`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import resources

import yaml

from app.errors import Forbidden, InternalError, InvalidSchema

SCOPES = (
    "datasets:read",
    "datasets:write",
    "datasets:activate",
    "match:run",
    "uploads:write",
    "jobs:read",
    "jobs:cancel",
    "webhooks:read",
    "webhooks:write",
    "billing:read",
    "billing:write",
    "audit:read",
    "keys:admin",
)
ROLES = ("viewer", "matcher", "steward", "admin")


@cache
def roles() -> dict[str, tuple[str, ...]]:
    """The scopes of each role; raises InternalError when the file names what there is not."""
    found = yaml.safe_load(resources.files("app.services").joinpath("roles.yaml").read_text("utf-8"))
    wrong = {scope for scopes in found.values() for scope in scopes} - set(SCOPES)
    if wrong or set(found) != set(ROLES):
        raise InternalError(f"roles.yaml must give scopes to {', '.join(ROLES)}; unknown scopes: {sorted(wrong)}.")
    return {role: tuple(scopes) for role, scopes in found.items()}


def chosen(scopes: Iterable[str] | None, role: str | None) -> list[str]:
    """The scopes of a new key, from exactly one of the two; raises InvalidSchema."""
    if (scopes is None) == (role is None):
        raise InvalidSchema("Give exactly one of scopes and role.", field="scopes")
    if role is not None and role not in ROLES:
        raise InvalidSchema(f"There is no role {role!r}.", field="role", known=list(ROLES))
    wanted = sorted(set(roles()[role] if role is not None else scopes or ()))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown:
        raise InvalidSchema(f"There is no scope {unknown[0]!r}.", field="scopes", known=list(SCOPES))
    if not wanted:
        raise InvalidSchema("A key needs at least one scope.", field="scopes", known=list(SCOPES))
    return wanted


def check_covered(scopes: Iterable[str], own: frozenset[str]) -> None:
    """Nobody hands out what he does not have; raises Forbidden naming the first scope that is missing."""
    missing = sorted(set(scopes) - own)
    if missing:
        raise Forbidden(f"This key lacks the scope {missing[0]!r}, so it cannot give it.", scope=missing[0])
