"""Measures what the platform costs on match/record: the same requests, in turn, to servers with and without its parts.

Every server is a process of its own on the same engines, data and key; requests alternate between them, so that whatever
else the machine does hits all of them alike. Run on a stack that is up: `python -m bench.overhead --records 20000`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import psutil
import uvicorn
from sqlalchemy import select
from starlette.requests import Request

from app.api.admission import admit, answer_begins
from app.bootstrap import Services
from app.config import Settings
from app.db.models import Snapshot
from app.main import create_app
from app.services.keys import SCOPES, Principal
from app.tariff import Operation
from bench.deployment import loaded
from bench.generator import generate

RESULTS = Path(__file__).parent / "results" / "overhead.json"
WARM_UP = 300
IN_PROCESS_CALLS = 20_000
START_S = 60
PROFILE = "leads_to_accounts"


@dataclass(frozen=True)
class Variant:
    """Settings of a server; a bare one neither checks keys nor logs decisions."""

    settings: Mapping[str, str] = field(default_factory=dict)
    bare: bool = False


OFF = {"FOUNDRYOPS_LIMITS_ENABLED": "false", "FOUNDRYOPS_CREDITS_ENABLED": "false"}
VARIANTS = {
    "bare": Variant(OFF, bare=True),
    "keys_and_decisions": Variant(OFF),
    "limits": Variant({"FOUNDRYOPS_CREDITS_ENABLED": "false"}),
    "limits_and_credits": Variant(),
    "everything_traced": Variant({"FOUNDRYOPS_OTLP_ENDPOINT": "sink"}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--requests", type=int, default=1_500)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        _serve(VARIANTS[chosen.serve], chosen.port)
        return
    figures = asyncio.run(_measure(chosen.records, chosen.requests))
    chosen.out.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    print(json.dumps(figures, indent=2))


async def _measure(records: int, requests: int) -> dict[str, Any]:
    companies, leads = generate(records, min(2_000, records), 1)
    master = [{"id": company.id, **company.record} for company in companies]
    bodies = [{name: value for name, value in lead.record.items() if value} for lead in leads]
    async with loaded(master, "id") as (services, target):
        owner, key = await _paying_key(services, target.snapshot_id)
        in_process_us = await _in_process_us(services, owner)
        compared = await asyncio.to_thread(_compare, services.settings, key, target.snapshot_id, bodies, requests)
        return {
            "records": records,
            "requests": requests,
            "limits_and_credits_in_process_us": in_process_us,
            "servers": compared,
        }


async def _paying_key(services: Services, snapshot_id: str) -> tuple[str, str]:
    """The snapshot's organisation, which has credits and enforces them, and a key of it."""
    async with services.db.begin() as session:
        owner = (await session.get_one(Snapshot, snapshot_id)).organisation_id
    await services.credits.grant(owner, 10**9, "benchmark")
    await services.credits.set_mode(owner, "enforced")
    return owner, (await services.keys.create(owner, "benchmark"))[1]


async def _in_process_us(services: Services, owner: str) -> dict[str, float]:
    """Microseconds to admit a request, charge it and write its headers, without any HTTP around it."""
    times: list[float] = []
    for _ in range(IN_PROCESS_CALLS):
        started = time.perf_counter()
        request = Request({"type": "http"})
        await admit(request, services, owner)
        async with services.meter.charge(owner, Operation.MATCH_RECORD):
            pass
        answer_begins(request.scope)
        times.append((time.perf_counter() - started) * 1e6)
    cuts = statistics.quantiles(times, n=100)
    return {"p50": round(cuts[49], 1), "p95": round(cuts[94], 1), "p99": round(cuts[98], 1)}


