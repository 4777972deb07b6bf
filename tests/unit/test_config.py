"""Settings refuse what must not reach production."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from app.config import Settings


def test_production_needs_a_secret_of_its_own() -> None:
    with pytest.raises(ValidationError, match="FOUNDRYOPS_KEY_HASH_SECRET"):
        Settings(environment="production")
    assert Settings(environment="production", key_hash_secret="a long random text").environment == "production"


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
