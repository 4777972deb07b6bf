"""The error table is complete and the OpenAPI document is the one that was published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app import errors
from app.api.errors import STATUS, status_of
from app.config import Settings
from app.main import create_app
from app.profiles import NAMES, load_profiles

ROOT = Path(__file__).parent.parent.parent
PINNED = ROOT / "docs" / "openapi.json"


def all_errors(kind: type[errors.FoundryOpsError] = errors.FoundryOpsError) -> list[type[errors.FoundryOpsError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in all_errors(child))]


@pytest.mark.parametrize("kind", all_errors(), ids=lambda kind: kind.__name__)
def test_every_error_has_one_status_and_stands_in_the_tree(kind: type[errors.FoundryOpsError]) -> None:
    assert 400 <= status_of(kind) < 600
    assert kind.__name__ in (errors.__doc__ or "")


def test_codes_are_of_the_contract() -> None:
    codes = {kind.code: status_of(kind) for kind in all_errors()}
    expected = {
        "INVALID_SCHEMA": 422,
        "INVALID_REQUEST": 400,
        "PAYLOAD_TOO_LARGE": 413,
        "UNSUPPORTED_MEDIA_TYPE": 415,
        "UNAUTHORIZED": 401,
        "FORBIDDEN": 403,
        "NOT_FOUND": 404,
        "DATASET_NOT_FOUND": 404,
        "SNAPSHOT_NOT_FOUND": 404,
        "JOB_NOT_FOUND": 404,
        "UPLOAD_NOT_FOUND": 404,
        "SNAPSHOT_NOT_ACTIVE": 409,
        "CONFLICT": 409,
        "JOB_NOT_READY": 409,
        "IDEMPOTENCY_IN_PROGRESS": 409,
        "IDEMPOTENCY_KEY_REUSED": 422,
        "ARTIFACT_EXPIRED": 410,
        "SEARCH_UNAVAILABLE": 503,
        "QUEUE_UNAVAILABLE": 503,
        "UNREADABLE_FILE": 422,
        "STORAGE_FULL": 507,
        "RATE_LIMIT": 429,
        "INSUFFICIENT_CREDITS": 402,
        "INTERNAL": 500,
    }
    assert expected.items() <= codes.items()
    assert set(STATUS.values()) <= {*expected.values()}


def test_the_openapi_document_is_the_pinned_one(tmp_path: Path) -> None:
    application = create_app(Settings(var_dir=tmp_path)).application
    assert application.openapi() == json.loads(PINNED.read_text("utf-8")), (
        "run scripts/pin_openapi.py and read the diff"
    )


def test_every_profile_loads_and_says_its_version() -> None:
    assert set(load_profiles()) == set(NAMES)
    assert all(profile.label == f"{name}@{profile.version}" for name, profile in load_profiles().items())


def test_no_module_has_grown_past_the_point_of_overview() -> None:
    long = {
        str(path): lines
        for folder in ("app", "workers", "bench")
        for path in (ROOT / folder).rglob("*.py")
        if (lines := len(path.read_text("utf-8").splitlines())) > 300
    }
    assert long == {}
