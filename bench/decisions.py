"""Measures what the decision log costs: a note on the path of an answer, and writing behind its back.

Run against an OpenSearch: `python -m bench.decisions --opensearch http://127.0.0.1:9200`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import tempfile
import time
from datetime import timedelta
from typing import Any

from app.db.session import Database
from app.search.client import Endpoint
from app.search.decisions import DecisionIndex
from app.services.decisions import DecisionLog, Origin

RECORD = {
    "company": "Acme Widgets",
    "email": "jo@mail.acme.de",
    "city": "Berlin",
    "country": "DE",
    "phone": "+49 30 123",
}
REASONS = [{"code": code} for code in ("DOMAIN_EXACT", "NAME_SIMILAR", "CITY_EXACT", "COUNTRY_EXACT", "AMBIGUOUS")]
ANSWER: dict[str, Any] = {
    "snapshot_id": "dss_01J8X9Y2Z3A4B5C6D7E8F9G0H1",
    "profile": "leads_to_accounts@1",
    "threshold": 0.5,
    "decision": "match",
    "matches": [{"record_id": "a1", "score": 0.973, "confidence": "high", "reasons": REASONS}],
    "candidates_considered": 50,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--opensearch", default="http://127.0.0.1:9200")
    parser.add_argument("--decisions", type=int, default=50_000)
    chosen = parser.parse_args()
    print(json.dumps(asyncio.run(_measure(chosen.opensearch, chosen.decisions)), indent=2))


async def _measure(url: str, count: int) -> dict[str, Any]:
    client = Endpoint(url).async_client(10_000)
    prefix = f"bench{secrets.token_hex(3)}"
    with tempfile.TemporaryDirectory() as folder:
        db = Database(f"sqlite+aiosqlite:///{folder}/bench.db")
        await db.migrate()
        log = DecisionLog(DecisionIndex(client, prefix, 0), db, "secret", timedelta(days=30), count)
        origin = Origin("org_bench", "file", "job_01J8X9Y2Z3A4B5C6D7E8F9G0H1")
        note_s = _timed_notes(log, origin, count)
        cpu, started = time.process_time(), time.perf_counter()
        await log.close(within_s=600)
        cpu_s, wall_s = time.process_time() - cpu, time.perf_counter() - started
        index = f"{prefix}-decisions"
        await client.indices.refresh(index=index)
        stats = await client.indices.stats(index=index, metric="store,indexing")
        await client.indices.delete(index=f"{prefix}-decisions-*")
        await client.indices.delete_index_template(name=index)
        await client.close()
        await db.close()
    primaries = stats["_all"]["primaries"]
    return {
        "decisions": count,
        "note_cpu_us": round(note_s / count * 1e6, 1),
        "write_cpu_us": round(cpu_s / count * 1e6, 1),
        "written_per_s": round(count / wall_s),
        "engine_indexing_us": round(primaries["indexing"]["index_time_in_millis"] / count * 1e3, 1),
        "bytes_per_decision": round(primaries["store"]["size_in_bytes"] / count),
    }


def _timed_notes(log: DecisionLog, origin: Origin, count: int) -> float:
    """In CPU time: the machine may be busy."""
    started = time.process_time()
    for position in range(count):
        log.note(origin, RECORD, ANSWER, 8.64, position)
    return time.process_time() - started


if __name__ == "__main__":
    main()
