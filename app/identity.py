"""Who asked, and under which ids: what the running request or job is known by, wherever in the code that is."""

from __future__ import annotations

import re
import uuid
from contextvars import ContextVar
from dataclasses import dataclass, replace

from app.ids import Prefix, new_id

_CORRELATION = re.compile(rb"[A-Za-z0-9._-]{1,128}")

SYSTEM = "system"
OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Identity:
    """The ids of a request, which its jobs go on with; `actor` is a key's id, the operator at the command line, or the system."""

    request_id: str
    correlation_id: str
    actor: str = SYSTEM


_current: ContextVar[Identity | None] = ContextVar("identity", default=None)


def begin(correlation: bytes | None = None) -> Identity:
    """Makes the ids of a new request; a correlation id that is not of the contract's form is replaced."""
    given = correlation.decode() if correlation and _CORRELATION.fullmatch(correlation) else str(uuid.uuid4())
    identity = Identity(new_id(Prefix.REQUEST), given)
    _current.set(identity)
    return identity


def end() -> None:
    """Forgets the request: what comes after it in the same task goes on under ids of its own."""
    _current.set(None)


def resume(identity: Identity) -> None:
    """Goes on under the ids of the request that asked for this work."""
    _current.set(identity)


def act_as(actor: str) -> None:
    """Names who acts from here on, once that is known."""
    _current.set(replace(current(), actor=actor))


def current() -> Identity:
    """The running request's ids; new ones outside of any request."""
    return _current.get() or begin()
