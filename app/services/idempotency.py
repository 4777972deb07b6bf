"""Idempotency keys: a request that is sent again is answered again, not done again."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
import structlog
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import ColumnElement, delete, update
from sqlalchemy.exc import SQLAlchemyError

from app.db.idempotency_models import IdempotencyRow
from app.db.models import now
from app.db.session import Database
from app.db.upsert import insert_if_absent
from app.errors import IdempotencyInProgress, IdempotencyKeyReused

log = structlog.get_logger(__name__)

KEPT = timedelta(hours=24)
_LEASE = timedelta(seconds=60)
"""Several times the longest answer that a POST takes; a request that outlives it is undone when another took its key over."""
_RETRY_AFTER_S = 1
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with an idempotency key; `route` is method and path template, `content` what else must be the same."""

    organisation_id: str
    route: str
    key: str
    content: bytes

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to answer a request, until its lease ends."""

    asked: Asked
    token: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered, as it went out."""

    status: int
    headers: dict[str, str]
    body: bytes


class IdempotencyService:
    """Claims keys and keeps answers, sealed: they may hold records, or a new API key that is shown once."""

    def __init__(self, db: Database, secret: str, clock: Callable[[], datetime] = now) -> None:
        self._db = db
        self._clock = clock
        self._cipher = AESGCM(hmac.new(secret.encode(), b"idempotent answers", hashlib.sha256).digest())

    async def claim(self, asked: Asked) -> Claim | Answer:
        """The claim when the request is to be done, the kept answer when it was; raises IdempotencyKeyReused, -InProgress."""
        while True:
            taken = await self._try(asked)
            if taken is not None:
                return taken

    async def _try(self, asked: Asked) -> Claim | Answer | None:
        """None when the row went away in between."""
        at, claim = self._clock(), Claim(asked, secrets.token_hex(16))
        leased = {"token": claim.token, "claimed_at": at, "leased_until": at + _LEASE}
        async with self._db.begin(apart=True) as session:
            if await insert_if_absent(session, IdempotencyRow, **_key(asked), fingerprint=asked.fingerprint, **leased):
                return claim
            row = await session.get(IdempotencyRow, _key(asked), with_for_update=True)
            if row is None:
                return None
            expired = row.claimed_at + KEPT <= at
            if not expired and row.fingerprint != asked.fingerprint:
                raise IdempotencyKeyReused(
                    "This idempotency key was used for another request; take a new key for each request.",
                    field="Idempotency-Key",
                )
            if not expired and row.status is not None:
                return self._opened(asked, row)
            if not expired and row.leased_until > at:
                raise _in_progress()
            row.fingerprint, row.status, row.answer = asked.fingerprint, None, None
            row.token, row.claimed_at, row.leased_until = claim.token, at, at + _LEASE
            return claim

    async def finish(self, claim: Claim, answer: Answer) -> None:
        """Keeps the answer in the unit of work that holds its effects.

        Raises IdempotencyInProgress when the lease ended and another took over: the effects must be undone then.
        """
        mine = _mine(claim)
        values = {"status": answer.status, "answer": self._sealed(claim.asked, answer)}
        async with self._db.begin() as session:
            kept = await session.execute(update(IdempotencyRow).where(*mine).values(values))
            if kept.rowcount != 1:  # type: ignore[attr-defined]
                raise _in_progress()

    async def release(self, claim: Claim) -> None:
        """Gives the key back: the request had no effect. When the database is away, the key is free once its lease ends."""
        try:
            async with self._db.begin(apart=True) as session:
                await session.execute(delete(IdempotencyRow).where(*_mine(claim)))
        except (SQLAlchemyError, OSError) as exc:
            log.warning("idempotency_key_not_released", error_type=type(exc).__name__)

    async def purge(self, before: datetime) -> int:
        """Forgets the keys that were claimed before; gives their number."""
        async with self._db.begin() as session:
            gone = await session.execute(delete(IdempotencyRow).where(IdempotencyRow.claimed_at < before))
            return int(gone.rowcount)  # type: ignore[attr-defined]

    def _sealed(self, asked: Asked, answer: Answer) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        content = orjson.dumps(answer.headers) + b"\n" + answer.body
        return nonce + self._cipher.encrypt(nonce, content, _place(asked))

    def _opened(self, asked: Asked, row: IdempotencyRow) -> Answer:
        sealed = row.answer or b""
        content = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _place(asked))
        headers, _, body = content.partition(b"\n")
        return Answer(row.status or 0, orjson.loads(headers), body)


def _key(asked: Asked) -> dict[str, str]:
    return {"organisation_id": asked.organisation_id, "route": asked.route, "key": asked.key}


def _mine(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    """Only while nobody has taken over, and only what is not answered."""
    own = (getattr(IdempotencyRow, name) == value for name, value in _key(claim.asked).items())
    return (*own, IdempotencyRow.token == claim.token, IdempotencyRow.status.is_(None))


def _place(asked: Asked) -> bytes:
    """Binds a sealed answer to its row."""
    return "\n".join(_key(asked).values()).encode()


def _in_progress() -> IdempotencyInProgress:
    return IdempotencyInProgress(
        "A request with this idempotency key is being answered; ask again for its answer.",
        retry_after_s=_RETRY_AFTER_S,
    )
