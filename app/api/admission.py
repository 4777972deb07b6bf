"""Admits a request within its organisation's limits, and tells the caller in headers how much is left."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import http_sf
from starlette.requests import Request
from starlette.types import Scope

from app.bootstrap import Services
from app.services.limits import Admission
from app.services.meter import Meter
from app.tariff import Tier

_KEY = "foundryops.admitted"
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class _Admitted:
    """What a request left in its scope: whose it is, and its slot while limits are on."""

    organisation_id: str
    meter: Meter
    admission: Admission | None


async def admit(request: Request, services: Services, organisation_id: str) -> None:
    """Counts the request; raises RateLimited."""
    admission = await services.limits.admit(organisation_id) if services.limits.enabled else None
    request.scope[_KEY] = _Admitted(organisation_id, services.meter, admission)
    if admission is not None and admission.refusal is not None:
        raise admission.refusal


def answer_begins(scope: Scope) -> Headers:
    """Headers of an answer whose work is done, so that its slot is given back: a stream that is read slowly holds none."""
    admitted: _Admitted | None = scope.get(_KEY)
    if admitted is None:
        return []
    headers = _credit_headers(admitted)
    if admitted.admission is not None:
        admitted.admission.release()
        headers += _rate_headers(admitted.admission)
    return headers


def answer_ends(scope: Scope) -> None:
    """Gives back what a request holds that ended without an answer."""
    admitted: _Admitted | None = scope.get(_KEY)
    if admitted is not None and admitted.admission is not None:
        admitted.admission.release()


def _credit_headers(admitted: _Admitted) -> Headers:
    found = admitted.meter.credits_left(admitted.organisation_id)
    if found is None:
        return []
    enforced, left = found
    return [(b"x-credits-remaining" if enforced else b"x-credits-remaining-simulated", str(left).encode())]


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
