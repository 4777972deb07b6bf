"""Completes the OpenAPI document: routes say what is theirs, and what holds for all operations is added here from tables.

A route gives `summary`, a docstring (its description), `response_model` and, for errors that only it has, `responses=raises(…)`.
It answers with a ready `Response`, so the model documents and costs nothing at run time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

from app import errors
from app.api.errors import status_of
from app.api.openapi_tables import (
    DESCRIPTION,
    ERRORS,
    HEADERS,
    NOT_FOUND_CODES,
    PARAMETERS,
    STATUS_MEANINGS,
    TAGS,
    ULID,
)

JSON = dict[str, Any]
_REF = {"$ref": "#/components/schemas/ErrorEnvelope"}
_ALWAYS = ((500, "INTERNAL"), (503, "SEARCH_UNAVAILABLE"))
_WITH_KEY = ((401, "UNAUTHORIZED"), (403, "FORBIDDEN"), (429, "RATE_LIMIT"))
_WITH_BODY = ((400, "INVALID_REQUEST"), (413, "PAYLOAD_TOO_LARGE"), (415, "UNSUPPORTED_MEDIA_TYPE"))
_WITH_IDEMPOTENCY_KEY = (
    (400, "INVALID_REQUEST"),
    (409, "IDEMPOTENCY_IN_PROGRESS"),
    (422, "IDEMPOTENCY_KEY_REUSED"),
)
_WITH_IDEMPOTENCY_HEADERS = {
    **dict.fromkeys(("200", "201", "202"), ("Idempotency-Replayed",)),
    "409": ("Retry-After",),
}
_HEADERS_OF_STATUS = {
    "201": ("Location",),
    "202": ("Location", "Retry-After"),
    "401": ("WWW-Authenticate",),
    "402": ("Link",),
    "429": ("Retry-After", "X-Concurrency-Limit", "X-Queue-Depth"),
    "503": ("Retry-After",),
}
_OF_AUTHENTICATED = (
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "RateLimit",
    "RateLimit-Policy",
    "X-Credits-Remaining",
    "X-Credits-Remaining-Simulated",
)
_OPEN_PREFIXES = ("/health/", "/metrics")


class ErrorBody(BaseModel):
    code: str = Field(description="Stable; what a program may decide by")
    message: str = Field(description="For a person: what is wrong, where, and what to do")
    details: dict[str, Any] = Field(description="By code: the field, the limit, the scope …")


class ErrorEnvelope(BaseModel):
    """What every answer that is not 2xx holds."""

    error: ErrorBody
    correlation_id: str
    request_id: str


def raises(*kinds: type[errors.FoundryOpsError]) -> dict[int | str, JSON]:
    """`responses=` of a route, for the errors that only it has; those of every route are added by themselves."""
    found: dict[int | str, JSON] = {}
    for kind in kinds:
        answer = found.setdefault(status_of(kind), _error(status_of(kind), ()))
        answer["content"]["application/json"]["examples"][kind.code] = _example(kind.code)
    return found


def binary(media_type: str, description: str) -> dict[int | str, JSON]:
    """`responses=` of a route that answers with a file; give the route `response_class=Response` too."""
    content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {200: {"description": description, "content": content}}


def also(media_type: str) -> dict[int | str, JSON]:
    """`responses=` of a route that answers in a text format too, by Accept."""
    return {200: {"description": "Successful Response", "content": {media_type: {"schema": {"type": "string"}}}}}


def event_stream(description: str) -> dict[int | str, JSON]:
    """`responses=` of a route that answers with server-sent events; the schema is of one event."""
    properties = {name: {"type": "string"} for name in ("id", "event", "data")}
    schema = {"type": "object", "properties": properties, "required": ["event", "data"]}
    return {200: {"description": description, "content": {"text/event-stream": {"schema": schema}}}}


def operation_id(route: APIRoute) -> str:
    """The endpoint's own name: what an SDK's method is called."""
    return route.name


def complete(app: FastAPI) -> None:
    """Makes `app.openapi()` give the finished document, built once."""
    plain: Callable[[], JSON] = app.openapi

    def finished() -> JSON:
        if app.openapi_schema is None:
            finish(plain())
        return app.openapi_schema or {}

    app.openapi = finished  # type: ignore[method-assign]


def finish(document: JSON) -> None:
    """Adds, in place, what the tables say of every operation."""
    document["info"]["description"] = DESCRIPTION
    components: JSON = document.setdefault("components", {})
    _components(components)
    used: set[str] = set()
    for path, _, operation in operations(document):
        used.update(operation.get("tags", ()))
        _describe_parameters(operation)
        _add_errors(path, operation)
        for status, answer in operation["responses"].items():
            _add_headers(status, answer)
            if status != "401" and not path.startswith(_OPEN_PREFIXES):
                _add_named(answer, _OF_AUTHENTICATED)
            if _takes_idempotency_keys(operation):
                _add_named(answer, _WITH_IDEMPOTENCY_HEADERS.get(status, ()))
    _share_errors(document)
    names = [*TAGS, *sorted(used - TAGS.keys())]
    document["tags"] = [{"name": name} | ({"description": TAGS[name]} if name in TAGS else {}) for name in names]


def operations(document: JSON) -> Iterator[tuple[str, str, JSON]]:
    """Path, method and operation of everything in a document."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                yield path, method, operation


