"""Admits a request within its organisation's limits, and tells the caller in headers where those limits are."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import http_sf
from starlette.requests import Request
from starlette.types import Scope

from app.bootstrap import Services
from app.services.limits import Admission
from app.tariff import Tier

_KEY = "foundryops.admission"
Headers = list[tuple[bytes, bytes]]


async def admit(request: Request, services: Services, organisation_id: str) -> None:
    """Counts the request; raises RateLimited."""
    if not services.limits.enabled:
        return
    admission = await services.limits.admit(organisation_id)
    request.scope[_KEY] = admission
    if admission.refusal is not None:
        raise admission.refusal


def answer_begins(scope: Scope) -> Headers:
    """Headers of an answer whose work is done, so that its slot is given back: a stream that is read slowly holds none."""
    admission: Admission | None = scope.get(_KEY)
    if admission is None:
        return []
    admission.release()
    return _rate_headers(admission)


def answer_ends(scope: Scope) -> None:
    """Gives back what a request holds that ended without an answer."""
    admission: Admission | None = scope.get(_KEY)
    if admission is not None:
        admission.release()


def _rate_headers(admission: Admission) -> Headers:
    tier, rate = admission.tier, admission.rate
    now = time.time()
    reset = int(max(now, rate.reset_at)) + 1
    state: Any = [("default", {"r": rate.remaining, "t": reset - int(now)})]
    return [
        (b"x-ratelimit-limit", str(tier.requests).encode()),
        (b"x-ratelimit-remaining", str(rate.remaining).encode()),
        (b"x-ratelimit-reset", str(reset).encode()),
        (b"ratelimit-policy", _policy(tier)),
        (b"ratelimit", http_sf.ser(state).encode()),
    ]


@lru_cache(maxsize=100)
def _policy(tier: Tier) -> bytes:
    policy: Any = [("default", {"q": tier.requests, "w": tier.window_s})]
    return http_sf.ser(policy).encode()
