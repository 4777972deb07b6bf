"""Measures speed on a master of N records over HTTP: append, activation, size, match/record latency, and that answers are right.

Run on a stack that is up: `python -m bench.run --records 100000` or `--folder DIR` with master.csv, queries.csv and gold.csv.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import orjson
import psutil

from app.client import Client
from app.profiles import find_profile
from bench.generator import Company, generate

CONNECTION = Path("var/connection.json")
RESULTS = Path(__file__).parent / "results"
WARM_UP = 2_000
REQUESTS = 1_500
CLIENTS = (1, 4, 8)
RECALL_LEADS = 4_000
ASKED_LEADS = 3_000
STRANGERS = 2_000
"""Leads whose company is left out of the master: they must stay unlinked."""
HIDDEN = frozenset({"id", "kind", "ops", "split", "qtype", "lang"})
PROFILE = "leads_to_accounts"
Record = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    master, leads, answers = read_folder(chosen.folder) if chosen.folder else _made(chosen.records, chosen.seed)
    random.Random(chosen.seed).shuffle(leads)  # a generated folder has real companies first and invented ones last
    strangers, leads = leads[-STRANGERS:], leads[:-STRANGERS]
    unknown = {record_id for lead in strangers for record_id in answers.get(lead["id"], ())}
    master = [record for record in master if record["id"] not in unknown]
    connection = json.loads(CONNECTION.read_text("utf-8"))
    figures: dict[str, Any] = {"records": len(master), "leads": len(leads)}
    with Client(connection["base_url"], connection["api_key"]) as client:
        snapshot_id = _load(client, master, figures)
        _size(connection, snapshot_id, len(master), figures)
        _latency(connection, snapshot_id, leads, figures)
        _quality(client, snapshot_id, leads, answers, figures)
        figures["no_match_unlinked"] = round(1 - _linked_share(client, snapshot_id, strangers), 4)
        _recall(client, snapshot_id, leads, answers, figures)
    api = psutil.Process(connection["pids"]["api"])
    figures["api_resident_mb"] = round(api.memory_info().rss / 2**20)
    out = chosen.out or RESULTS / f"speed-{len(master)}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    print(json.dumps(figures, indent=2))


def read_folder(folder: Path) -> tuple[list[Record], list[Record], dict[str, set[str]]]:
    answers: dict[str, set[str]] = {}
    for row in _rows(folder / "gold.csv"):
        answers.setdefault(row["query_id"], set()).add(row["master_id"])
    master = [{k: v for k, v in row.items() if k == "id" or k not in HIDDEN} for row in _rows(folder / "master.csv")]
    return master, _rows(folder / "queries.csv"), answers


def _rows(path: Path) -> list[Record]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _made(records: int, seed: int) -> tuple[list[Record], list[Record], dict[str, set[str]]]:
    companies, leads = generate(records, min(4_000, records), seed)
    answers = {str(i): {lead.company_id} for i, lead in enumerate(leads)}
    queries = [{"id": str(i), **lead.record} for i, lead in enumerate(leads)]
    return [_company(company) for company in companies], queries, answers


def _company(company: Company) -> Record:
    return {"id": company.id, **company.record}


@contextmanager
def _timed(figures: dict[str, Any], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    figures[name] = round(time.perf_counter() - started, 2)


def _load(client: Client, master: Sequence[Record], figures: dict[str, Any]) -> str:
    schema = dict.fromkeys(master[0], "string")
    body = {"name": f"Benchmark of {len(master)}", "schema": schema, "primary_key": "id"}
    dataset_id = client.call("POST", "/datasets", body)["dataset_id"]
    with _timed(figures, "append_s"):
        snapshot_id = client.append(dataset_id, master)
    with _timed(figures, "activation_s"):
        job = client.call("POST", f"/datasets/{dataset_id}/activate", {"snapshot_id": snapshot_id})
        client.wait(job["job_id"])
    figures["append_records_per_s"] = round(len(master) / figures["append_s"])
    figures["activation_records_per_s"] = round(len(master) / figures["activation_s"])
    return snapshot_id


def _size(connection: dict[str, Any], snapshot_id: str, rows: int, figures: dict[str, Any]) -> None:
    url = f"{connection['opensearch_url']}/_cat/indices/*{snapshot_id.lower()}*?format=json&bytes=b&h=store.size"
    [index] = httpx2.get(url).json()
    figures["index_bytes_per_record"] = round(int(index["store.size"]) / rows)


def _request(snapshot_id: str, lead: Record) -> Record:
    record = {name: value for name, value in lead.items() if value and name not in HIDDEN}
    return {"snapshot_id": snapshot_id, "record": record, "options": {"profile": PROFILE}}


def _latency(connection: dict[str, Any], snapshot_id: str, leads: Sequence[Record], figures: dict[str, Any]) -> None:
    bodies = [_request(snapshot_id, lead) for lead in leads]
    _drive(connection, bodies[:WARM_UP])
    bodies = bodies[WARM_UP:] or bodies
    figures["match_record"] = {}
    for clients in CLIENTS:
        asked = [bodies[i % len(bodies)] for i in range(REQUESTS)]
        started = time.perf_counter()
        with ThreadPoolExecutor(clients) as pool:
            parts = pool.map(lambda part: _drive(connection, part), [asked[i::clients] for i in range(clients)])
            took_ms = [took for part in parts for took in part]
        spent = time.perf_counter() - started
        cuts = statistics.quantiles(took_ms, n=100)
        figures["match_record"][f"{clients}_clients"] = {
            "p50_ms": round(cuts[49], 2),
            "p95_ms": round(cuts[94], 2),
            "p99_ms": round(cuts[98], 2),
            "requests_per_s": round(len(took_ms) / spent, 1),
        }


def _drive(connection: dict[str, Any], bodies: Sequence[Record]) -> list[float]:
    """Milliseconds of each request over one kept connection; a plain client, so that its own time does not count."""
    headers = {"Authorization": f"Bearer {connection['api_key']}", "Content-Type": "application/json"}
    took_ms: list[float] = []
    with closing(HTTPConnection(urlsplit(connection["base_url"]).netloc)) as client:
        for body in bodies:
            content = orjson.dumps(body)
            started = time.perf_counter()
            client.request("POST", "/api/v2/match/record", content, headers)
            answer = client.getresponse()
            received = answer.read()
            took_ms.append((time.perf_counter() - started) * 1000)
            if answer.status != HTTPStatus.OK:
                raise RuntimeError(f"match/record answered {answer.status}: {received[:500]!r}")
    return took_ms


def _quality(
    client: Client, snapshot_id: str, leads: Sequence[Record], answers: dict[str, set[str]], figures: dict[str, Any]
) -> None:
    threshold = find_profile(PROFILE).match_threshold
    first = linked = correct = known = 0
    for lead in leads[:ASKED_LEADS]:
        body = _request(snapshot_id, lead)
        body["options"] |= {"threshold": 0, "top_n": 1}
        answer = client.call("POST", "/match/record", body)
        right = answers.get(lead["id"], set())
        best = answer["matches"][0] if answer["matches"] else None
        known += bool(right)
        hit = best is not None and best["record_id"] in right
        first += hit
        if best is not None and best["score"] >= threshold:
            linked += 1
            correct += hit
    figures["hit_at_1"] = round(first / max(known, 1), 4)
    figures["precision"] = round(correct / max(linked, 1), 4)
    figures["recall"] = round(correct / max(known, 1), 4)


def _linked_share(client: Client, snapshot_id: str, leads: Sequence[Record]) -> float:
    answers = [client.call("POST", "/match/record", _request(snapshot_id, lead)) for lead in leads]
    return [answer["decision"] for answer in answers].count("match") / max(len(leads), 1)


def _recall(
    client: Client, snapshot_id: str, leads: Sequence[Record], answers: dict[str, set[str]], figures: dict[str, Any]
) -> None:
    """Share of leads whose right record is among the candidates that are compared."""
    found = asked = 0
    for lead in leads[:RECALL_LEADS]:
        body = _request(snapshot_id, lead)
        for record_id in sorted(answers.get(lead["id"], ()))[:1]:
            asked += 1
            found += client.call("POST", "/match/explain", {**body, "record_id": record_id})["retrieved"]
    figures["retrieval_recall"] = round(found / max(asked, 1), 4)


if __name__ == "__main__":
    main()
