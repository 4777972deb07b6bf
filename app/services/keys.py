"""Organisations and API keys: a key is shown once and kept as a keyed hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import select

from app.db.models import ApiKey, Organisation, now
from app.db.session import Database
from app.errors import InvalidSchema, NotFound, Unauthorized
from app.ids import Prefix, new_id
from app.services import audit

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
_KEY_PREFIX = "fo_"
_KEY_BYTES = 32
_CACHE_TTL_S = 5.0
"""A revoked key works at most this long in a process that has just seen it."""
_MAX_CACHED = 10_000


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling."""

    organisation_id: str
    key_id: str
    scopes: frozenset[str]


class KeyService:
    """Makes, checks and revokes keys."""

    def __init__(self, db: Database, secret: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._secret = secret.encode()
        self._clock = clock
        self._seen: dict[str, tuple[float, Principal]] = {}

    async def create_organisation(self, name: str) -> str:
        """The new organisation's id."""
        organisation_id = new_id(Prefix.ORGANISATION)
        async with self._db.begin() as session:
            session.add(Organisation(id=organisation_id, name=name))
            await session.flush()
            await audit.record(session, organisation_id, "organisation.create", organisation_id, {"name": name})
        return organisation_id

    async def organisations(self) -> list[Organisation]:
        """All of them, oldest first."""
        async with self._db.begin() as session:
            return list(await session.scalars(select(Organisation).order_by(Organisation.id)))

    async def create(self, organisation_id: str, name: str, scopes: Iterable[str] = SCOPES) -> tuple[str, str]:
        """The id and the plain text of a new key; raises InvalidSchema for an unknown scope, NotFound without organisation."""
        chosen = sorted(set(scopes))
        unknown = [scope for scope in chosen if scope not in SCOPES]
        if unknown:
            raise InvalidSchema(f"There is no scope {unknown[0]!r}.", field="scopes", known=list(SCOPES))
        key_id, plain = new_id(Prefix.KEY), _KEY_PREFIX + secrets.token_urlsafe(_KEY_BYTES)
        async with self._db.begin() as session:
            if await session.get(Organisation, organisation_id) is None:
                raise NotFound(f"There is no organisation {organisation_id}.")
            session.add(
                ApiKey(id=key_id, organisation_id=organisation_id, name=name, digest=self._digest(plain), scopes=chosen)
            )
            await audit.record(session, organisation_id, "key.create", key_id, {"name": name, "scopes": chosen})
        return key_id, plain

    async def authenticate(self, plain: str) -> Principal:
        """The caller of a key; raises Unauthorized."""
        digest = self._digest(plain)
        seen = self._seen.get(digest)
        if seen is not None and seen[0] > self._clock():
            return seen[1]
        async with self._db.begin() as session:
            key = await session.scalar(select(ApiKey).where(ApiKey.digest == digest, ApiKey.revoked_at.is_(None)))
        if key is None:
            self._seen.pop(digest, None)
            raise Unauthorized("This API key is not valid.")
        principal = Principal(key.organisation_id, key.id, frozenset(key.scopes))
        if len(self._seen) >= _MAX_CACHED:
            self._seen.clear()
        self._seen[digest] = (self._clock() + _CACHE_TTL_S, principal)
        return principal

    async def revoke(self, organisation_id: str, key_id: str) -> None:
        """Ends a key; raises NotFound."""
        async with self._db.begin() as session:
            key = await session.get(ApiKey, key_id)
            if key is None or key.organisation_id != organisation_id:
                raise NotFound(f"There is no key {key_id}.")
            if key.revoked_at is None:
                key.revoked_at = now()
                await audit.record(session, organisation_id, "key.revoke", key_id, {"name": key.name})
        self._seen.clear()

    def _digest(self, plain: str) -> str:
        return hmac.new(self._secret, plain.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
