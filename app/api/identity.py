"""The ids of the request that is being answered, wherever in the code that is."""

from __future__ import annotations

import re
import uuid
from contextvars import ContextVar
from dataclasses import dataclass

from app.ids import Prefix, new_id

_CORRELATION = re.compile(rb"[A-Za-z0-9._-]{1,128}")


@dataclass(frozen=True, slots=True)
class Identity:
    request_id: str
    correlation_id: str


_current: ContextVar[Identity | None] = ContextVar("identity", default=None)


def begin(correlation: bytes | None) -> Identity:
    """Makes the ids of a new request; a correlation id that is not of the contract's form is replaced."""
    given = correlation.decode() if correlation and _CORRELATION.fullmatch(correlation) else str(uuid.uuid4())
    identity = Identity(new_id(Prefix.REQUEST), given)
    _current.set(identity)
    return identity


def current() -> Identity:
    """The running request's ids; new ones outside of any request."""
    return _current.get() or begin(None)
