"""Signing secrets of webhooks, one per organisation: derived, so that no table and no backup holds them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from standardwebhooks import Webhook

from app.db.models import now
from app.db.session import Database
from app.db.webhook_models import WebhookSecretState
from app.errors import Conflict
from app.services import audit

_PREFIX = "whsec_"


class WebhookSecrets:
    """Shows, rotates and signs with the secrets of organisations."""

    def __init__(self, db: Database, server_secret: str) -> None:
        self._db = db
        self._key = server_secret.encode()

    async def show(self, organisation_id: str) -> dict[str, Any]:
        """The current secret, and until when messages are signed with the one before as well."""
        async with self._db.begin() as session:
            return self._answer(organisation_id, await session.get(WebhookSecretState, organisation_id))

    async def rotate(self, organisation_id: str, overlap_s: int) -> dict[str, Any]:
        """Makes the next secret; for `overlap_s` seconds messages carry signatures with both.

        Raises Conflict while an earlier overlap runs, unless `overlap_s` is 0: then only the new secret signs, at once.
        """
        try:
            async with self._db.begin() as session:
                state = await session.get(WebhookSecretState, organisation_id, with_for_update=True)
                if state is not None and overlap_s and state.previous_until > now():
                    raise Conflict(
                        f"The secret before is still in use until {_iso(state.previous_until)}; "
                        'rotate again then, or at once with {"overlap_seconds": 0}.',
                        previous_until=_iso(state.previous_until),
                    )
                if state is None:
                    state = WebhookSecretState(organisation_id=organisation_id, version=1)
                    session.add(state)
                state.version, state.rotated_at = state.version + 1, now()
                state.previous_until = state.rotated_at + timedelta(seconds=overlap_s)
                details = {"version": state.version, "overlap_seconds": overlap_s}
                await audit.record(session, organisation_id, "webhook_secret.rotate", organisation_id, details)
                return self._answer(organisation_id, state)
        except IntegrityError as exc:
            raise Conflict("The secret is being rotated by another request.") from exc

    async def signatures(
        self, session: AsyncSession, organisation_id: str, message_id: str, at: datetime, body: str
    ) -> str:
        """The value of `webhook-signature`: one signature, two while a rotation overlaps."""
        state = await session.get(WebhookSecretState, organisation_id)
        version = state.version if state else 1
        versions = [version, version - 1] if state and state.previous_until > at else [version]
        secrets = (self._secret(organisation_id, number) for number in versions)
        return " ".join(Webhook(secret).sign(message_id, at, body) for secret in secrets)

    def _answer(self, organisation_id: str, state: WebhookSecretState | None) -> dict[str, Any]:
        version = state.version if state else 1
        overlaps = state is not None and state.previous_until > now()
        return {
            "secret": self._secret(organisation_id, version),
            "version": version,
            "rotated_at": _iso(state.rotated_at) if state else None,
            "previous_until": _iso(state.previous_until) if state and overlaps else None,
        }

    def _secret(self, organisation_id: str, version: int) -> str:
        """32 bytes from HMAC-SHA256, in the form of Standard Webhooks."""
        derived = hmac.new(self._key, f"webhook-secret/{organisation_id}/{version}".encode(), hashlib.sha256)
        return _PREFIX + base64.b64encode(derived.digest()).decode()


def _iso(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
