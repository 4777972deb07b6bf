"""Keys on both databases: what they may do, how long, and that a revoked one is refused by every process at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import update

from app.db.models import ApiKey, now
from app.db.session import Database
from app.errors import Conflict, Forbidden, InvalidSchema, NotFound, Unauthorized
from app.limits.valkey import SharedValkey
from app.services.keys import KeyService, NewKey
from app.services.scopes import ROLES, SCOPES, roles
from tests.engines import Engines

ALL = frozenset(SCOPES)
HOUR = timedelta(hours=1)


@pytest.fixture
async def process(db: Database, running_engines: Engines) -> AsyncIterator[Callable[..., KeyService]]:
    """Each call is another process: its own memory of keys, the same database and Valkey."""
    valkeys: list[SharedValkey] = []

    def start(url: str = running_engines.redis_url) -> KeyService:
        valkeys.append(SharedValkey(url))
        return KeyService(db, "secret", valkeys[-1])

    yield start
    for valkey in valkeys:
        await valkey.close()


@pytest.fixture
async def keys(process: Callable[..., KeyService]) -> AsyncIterator[KeyService]:
    service = process()
    yield service
    await service.close()


@pytest.fixture
async def organisation_id(keys: KeyService) -> str:
    return await keys.create_organisation("Keys")


async def test_a_revoked_key_is_refused_by_every_process_at_once(
    keys: KeyService, process: Callable[..., KeyService], organisation_id: str
) -> None:
    key_id, plain = await keys.create(organisation_id, "short-lived")
    others = [process() for _ in range(3)]
    for other in others:
        await other.authenticate(plain)
    await keys.revoke(organisation_id, key_id)
    for other in (keys, *others):
        with pytest.raises(Unauthorized):
            await other.authenticate(plain)
        await other.close()


async def test_without_valkey_a_revoked_key_is_refused_at_once_too(
    keys: KeyService, process: Callable[..., KeyService], organisation_id: str
) -> None:
    key_id, plain = await keys.create(organisation_id, "short-lived")
    other = process("redis://127.0.0.1:1/0")
    assert (await other.authenticate(plain)).key_id == key_id
    await keys.revoke(organisation_id, key_id)
    with pytest.raises(Unauthorized):
        await other.authenticate(plain)
    await other.close()


async def test_a_known_key_is_not_asked_of_the_database_again(
    keys: KeyService, organisation_id: str, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, plain = await keys.create(organisation_id, "busy")
    first = await keys.authenticate(plain)
    monkeypatch.setattr(db, "begin", None)
    assert await keys.authenticate(plain) == first


async def test_an_expired_key_is_refused_though_it_is_remembered(keys: KeyService, organisation_id: str) -> None:
    made = await keys.issue(organisation_id, NewKey("brief", role="viewer", expires_at=now() + HOUR), ALL)
    await keys.authenticate(made["key"])
    rotated = await keys.rotate(organisation_id, made["key_id"], timedelta(0), ALL)
    with pytest.raises(Unauthorized):
        await keys.authenticate(made["key"])
    assert rotated["previous"]["status"] == "expired"


async def test_both_keys_work_while_a_rotation_overlaps(keys: KeyService, organisation_id: str) -> None:
    made = await keys.issue(organisation_id, NewKey("router", role="matcher"), ALL)
    rotated = await keys.rotate(organisation_id, made["key_id"], HOUR, ALL)
    old, new = await keys.authenticate(made["key"]), await keys.authenticate(rotated["key"])
    assert old.scopes == new.scopes == frozenset(roles()["matcher"])
    assert (rotated["name"], rotated["role"], rotated["previous"]["replaced_by"]) == ("router", "matcher", new.key_id)
    assert old.expires_at is not None
    assert abs(old.expires_at - now() - HOUR) < timedelta(minutes=5)
    assert new.expires_at is None


async def test_an_overlap_never_lengthens_a_key_s_life(keys: KeyService, organisation_id: str) -> None:
    ends = now() + HOUR
    made = await keys.issue(organisation_id, NewKey("brief", role="viewer", expires_at=ends), ALL)
    await keys.rotate(organisation_id, made["key_id"], timedelta(days=1), ALL)
    assert (await keys.authenticate(made["key"])).expires_at == ends


async def test_two_rotations_at_once_make_one_successor(keys: KeyService, organisation_id: str) -> None:
    made = await keys.issue(organisation_id, NewKey("raced", role="viewer"), ALL)
    rotations = (keys.rotate(organisation_id, made["key_id"], HOUR, ALL) for _ in range(4))
    found = await asyncio.gather(*rotations, return_exceptions=True)
    assert sum(isinstance(one, dict) for one in found) == 1
    assert sum(isinstance(one, Conflict) for one in found) == 3


async def test_nobody_gives_a_scope_that_he_lacks(keys: KeyService, organisation_id: str) -> None:
    own = frozenset({"keys:admin", "datasets:read"})
    with pytest.raises(Forbidden) as refused:
        await keys.issue(organisation_id, NewKey("more", ["datasets:read", "match:run"]), own)
    assert refused.value.details["scope"] == "match:run"
    admin = await keys.issue(organisation_id, NewKey("admin", role="admin"), ALL)
    with pytest.raises(Forbidden):
        await keys.rotate(organisation_id, admin["key_id"], HOUR, own)


async def test_a_key_of_another_organisation_is_not_found(keys: KeyService, organisation_id: str) -> None:
    key_id, _ = await keys.create(organisation_id, "ours")
    other = await keys.create_organisation("Other")
    with pytest.raises(NotFound):
        await keys.revoke(other, key_id)
    with pytest.raises(NotFound):
        await keys.rotate(other, key_id, HOUR, ALL)


@pytest.mark.parametrize(
    "wanted",
    [
        NewKey("neither"),
        NewKey("both", ["match:run"], "viewer"),
        NewKey("unknown scope", ["match:fly"]),
        NewKey("unknown role", role="king"),
        NewKey("nothing", []),
        NewKey("past", role="viewer", expires_at=now() - HOUR),
    ],
    ids=lambda wanted: wanted.name,
)
async def test_a_key_that_makes_no_sense_is_refused(keys: KeyService, organisation_id: str, wanted: NewKey) -> None:
    with pytest.raises(InvalidSchema):
        await keys.issue(organisation_id, wanted, ALL)


async def test_the_last_use_is_written_later_and_never_backwards(
    keys: KeyService, organisation_id: str, db: Database
) -> None:
    key_id, plain = await keys.create(organisation_id, "used")
    await keys.authenticate(plain)
    assert (await keys.list_page(organisation_id, 1, None))["data"][0]["last_used_at"] is None
    await keys.last_use.flush()
    assert (await keys.list_page(organisation_id, 1, None))["data"][0]["last_used_at"] is not None
    later = now() + HOUR
    async with db.begin() as session:
        await session.execute(update(ApiKey).where(ApiKey.id == key_id).values(last_used_at=later))
    keys.last_use.note(key_id)
    await keys.last_use.flush()
    shown = (await keys.list_page(organisation_id, 1, None))["data"][0]["last_used_at"]
    assert shown == later.isoformat().replace("+00:00", "Z")


def test_each_role_can_do_what_the_one_before_it_can() -> None:
    scopes = [set(roles()[role]) for role in ROLES]
    assert all(less < more for less, more in pairwise(scopes))
    assert scopes[-1] == set(SCOPES)
