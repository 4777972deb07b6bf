"""Every operation says what it is, what it takes, what it answers and how it fails; SDKs are made from this document."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from app.api.openapi import operations
from app.config import Settings
from app.main import create_app

DOCUMENT: dict[str, Any] = create_app(Settings(var_dir=Path("var"))).application.openapi()
OPERATIONS = {f"{method.upper()} {path}": operation for path, method, operation in operations(DOCUMENT)}
PROTECTED = {name: operation for name, operation in OPERATIONS.items() if " /api/" in name and "security" in operation}


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        found: Any = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def answers(operation: dict[str, Any], first: str) -> dict[str, dict[str, Any]]:
    return {status: resolved(a) for status, a in operation["responses"].items() if status.startswith(first)}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_named_and_described(name: str) -> None:
    operation = OPERATIONS[name]
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", operation["operationId"]), "an endpoint's name becomes an SDK's method"
    assert operation["summary"]
    assert operation.get("description"), "give the endpoint a docstring"
    assert operation["tags"]


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_success_has_a_schema_and_an_example(name: str) -> None:
    for status, answer in answers(OPERATIONS[name], "2").items():
        for media_type, content in answer.get("content", {}).items():
            schema = resolved(content["schema"])
            assert schema, (status, media_type, "declare response_model (app/api/answers) or binary(…)")
            if media_type == "application/json":
                shown = schema.get("examples") or resolved(
                    schema.get("properties", {}).get("data", {}).get("items", {})
                )
                assert shown, (status, "give the model an example: model_config = shown({…})")


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_request_body_has_an_example(name: str) -> None:
    body = OPERATIONS[name].get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None:
        schema = body["schema"]
        kinds = [schema, *schema.get("anyOf", ())]
        assert any(resolved(kind).get("examples") for kind in kinds), "model_config = example({…})"


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_parameter_is_described(name: str) -> None:
    for parameter in OPERATIONS[name].get("parameters", ()):
        assert resolved(parameter).get("description"), (
            f"{parameter['name']}: see PARAMETERS in app/api/openapi_tables.py"
        )


@pytest.mark.parametrize("name", PROTECTED)
def test_a_protected_operation_documents_the_errors_that_any_can_give(name: str) -> None:
    operation = PROTECTED[name]
    assert {"401", "403", "500", "503"} <= operation["responses"].keys()
    [scheme] = operation["security"]
    assert scheme["ApiKey"], "the scope it needs stands in its security requirement"


@pytest.mark.parametrize("name", [name for name in OPERATIONS if " /api/" in name])
def test_every_error_has_the_envelope_and_an_example(name: str) -> None:
    for first in "45":
        for status, answer in answers(OPERATIONS[name], first).items():
            content = answer["content"]["application/json"]
            assert content["schema"]["$ref"].endswith("/ErrorEnvelope"), status
            for code, example in content["examples"].items():
                assert example["value"]["error"]["code"] == code
                assert example["value"]["error"]["message"], f"give {code} a message in openapi_tables.ERRORS"


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_answer_names_its_request(name: str) -> None:
    for first in "245":
        for status, answer in answers(OPERATIONS[name], first).items():
            assert {"X-Request-Id", "X-Correlation-Id"} <= answer["headers"].keys(), status


def test_nothing_is_defined_and_not_used() -> None:
    text = str(DOCUMENT)
    for kind in ("schemas", "responses", "headers"):
        for name in DOCUMENT["components"][kind]:
            assert f"#/components/{kind}/{name}'" in text, name
