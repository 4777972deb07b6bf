"""Every operation of the OpenAPI document keeps organisations apart and asks for its scope.

Written from the document: a new route is walked as soon as it is there. A route with a path parameter that nobody has an id
for fails here until `Tenant.ids` knows one.
"""

from __future__ import annotations

import copy
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.api.openapi import operations
from app.config import Settings
from app.ids import Prefix, new_id
from app.main import create_app
from app.services.keys import SCOPES
from tests.api.conftest import SCHEMA, Api

DOCUMENT: dict[str, Any] = create_app(Settings(var_dir=Path("var"))).application.openapi()
REFUSED = (403, 404)
MADE_BY_WORK = {
    "delivery_id": Prefix.DELIVERY,
    "decision_id": Prefix.STANDING_DECISION,
    "label_id": Prefix.LABEL,
    "calibration_id": Prefix.CALIBRATION,
}
"""Ids that an organisation has only after it has worked; of calibrations, which need many labels, one that is not there."""
OUR_ID = re.compile(r"[a-z]+_[0-9A-HJKMNP-TV-Z]{26}")
"""How examples show what names a thing of an organisation."""


@dataclass(frozen=True)
class Operation:
    name: str
    method: str
    path: str
    scope: str
    slots: tuple[str, ...]
    """Names of the ids that it takes, in its path, its query or its example body."""
    query: tuple[str, ...]
    body: dict[str, Any] | None


