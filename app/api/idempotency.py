"""Idempotent POSTs at the edge: claims the key once the caller is known, keeps the answer with its effects, replays it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request
from starlette.responses import Response

from app.bootstrap import Services
from app.db.unit import unit_of_work
from app.errors import InvalidRequest
from app.services.idempotency import Answer, Asked, Claim

HEADERS = ("Idempotency-Key", "X-Idempotency-Key")
PARAMETERS: list[dict[str, Any]] = [
    {"name": name, "in": "header", "required": False, "schema": {"type": "string", "minLength": 1, "maxLength": 255}}
    for name in HEADERS
]
_MAX_KEY_CHARACTERS = 255


class Replayed(Exception):
    """The request was answered before; not an error."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def wants(request: Request) -> bool:
    return request.method == "POST" and any(name in request.headers for name in HEADERS)


async def claim(request: Request, services: Services, organisation_id: str) -> None:
    """Claims the key of a request that has one, when its caller has been let in; raises Replayed, or what a claim raises."""
    if not wants(request):
        return
    route = f"{request.method} {request.scope['route'].path}"
    place = f"{request.url.path}?{request.url.query}\n".encode()
    asked = Asked(organisation_id, route, _key(request), place + await request.body())
    found = await services.idempotency.claim(asked)
    if isinstance(found, Answer):
        raise Replayed(found)
    request.state.claim = found


async def answer(request: Request, handler: Callable[[Request], Awaitable[Response]]) -> Response:
    """Runs the handler in a unit of work; a 2xx is kept in it, after anything else the key is free again."""
    services: Services = request.app.state.services
    try:
        async with unit_of_work():
            response = await handler(request)
            held = _claim_of(request)
            kept = held is not None and 200 <= response.status_code < 300
            if held is not None and kept:
                await services.idempotency.finish(held, _to_answer(response))
    except Replayed as replayed:
        return _from_answer(replayed.answer)
    except BaseException:
        held = _claim_of(request)
        if held is not None:
            await asyncio.shield(services.idempotency.release(held))
        raise
    if held is not None and not kept:
        await services.idempotency.release(held)
    return response


def _claim_of(request: Request) -> Claim | None:
    return getattr(request.state, "claim", None)


def _key(request: Request) -> str:
    given = {request.headers[name] for name in HEADERS if name in request.headers}
    if len(given) > 1:
        raise InvalidRequest("Idempotency-Key and X-Idempotency-Key differ; send one of them.", field=HEADERS[0])
    [key] = given
    if not (0 < len(key) <= _MAX_KEY_CHARACTERS and key.isascii() and key.isprintable()):
        raise InvalidRequest(
            f"An idempotency key is 1 to {_MAX_KEY_CHARACTERS} printable ASCII characters.", field=HEADERS[0]
        )
    return key


def _to_answer(response: Response) -> Answer:
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Answer(response.status_code, headers, bytes(response.body))


def _from_answer(kept: Answer) -> Response:
    return Response(kept.body, kept.status, {**kept.headers, "Idempotency-Replayed": "true"})
