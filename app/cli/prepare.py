"""`python -m app.cli.prepare`: migrates and answers with the development key while OpenSearch boots.

Prints `{"api_key", "organisation_id"}` as JSON. The key's plain text is only in `connection.json`, from which the
supervisor hands it back in FOUNDRYOPS_DEVELOPMENT_API_KEY; one that no longer works is replaced.
"""

from __future__ import annotations

import asyncio
import json
import os

from app.config import Settings
from app.db.session import Database
from app.errors import Unauthorized
from app.identity import OPERATOR, act_as
from app.services.keys import KeyService

ORGANISATION_NAME = "Development"
KEY_NAME = "development key of the embedded stack"


async def prepare(settings: Settings, known_key: str) -> dict[str, str]:
    """The known key if it works, else a new one, with its organisation if there is none for it."""
    act_as(OPERATOR)
    db = Database(settings.database_url)
    try:
        await db.migrate()
        keys = KeyService(db, settings.key_hash_secret.get_secret_value())
        if known_key:
            try:
                principal = await keys.authenticate(known_key)
                return {"api_key": known_key, "organisation_id": principal.organisation_id}
            except Unauthorized:
                pass  # the database or the secret is another one now
        organisation_id = await keys.create_organisation(ORGANISATION_NAME)
        _, plain = await keys.create(organisation_id, KEY_NAME)
        return {"api_key": plain, "organisation_id": organisation_id}
    finally:
        await db.close()


if __name__ == "__main__":
    known = os.environ.get("FOUNDRYOPS_DEVELOPMENT_API_KEY", "")
    print(json.dumps(asyncio.run(prepare(Settings(), known))))