@dataclass
class Tenant:
    """An organisation with one of everything, and words that must never be seen by another."""

    api: Api
    ids: dict[str, str]
    word: str

    @property
    def client(self) -> httpx2.AsyncClient:
        return self.api.client


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    return DOCUMENT["components"]["schemas"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node


def example_body(operation: dict[str, Any]) -> dict[str, Any] | None:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    kinds = [content["schema"], *content["schema"].get("anyOf", ())]
    found: dict[str, Any] = next(resolved(kind)["examples"][0] for kind in kinds if "examples" in resolved(kind))
    return found


def id_names(body: Any) -> Iterator[str]:
    for name, value in body.items() if isinstance(body, dict) else ():
        if isinstance(value, dict):
            yield from id_names(value)
        elif isinstance(value, str) and OUR_ID.fullmatch(value):
            yield name


def walked() -> Iterator[Operation]:
    for path, method, operation in operations(DOCUMENT):
        if not operation.get("security"):
            continue
        parameters = operation.get("parameters", ())
        in_path = [p["name"] for p in parameters if p["in"] == "path"]
        in_query = [p["name"] for p in parameters if p["in"] == "query" and p["name"].endswith("_id")]
        body = example_body(operation)
        [scope] = operation["security"][0]["ApiKey"]
        slots = (*in_path, *id_names(body))
        name = operation["operationId"]
        yield Operation(name, method.upper(), path, scope, tuple(dict.fromkeys(slots)), tuple(in_query), body)


PASSING = re.compile(r'"(last_used_at|correlation_id|request_id)":"[^"]+"')
WALKED = list(walked())
ids = [operation.name for operation in WALKED]


async def newcomer(api: Api, word: str) -> Tenant:
    """An organisation with a dataset that is not active yet, and a job that waits."""
    organisation_id = await api.services.keys.create_organisation(f"{word} Organisation")
    key_id, key = await api.services.keys.create(organisation_id, f"{word} key")
    client = httpx2.AsyncClient(
        transport=api.client._transport,
        base_url="http://test",
        headers={"Authorization": f"Bearer {key}"},
        timeout=60,
    )
    own = Api(client, api.services, organisation_id, key)
    body = {"name": f"{word} Accounts", "schema": SCHEMA, "primary_key": "account_id"}
    dataset_id = (await own.call("POST", "/datasets", body)).json()["dataset_id"]
    records = [
        {"account_id": f"{word}-record", "name": f"{word} Widgets", "website": f"{word}.example".lower()},
        {"account_id": [word], "name": f"{word} Rejected"},
    ]
    appended = await own.call("POST", f"/datasets/{dataset_id}/append", {"records": records})
    snapshot_id = appended.json()["snapshot_id"]
    job = await own.call("POST", f"/datasets/{dataset_id}/activate", {"snapshot_id": snapshot_id})
    upload = (await own.call("POST", "/uploads/presign?purpose=match")).json()
    await api.services.keys.last_use.flush()  # else the writer does it once a minute, in the middle of some comparison
    known = {
        "dataset_id": dataset_id,
        "snapshot_id": snapshot_id,
        "from_snapshot_id": snapshot_id,
        "to_snapshot_id": snapshot_id,
        "job_id": job.json()["job_id"],
        "storage_key": upload["storage_key"],
        "source_key": upload["storage_key"],
        "key_id": key_id,
        "record_id": f"{word}-record",
        "organisation_id": organisation_id,
    }
    absent = {name: new_id(prefix) for name, prefix in MADE_BY_WORK.items()}
    return Tenant(own, absent | known, word)


async def settle(tenant: Tenant) -> None:
    """Does what waits, and makes one of everything that work makes."""
    own, ids = tenant.api, tenant.ids
    assert (await own.run_job(ids["job_id"]))["status"] == "completed"
    record = {"name": f"{tenant.word} Widgets"}
    callback_url = f"https://{tenant.word.lower()}.example/hook"
    body = {"snapshot_id": ids["snapshot_id"], "records": [record], "callback_url": callback_url}
    ids["job_id"] = (await own.call("POST", "/match/batch", body)).json()["job_id"]
    assert (await own.run_job(ids["job_id"]))["status"] == "completed"
    ids["delivery_id"] = (await own.call("GET", "/webhooks/deliveries")).json()["data"][0]["delivery_id"]
    standing = {"dataset_id": ids["dataset_id"], "record": record, "record_id": ids["record_id"], "verdict": "always"}
    ids["decision_id"] = (await own.call("POST", "/decisions/standing", standing)).json()["decision_id"]
    labels = f"/datasets/{ids['dataset_id']}/labels"
    await own.call("POST", labels, {"labels": [{"record": record, "record_id": ids["record_id"], "match": True}]})
    ids["label_id"] = (await own.call("GET", labels)).json()["data"][0]["label_id"]


@pytest.fixture(scope="module")
async def victim(api: Api) -> AsyncIterator[Tenant]:
    tenant = await newcomer(api, "Vyctym")
    await settle(tenant)
    yield tenant
    await tenant.client.aclose()


@pytest.fixture(scope="module")
async def stranger(api: Api) -> AsyncIterator[Tenant]:
    tenant = await newcomer(api, "Strangr")
    await settle(tenant)
    yield tenant
    await tenant.client.aclose()


def filled(body: Any, ids: dict[str, str]) -> Any:
    if not isinstance(body, dict):
        return copy.deepcopy(body)
    return {name: ids[name] if name in ids else filled(value, ids) for name, value in body.items()}


async def ask(client: httpx2.AsyncClient, operation: Operation, ids: dict[str, str]) -> httpx2.Response:
    path = operation.path
    for name in operation.slots:
        assert name in ids, f"{operation.name} takes a {name!r}: give Tenant.ids one"
        path = path.replace(f"{{{name}}}", ids[name])
    return await client.request(
        operation.method,
        path,
        params={name: ids[name] for name in operation.query if name in ids} | _required(operation),
        json=filled(operation.body, {name: ids[name] for name in operation.slots}),
    )


def _required(operation: Operation) -> dict[str, str]:
    return {"purpose": "match"} if operation.path.endswith("/presign") else {}


def leaked(response: httpx2.Response, victim: Tenant, sent: set[str]) -> list[str]:
    """What of the victim stands in an answer that the asker did not send."""
    secret = {victim.word, victim.word.lower(), *victim.ids.values()} - sent
    seen = response.text + str(response.headers)
    return sorted(word for word in secret if word in seen)


@pytest.mark.parametrize("operation", WALKED, ids=ids)
async def test_another_organisations_ids_are_not_found_and_nothing_leaks(
    operation: Operation, victim: Tenant, stranger: Tenant
) -> None:
    before = await everything_of(victim)
    trials = [victim.ids] + [stranger.ids | {name: victim.ids[name]} for name in operation.slots]
    for trial in trials:
        response = await ask(stranger.client, operation, trial)
        if operation.slots:
            assert response.status_code in REFUSED, (trial, response.text)
        assert response.status_code < 500, response.text
        assert leaked(response, victim, {trial[name] for name in (*operation.slots, *operation.query)}) == []
    assert await everything_of(victim) == before


async def everything_of(tenant: Tenant) -> dict[str, str]:
    """All that the tenant can read without a change: a stranger's request must not have changed it."""
    readers = [o for o in WALKED if o.method == "GET" and o.scope != "audit:read" and not o.path.endswith("/events")]
    found = {reader.name: (await ask(tenant.client, reader, tenant.ids)).text for reader in readers}
    return {name: PASSING.sub("", text) for name, text in found.items()}


@pytest.mark.parametrize("operation", WALKED, ids=ids)
async def test_a_key_without_the_scope_is_refused_and_told_which(
    api: Api, operation: Operation, victim: Tenant
) -> None:
    others = [scope for scope in SCOPES if scope != operation.scope]
    _, key = await api.services.keys.create(victim.api.organisation_id, "narrow", others)
    response = await _with(api, {"Authorization": f"Bearer {key}"}, operation, victim)
    assert response.status_code == 403, response.text
    assert response.json()["error"]["details"]["scope"] == operation.scope


@pytest.mark.parametrize("operation", WALKED, ids=ids)
async def test_nobody_is_let_in_without_a_key(api: Api, operation: Operation, victim: Tenant) -> None:
    response = await _with(api, {}, operation, victim)
    assert response.status_code == 401
    assert leaked(response, victim, set()) == []


async def _with(api: Api, headers: dict[str, str], operation: Operation, tenant: Tenant) -> httpx2.Response:
    transport = api.client._transport
    async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        return await ask(client, operation, tenant.ids)


def test_every_operation_of_the_api_asks_for_a_key_except_signed_urls() -> None:
    open_paths = [path for path, _, operation in operations(DOCUMENT) if not operation.get("security")]
    assert {path for path in open_paths if path.startswith("/api/")} <= {"/api/v2/uploads/{storage_key}"}
    assert {path for path in open_paths if not path.startswith("/api/")} <= {
        "/health/live",
        "/health/ready",
        "/metrics",
    }
