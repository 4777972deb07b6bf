"""Gives every error its status and the contract's envelope, those of the framework included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app import errors
from app.db.trouble import trouble_of
from app.identity import current
from app.observability import frames_of

log = structlog.get_logger(__name__)

STATUS: dict[type[errors.FoundryOpsError], int] = {
    errors.InvalidRequest: 400,
    errors.InvalidSchema: 422,
    errors.UnreadableFile: 422,
    errors.PayloadTooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.InsufficientCredits: 402,
    errors.RateLimited: 429,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.IdempotencyKeyReused: 422,
    errors.ArtifactExpired: 410,
    errors.StorageFull: 507,
    errors.Unavailable: 503,
    errors.InternalError: 500,
    errors.FoundryOpsError: 500,
}
"""A subclass has its nearest ancestor's status; a test proves that every error has one."""

_LIMIT_HEADERS = {
    "Retry-After": "retry_after_s",
    "X-Concurrency-Limit": "concurrency_limit",
    "X-Queue-Depth": "queue_depth",
}
_FRAMEWORK_CODES = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "PAYLOAD_TOO_LARGE", 400: "INVALID_REQUEST"}
_TYPE_NAMES = {
    "str": "string",
    "dict": "object",
    "list": "array",
    "int": "int",
    "float": "float",
    "bool": "bool",
    "NoneType": "null",
}
_MAX_LISTED_ERRORS = 50


def status_of(kind: type[errors.FoundryOpsError]) -> int:
    return next(STATUS[ancestor] for ancestor in kind.__mro__ if ancestor in STATUS)


def envelope(code: str, message: str, details: Mapping[str, Any]) -> bytes:
    """The contract's error body for the request that is being answered."""
    identity = current()
    return orjson.dumps(
        {
            "error": {"code": code, "message": message, "details": dict(details)},
            "correlation_id": identity.correlation_id,
            "request_id": identity.request_id,
        },
        option=orjson.OPT_NON_STR_KEYS,
        default=str,
    )


def error_response(exc: errors.FoundryOpsError) -> Response:
    status = status_of(type(exc))
    headers: dict[str, str] = {}
    if isinstance(exc, errors.Unavailable):
        headers["Retry-After"] = str(exc.retry_after_s)
    if isinstance(exc, errors.IdempotencyInProgress):
        headers["Retry-After"] = str(exc.details["retry_after_s"])
    if isinstance(exc, errors.RateLimited):
        headers |= {name: str(exc.details[detail]) for name, detail in _LIMIT_HEADERS.items()}
    if isinstance(exc, errors.Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    body = envelope(exc.code, exc.message, exc.details)
    return Response(body, status, headers, "application/json")


def install(app: FastAPI, top_up_url: str) -> None:
    """Registers the handlers; together they answer every non-2xx of the application."""

    @app.exception_handler(errors.FoundryOpsError)
    async def ours(request: Request, exc: errors.FoundryOpsError) -> Response:
        response = error_response(exc)
        if isinstance(exc, errors.InsufficientCredits):
            response.headers["Link"] = f'<{top_up_url}>; rel="payment"'
        return response

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, exc: RequestValidationError) -> Response:
        return error_response(_validation_error(exc.errors()))

    @app.exception_handler(HTTPException)
    async def framework(request: Request, exc: HTTPException) -> Response:
        code = _FRAMEWORK_CODES.get(exc.status_code, "INVALID_REQUEST")
        message = f"{request.method} {request.url.path}: {exc.detail}."
        headers = dict(exc.headers or {})
        return Response(envelope(code, message, {}), exc.status_code, headers, "application/json")

    @app.exception_handler(OperationalError)
    async def database(request: Request, exc: OperationalError) -> Response:
        trouble = trouble_of(exc)
        if trouble is None:
            return await bug(request, exc)
        log.error("database_in_trouble", code=trouble.code, frames=frames_of(exc))
        return error_response(trouble)

    @app.exception_handler(Exception)
    async def bug(request: Request, exc: Exception) -> Response:
        log.error("unhandled_error", error_type=type(exc).__name__, frames=frames_of(exc))
        return Response(envelope("INTERNAL", "Something went wrong on our side.", {}), 500, None, "application/json")


def _validation_error(found: Sequence[Mapping[str, Any]]) -> errors.FoundryOpsError:
    """One error for all that pydantic found; inputs are named by place and type, never by value."""
    if any(error["type"] == "json_invalid" for error in found):
        where = found[0].get("ctx", {}).get("error", "")
        return errors.InvalidRequest(f"The body is no valid JSON: {where}.")
    listed = [
        {"field": _place(error["loc"]), "message": error["msg"], "received": _type_name(error.get("input"))}
        for error in found[:_MAX_LISTED_ERRORS]
    ]
    first = listed[0]
    return errors.InvalidSchema(
        f"Field '{first['field']}': {first['message']}",
        field=first["field"],
        received=first["received"],
        errors=listed,
    )


def _place(location: Sequence[Any]) -> str:
    parts = [str(part) for part in location if part not in ("body", "query", "path")]
    return ".".join(parts) or "body"


def _type_name(value: Any) -> str:
    return _TYPE_NAMES.get(type(value).__name__, "null" if value is None else type(value).__name__)
