"""Signed URLs of the local store: what a PUT may do is in the URL, and nobody else can write one."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from app.errors import Forbidden

_PURPOSE = b"foundryops signed upload URLs v1"


@dataclass(frozen=True, slots=True)
class UploadGrant:
    """One file of at most `max_bytes`, sent before `expires` (seconds since 1970)."""

    organisation_id: str
    storage_key: str
    max_bytes: int
    expires: int


class UploadUrls:
    """Signs and checks with HMAC-SHA256, under a key of its own made from the server's secret."""

    def __init__(self, server_secret: str) -> None:
        self._key = hmac.digest(server_secret.encode(), _PURPOSE, hashlib.sha256)

    def sign(self, base_url: str, grant: UploadGrant) -> str:
        query = {
            "organisation_id": grant.organisation_id,
            "max_bytes": grant.max_bytes,
            "expires": grant.expires,
            "signature": self._signature(grant),
        }
        return f"{base_url.rstrip('/')}/api/v2/uploads/{grant.storage_key}?{urlencode(query)}"

    def check(self, storage_key: str, query: Mapping[str, str]) -> UploadGrant:
        """What the URL allows; raises Forbidden when it was changed or has expired."""
        try:
            grant = UploadGrant(query["organisation_id"], storage_key, int(query["max_bytes"]), int(query["expires"]))
            given = query["signature"].encode()
        except (KeyError, ValueError) as exc:
            raise Forbidden("This is no signed upload URL; ask for one: POST /api/v2/uploads/presign.") from exc
        if not hmac.compare_digest(self._signature(grant).encode(), given):
            raise Forbidden("The upload URL was changed: its signature is wrong.")
        if grant.expires <= time.time():
            raise Forbidden("The upload URL has expired; ask for a new one: POST /api/v2/uploads/presign.")
        return grant

    def _signature(self, grant: UploadGrant) -> str:
        text = f"PUT\n{grant.organisation_id}\n{grant.storage_key}\n{grant.max_bytes}\n{grant.expires}"
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()