def _compare(
    settings: Settings, key: str, snapshot_id: str, bodies: list[dict[str, Any]], requests: int
) -> dict[str, Any]:
    """By variant: milliseconds at p50, what it adds to the bare server in the same turn, and CPU time a request."""
    with ExitStack() as stack:
        sink = stack.enter_context(_trace_sink())
        servers = {name: stack.enter_context(_server(name, settings, key, sink)) for name in VARIANTS}
        for server in servers.values():
            _ask(server, snapshot_id, bodies, WARM_UP)
        began = {name: server.cpu_s() for name, server in servers.items()}
        took = _in_turn(servers, snapshot_id, bodies, requests)
        cpu = {name: server.cpu_s() - began[name] for name, server in servers.items()}
    bare = took["bare"]
    return {
        name: {
            "p50_ms": round(statistics.median(times), 3),
            "added_p50_ms": round(statistics.median(times) - statistics.median(bare), 3),
            "median_of_added_ms": round(statistics.median(a - b for a, b in zip(times, bare, strict=True)), 3),
            "cpu_ms": round(cpu[name] / requests * 1000, 3),
        }
        for name, times in took.items()
    }


@dataclass
class Server:
    """A running variant, and a connection to it that stays open."""

    client: httpx2.Client
    process: psutil.Process

    def cpu_s(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def match_ms(self, snapshot_id: str, record: dict[str, Any]) -> float:
        body = {"snapshot_id": snapshot_id, "record": record, "options": {"profile": PROFILE}}
        started = time.perf_counter()
        answer = self.client.post("/api/v2/match/record", json=body)
        took_ms = (time.perf_counter() - started) * 1000
        answer.raise_for_status()
        return took_ms


def _ask(server: Server, snapshot_id: str, bodies: list[dict[str, Any]], count: int) -> None:
    for i in range(count):
        server.match_ms(snapshot_id, bodies[i % len(bodies)])


def _in_turn(
    servers: Mapping[str, Server], snapshot_id: str, bodies: list[dict[str, Any]], requests: int
) -> dict[str, list[float]]:
    """Each record goes to every server; who comes first moves on with every record, for the engine remembers."""
    names = list(servers)
    took: dict[str, list[float]] = {name: [] for name in names}
    for i in range(requests):
        turn = i % len(names)
        for name in names[turn:] + names[:turn]:
            took[name].append(servers[name].match_ms(snapshot_id, bodies[(WARM_UP + i) % len(bodies)]))
    return took


@contextmanager
def _server(name: str, settings: Settings, key: str, sink: str) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = ("var_dir", "database_url", "store_dir", "opensearch_url", "redis_url", "index_prefix")
    environment = {f"FOUNDRYOPS_{part.upper()}": str(getattr(settings, part)) for part in shared}
    environment |= {k: sink if v == "sink" else v for k, v in VARIANTS[name].settings.items()}
    command = [sys.executable, "-m", "bench.overhead", "--serve", name, "--port", str(port)]
    process = subprocess.Popen(command, env=os.environ | environment | {"FOUNDRYOPS_LOG_LEVEL": "WARNING"})
    headers = {"Authorization": f"Bearer {key}"}
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
            _wait(client)
            yield Server(client, psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait(30)


def _wait(client: httpx2.Client) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            client.get("/health/live").raise_for_status()
            return
        except httpx2.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@contextmanager
def _trace_sink() -> Iterator[str]:
    """Takes traces and forgets them."""

    class Sink(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def _serve(variant: Variant, port: int) -> None:
    edge = create_app(Settings())
    if variant.bare:
        edge.application.router.lifespan_context = _bared(edge.application.router.lifespan_context)
    uvicorn.run(edge, host="127.0.0.1", port=port, log_level="warning", access_log=False)


def _bared(lifespan: Any) -> Any:
    """The application's lifespan, with its keys unchecked and its decisions not noted."""

    @asynccontextmanager
    async def bared(app: Any) -> AsyncIterator[None]:
        async with lifespan(app):
            services: Services = app.state.services
            async with services.db.begin() as session:
                owner = (await session.scalars(select(Snapshot.organisation_id))).first()
            somebody = Principal(str(owner), "key_bare", frozenset(SCOPES))

            async def authenticate(plain: str) -> Principal:
                return somebody

            services.keys.authenticate = authenticate  # type: ignore[method-assign]
            services.decisions.note = lambda *_: None  # type: ignore[method-assign]
            yield

    return bared


if __name__ == "__main__":
    main()