def _components(components: JSON) -> None:
    schemas: JSON = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schema = ErrorEnvelope.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs"))
    schemas["ErrorEnvelope"] = schema
    components["headers"] = HEADERS


def _describe_parameters(operation: JSON) -> None:
    for parameter in operation.get("parameters", ()):
        text, example = PARAMETERS.get(parameter["name"], ("", None))
        if text and "description" not in parameter:
            parameter["description"] = text
        if example is not None and "example" not in parameter and "examples" not in parameter:
            parameter["example"] = example


def _add_errors(path: str, operation: JSON) -> None:
    answers: JSON = operation["responses"]
    if "HTTPValidationError" in str(answers.get("422")):
        del answers["422"]
    for status, code in _expected(path, operation):
        answer = answers.setdefault(str(status), _error(status, ()))
        examples = answer.get("content", {}).get("application/json", {}).setdefault("examples", {})
        examples.setdefault(code, _example(code))
    operation["responses"] = dict(sorted(answers.items()))


def _expected(path: str, operation: JSON) -> Iterable[tuple[int, str]]:
    """Statuses and codes that follow from what an operation is."""
    if path.startswith(_OPEN_PREFIXES):
        return
    parameters = operation.get("parameters", ())
    yield from _ALWAYS
    if "security" in operation:
        yield from _WITH_KEY
    if "requestBody" in operation:
        yield from _WITH_BODY
    if "requestBody" in operation or any(parameter["in"] == "query" for parameter in parameters):
        yield 422, "INVALID_SCHEMA"
    if any(parameter["name"] == "cursor" for parameter in parameters):
        yield 400, "INVALID_REQUEST"
    if _takes_idempotency_keys(operation):
        yield from _WITH_IDEMPOTENCY_KEY
    for parameter in parameters:
        if parameter["in"] == "path":
            yield 404, NOT_FOUND_CODES.get(parameter["name"], "NOT_FOUND")


def _add_headers(status: str, answer: JSON) -> None:
    _add_named(answer, ("X-Request-Id", "X-Correlation-Id", *_HEADERS_OF_STATUS.get(status, ())))


def _add_named(answer: JSON, names: Iterable[str]) -> None:
    headers = answer.setdefault("headers", {})
    for name in names:
        headers.setdefault(name, {"$ref": f"#/components/headers/{name}"})


def _takes_idempotency_keys(operation: JSON) -> bool:
    return any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", ()))


def _error(status: int, codes: Iterable[str]) -> JSON:
    examples = {code: _example(code) for code in codes}
    content = {"application/json": {"schema": _REF, "examples": examples}}
    return {"description": STATUS_MEANINGS.get(status, "An error."), "content": content}


def _example(code: str) -> JSON:
    message, details = ERRORS.get(code, ("", {}))
    error = {"code": code, "message": message, "details": details}
    value = {"error": error, "correlation_id": HEADERS["X-Correlation-Id"]["example"], "request_id": f"req_{ULID}"}
    return {"value": value}


def _share_errors(document: JSON) -> None:
    """Equal error answers stand once, under components; the document is a third of its size."""
    shared: JSON = document["components"].setdefault("responses", {})
    for _, _, operation in operations(document):
        for status, answer in operation["responses"].items():
            if not status.startswith(("4", "5")):
                continue
            codes = answer.get("content", {}).get("application/json", {}).get("examples", {})
            name = "".join(part.capitalize() for code in sorted(codes) for part in code.split("_"))
            if name and shared.setdefault(name, answer) == answer:
                operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
