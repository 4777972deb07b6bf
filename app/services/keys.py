"""Organisations and API keys: a key is shown once, kept as a keyed hash, rotated with an overlap and revoked at once."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import ApiKey, Organisation, now
from app.db.paging import page
from app.db.session import Database
from app.errors import Conflict, InvalidSchema, NotFound, Unauthorized
from app.ids import Prefix, new_id
from app.limits.valkey import SharedValkey
from app.services import audit
from app.services.key_cache import KeyCache, Principal
from app.services.last_use import LastUse
from app.services.scopes import SCOPES, check_covered, chosen

__all__ = ["SCOPES", "KeyService", "NewKey", "Principal"]

_KEY_PREFIX = "fo_"
_KEY_BYTES = 32
_SHOWN_CHARACTERS = len(_KEY_PREFIX) + 6
_LONGEST_LIFE = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that is asked for: exactly one of scopes and role."""

    name: str
    scopes: Iterable[str] | None = None
    role: str | None = None
    expires_at: datetime | None = None


class KeyService:
    """Makes, lists, rotates, revokes and checks keys; without `valkey` every check reads the database."""

    def __init__(self, db: Database, secret: str, valkey: SharedValkey | None = None) -> None:
        self._db = db
        self._secret = secret.encode()
        self._cache = KeyCache(valkey)
        self.last_use = LastUse(db)

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
        """The id and the plain text of a new key that the operator makes; raises as `issue` does."""
        made = await self.issue(organisation_id, NewKey(name, scopes), frozenset(SCOPES))
        return made["key_id"], made["key"]

    async def issue(self, organisation_id: str, wanted: NewKey, own: frozenset[str]) -> dict[str, Any]:
        """The new key with its plain text, which is not shown again; `own` are the scopes of who makes it.

        Raises InvalidSchema for an unknown scope or role or a time that has passed, Forbidden for a scope that is not
        in `own`, NotFound without organisation.
        """
        scopes = chosen(wanted.scopes, wanted.role)
        check_covered(scopes, own)
        if wanted.expires_at is not None and not now() < wanted.expires_at <= now() + _LONGEST_LIFE:
            raise InvalidSchema(
                f"expires_at must lie in the future, at most {_LONGEST_LIFE.days} days from now.", field="expires_at"
            )
        async with self._db.begin() as session:
            if await session.get(Organisation, organisation_id) is None:
                raise NotFound(f"There is no organisation {organisation_id}.")
            row, plain = self._new_row(organisation_id, wanted, scopes)
            session.add(row)
            details = {"name": row.name, "role": row.role, "scopes": scopes, "expires_at": _iso(row.expires_at)}
            await audit.record(session, organisation_id, "key.create", row.id, details)
            return {**_answer(row), "key": plain}

    async def list_page(self, organisation_id: str, limit: int, cursor: str | None) -> dict[str, Any]:
        query = select(ApiKey).where(ApiKey.organisation_id == organisation_id)
        async with self._db.begin() as session:
            return await page(session, query, ApiKey.id, limit, cursor, _answer)

    async def rotate(
        self, organisation_id: str, key_id: str, overlap: timedelta, own: frozenset[str]
    ) -> dict[str, Any]:
        """A new key with the same name, scopes and length of life; the old one works until the overlap ends.

        Raises NotFound, Forbidden for a key that may do more than `own`, Conflict for one that is over or was rotated.
        """
        async with self._db.begin() as session:
            old = await _find(session, organisation_id, key_id)
            check_covered(old.scopes, own)
            if old.replaced_by is not None or _state(old) != "active":
                state = f"rotated to {old.replaced_by}" if old.replaced_by else _state(old)
                raise Conflict(f"Key {key_id} is {state}; only an active key is rotated, once.", status=_state(old))
            life = old.expires_at - old.created_at if old.expires_at else None
            wanted = NewKey(old.name, role=old.role, expires_at=now() + life if life else None)
            row, plain = self._new_row(organisation_id, wanted, old.scopes)
            ends = now() + overlap
            old.expires_at = min(ends, old.expires_at) if old.expires_at else ends
            old.replaced_by = row.id
            session.add(row)
            details = {"new_key_id": row.id, "old_until": _iso(old.expires_at)}
            await audit.record(session, organisation_id, "key.rotate", key_id, details)
            answer = {**_answer(row), "key": plain, "previous": _answer(old)}
        await self._db.after_commit(self._cache.changed)
        return answer

    async def revoke(self, organisation_id: str, key_id: str) -> None:
        """Ends a key, for every process at once; raises NotFound."""
        async with self._db.begin() as session:
            key = await _find(session, organisation_id, key_id)
            if key.revoked_at is None:
                key.revoked_at = now()
                await audit.record(session, organisation_id, "key.revoke", key_id, {"name": key.name})
        await self._db.after_commit(self._cache.changed)

    async def authenticate(self, plain: str) -> Principal:
        """The caller of a key; raises Unauthorized."""
        digest = self._digest(plain)
        generation = await self._cache.generation()
        principal = self._cache.get(digest, generation)
        if principal is None:
            principal = await self._load(digest)
            self._cache.put(digest, generation, principal)
        if principal.expires_at is not None and principal.expires_at <= now():
            raise _invalid()
        self.last_use.note(principal.key_id)
        return principal

    async def close(self) -> None:
        await self.last_use.close()

    async def _load(self, digest: str) -> Principal:
        async with self._db.begin() as session:
            key = await session.scalar(select(ApiKey).where(ApiKey.digest == digest, ApiKey.revoked_at.is_(None)))
        if key is None:
            raise _invalid()
        return Principal(key.organisation_id, key.id, frozenset(key.scopes), key.expires_at)

    def _new_row(self, organisation_id: str, wanted: NewKey, scopes: list[str]) -> tuple[ApiKey, str]:
        plain = _KEY_PREFIX + secrets.token_urlsafe(_KEY_BYTES)
        row = ApiKey(
            id=new_id(Prefix.KEY),
            organisation_id=organisation_id,
            name=wanted.name,
            prefix=plain[:_SHOWN_CHARACTERS],
            digest=self._digest(plain),
            scopes=list(scopes),
            role=wanted.role,
            created_at=now(),
            expires_at=wanted.expires_at,
        )
        return row, plain

    def _digest(self, plain: str) -> str:
        return hmac.new(self._secret, plain.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


async def _find(session: AsyncSession, organisation_id: str, key_id: str) -> ApiKey:
    key = await session.get(ApiKey, key_id, with_for_update=True)
    if key is None or key.organisation_id != organisation_id:
        raise NotFound(f"There is no key {key_id}.", key_id=key_id)
    return key


def _invalid() -> Unauthorized:
    return Unauthorized("This API key is not valid.")


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now() else "active"


def _answer(key: ApiKey) -> dict[str, Any]:
    return {
        "key_id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "role": key.role,
        "scopes": key.scopes,
        "status": _state(key),
        "created_at": _iso(key.created_at),
        "expires_at": _iso(key.expires_at),
        "last_used_at": _iso(key.last_used_at),
        "revoked_at": _iso(key.revoked_at),
        "replaced_by": key.replaced_by,
    }


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat().replace("+00:00", "Z")
