"""What every route asks for: the services, the caller and the JSON it answers with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import orjson
from fastapi import Depends, Query, Request, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.responses import Response
from structlog.contextvars import bind_contextvars

from app.api import idempotency
from app.api.admission import admit
from app.bootstrap import Services
from app.errors import Forbidden, Unauthorized
from app.identity import act_as
from app.services.keys import Principal

_bearer = HTTPBearer(
    scheme_name="ApiKey", auto_error=False, description="An API key, made by `foundryops-server keys create`"
)


async def services_of(request: Request) -> Services:
    """Asynchronous although it waits for nothing: FastAPI would call it in another thread, twice a request."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(services_of)]


def caller(scope: str) -> Any:
    """A dependency that gives the Principal; raises Unauthorized, RateLimited, or Forbidden naming the scope it lacks."""

    async def authenticate(
        request: Request,
        services: ServicesDep,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> Principal:
        if credentials is None:
            raise Unauthorized("Send an API key: Authorization: Bearer <api key>.")
        principal = await services.keys.authenticate(credentials.credentials)
        bind_contextvars(organisation_id=principal.organisation_id, key_id=principal.key_id)
        await admit(request, services, principal.organisation_id)
        if scope not in principal.scopes:
            raise Forbidden(f"This key lacks the scope {scope!r}.", scope=scope)
        act_as(principal.key_id)
        await idempotency.claim(request, services, principal.organisation_id)
        return principal

    return Security(authenticate, scopes=[scope])


class OrjsonRequest(Request):
    """Reads JSON by the letter: NaN, lone surrogates and endless nesting are malformed."""

    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            self._json = orjson.loads(await self.body())
        return self._json


class JsonRoute(APIRoute):
    """Reads bodies by the letter, and takes idempotency keys on every POST."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if "POST" in options.get("methods", ()):
            extra = options.get("openapi_extra") or {}
            options["openapi_extra"] = {**extra, "parameters": [*extra.get("parameters", ()), *idempotency.PARAMETERS]}
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            ours = OrjsonRequest(request.scope, request.receive)
            if idempotency.wants(ours):
                return await idempotency.answer(ours, handler)
            return await handler(ours)

        return handle


def json_response(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, "application/json")


Limit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[str | None, Query(max_length=200)]
