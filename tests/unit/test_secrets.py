"""Secrets of the settings are shown by nothing: not by the settings, not by an error, not by a log."""

from __future__ import annotations

import io
import logging

import pytest
from pydantic import SecretStr, ValidationError

from app.config import Settings
from app.db.session import Database
from app.observability import configure_logging
from app.queue import ArqQueue
from app.services.pulse import PulseService

POISON = "p0isonedSecret"
NOWHERE = "127.0.0.1:1"
SETTINGS = Settings(
    key_hash_secret=SecretStr(POISON),
    opensearch_password=SecretStr(POISON),
    database_url=f"postgresql+psycopg://user:{POISON}@{NOWHERE}/x",
    redis_url=f"redis://:{POISON}@{NOWHERE}/0",
    opensearch_url=f"http://user:{POISON}@{NOWHERE}",
    store_url=f"s3://user:{POISON}@bucket",
)


def test_settings_do_not_show_them() -> None:
    assert POISON not in repr(SETTINGS) + str(SETTINGS)


def test_every_setting_that_is_named_a_secret_is_of_the_type_that_hides() -> None:
    for name, field in Settings.model_fields.items():
        if any(word in name for word in ("secret", "password", "token")):
            assert "SecretStr" in str(field.annotation), name


@pytest.mark.parametrize("wrong", [{"environment": "production"}, {"api_port": POISON}, {"trace_ratio": 7}])
def test_an_error_of_a_setting_names_the_setting_only(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(redis_url=f"redis://:{POISON}@{NOWHERE}/0", **wrong)  # type: ignore[arg-type]
    assert POISON not in str(refused.value)


async def test_dependencies_that_are_away_are_logged_without_their_passwords() -> None:
    configure_logging("DEBUG")
    [handler] = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    stream = io.StringIO()
    handler.setStream(stream)
    database, queue = Database(SETTINGS.database_url), ArqQueue(SETTINGS.redis_url)
    await PulseService(database, queue).feel()
    await queue.close()
    await database.close()
    configure_logging()
    assert "pulse_unknown" in stream.getvalue()
    assert POISON not in stream.getvalue()
