"""A state machine of clients that repeat, crash, wait, change their minds and race: every key has at most one effect."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import func, select

from app.db.models import Organisation
from app.db.session import Database
from app.db.unit import unit_of_work
from app.errors import IdempotencyInProgress, IdempotencyKeyReused
from app.services.idempotency import KEPT, Answer, Asked, Claim, IdempotencyService
from tests.postgres import WHY_NOT, new_database

T = TypeVar("T")
KEYS = st.sampled_from(["k1", "k2"])
BODIES = st.sampled_from([b"one", b"two"])
LEASE = timedelta(seconds=60)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Kept:
    """What the model knows of a key that was answered."""

    body: bytes
    answer: Answer
    at: datetime


class Repeating(RuleBasedStateMachine):
    """`work` is a request: it claims, makes a row (its effect) and keeps its answer in one unit."""

    runner: ClassVar[asyncio.Runner]
    db: ClassVar[Database]

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.service = IdempotencyService(self.db, "secret", self.clock)
        self.organisation_id = f"org_{secrets.token_hex(8)}"
        self.kept: dict[str, Kept] = {}
        self.running: dict[str, tuple[Claim, bytes, datetime]] = {}
        self.effects = 0
        self.do(self._row(self.organisation_id))

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def _row(self, row_id: str) -> None:
        async with self.db.begin() as session:
            session.add(Organisation(id=row_id, name=self.organisation_id))

    def _asked(self, key: str, body: bytes) -> Asked:
        return Asked(self.organisation_id, "POST /things", key, body)

    async def _finish(self, claim: Claim) -> Answer:
        made = f"row_{secrets.token_hex(8)}"
        answer = Answer(201, {"location": f"/things/{made}"}, f'{{"id": "{made}"}}'.encode())
        async with unit_of_work():
            await self._row(made)
            await self.service.finish(claim, answer)
        return answer

    async def _request(self, key: str, body: bytes) -> Answer:
        found = await self.service.claim(self._asked(key, body))
        return await self._finish(found) if isinstance(found, Claim) else found

    def _forget_expired(self, key: str) -> None:
        known = self.kept.get(key)
        if known is not None and known.at + KEPT <= self.clock.now:
            del self.kept[key]
        running = self.running.get(key)
        if running is not None and running[2] + KEPT <= self.clock.now:
            del self.running[key]

    @rule(key=KEYS, body=BODIES)
    def asks(self, key: str, body: bytes) -> None:
        self._forget_expired(key)
        known, running = self.kept.get(key), self.running.get(key)
        if (known is not None and known.body != body) or (running is not None and running[1] != body):
            with pytest.raises(IdempotencyKeyReused):
                self.do(self._request(key, body))
        elif known is not None:
            assert self.do(self._request(key, body)) == known.answer
        elif running is not None and self.clock.now < running[2] + LEASE:
            with pytest.raises(IdempotencyInProgress):
                self.do(self._request(key, body))
        else:
            self._note(key, body, self.do(self._request(key, body)))

    def _note(self, key: str, body: bytes, answer: Answer) -> None:
        self.kept[key] = Kept(body, answer, self.clock.now)
        self.running.pop(key, None)
        self.effects += 1

    @rule(key=KEYS, body=BODIES)
    def begins_and_is_slow_or_dies(self, key: str, body: bytes) -> None:
        self._forget_expired(key)
        if key not in self.kept and key not in self.running:
            found = self.do(self.service.claim(self._asked(key, body)))
            assert isinstance(found, Claim)
            self.running[key] = (found, body, self.clock.now)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def the_slow_one_finishes(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        claim, body, at = self.running[key]
        self._note(key, body, self.do(self._finish(claim)))
        self.kept[key].at = at

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def the_slow_one_is_overtaken_and_undone(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        claim, body, at = self.running[key]
        self.clock.now = max(self.clock.now, at + LEASE)
        self._forget_expired(key)
        self._note(key, body, self.do(self._request(key, body)))
        with pytest.raises(IdempotencyInProgress):
            self.do(self._finish(claim))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def the_slow_one_fails_and_gives_its_key_back(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        self.do(self.service.release(self.running.pop(key)[0]))

    @rule(key=KEYS, body=BODIES, clients=st.integers(2, 5))
    def many_ask_at_once(self, key: str, body: bytes, clients: int) -> None:
        self._forget_expired(key)
        if key in self.kept or key in self.running:
            return
        found = self.do(self._all(key, body, clients))
        answers = [one for one in found if isinstance(one, Answer)]
        assert answers
        assert all(isinstance(one, IdempotencyInProgress) for one in found if one not in answers)
        assert all(one == answers[0] for one in answers)
        self._note(key, body, answers[0])

    async def _all(self, key: str, body: bytes, clients: int) -> list[Answer | BaseException]:
        return await asyncio.gather(*(self._request(key, body) for _ in range(clients)), return_exceptions=True)

    @rule(wait=st.sampled_from([LEASE / 2, LEASE, KEPT]))
    def time_goes_by(self, wait: timedelta) -> None:
        self.clock.now += wait

    @rule()
    def expired_keys_are_purged(self) -> None:
        self.do(self.service.purge(self.clock.now - KEPT + timedelta(microseconds=1)))
        for key in ("k1", "k2"):
            self._forget_expired(key)

    @invariant()
    def every_answer_stands_for_one_effect(self) -> None:
        assert self.do(self._made()) == self.effects

    async def _made(self) -> int:
        async with self.db.begin() as session:
            mine = Organisation.name == self.organisation_id, Organisation.id != self.organisation_id
            return int(await session.scalar(select(func.count()).select_from(Organisation).where(*mine)) or 0)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_key_has_at_most_one_effect_whatever_its_clients_do(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/foundryops.db"
    if kind == "postgresql":
        server: str | None = request.getfixturevalue("postgres_url")
        if server is None:
            pytest.skip(WHY_NOT)
        url = new_database(server, f"t{secrets.token_hex(6)}")
    with asyncio.Runner() as runner:
        database = Database(url)
        runner.run(database.migrate())
        machine = type("Machine", (Repeating,), {"runner": runner, "db": database})
        checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
        run_state_machine_as_test(
            machine,
            settings=settings(max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=checks),
        )
        runner.run(database.close())


async def test_a_stored_answer_cannot_be_read_in_the_database(db: Database) -> None:
    async with db.begin() as session:
        session.add(Organisation(id="org_sealed", name="Sealed"))
    service = IdempotencyService(db, "secret")
    claim = await service.claim(Asked("org_sealed", "POST /keys", "k", b"{}"))
    assert isinstance(claim, Claim)
    await service.finish(claim, Answer(201, {}, b'{"key": "fo_plain"}'))
    async with db.engine.connect() as connection:
        [row] = (
            await connection.exec_driver_sql("SELECT * FROM idempotency_keys WHERE organisation_id = 'org_sealed'")
        ).all()
    assert b"fo_plain" not in b"".join(value for value in row if isinstance(value, bytes | memoryview))
