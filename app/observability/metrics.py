"""Every metric of the requests, matches and jobs; docs/operations.md explains them, a test holds it to this list.

Labels are bounded: a route is its template, a method or kind is one that we know.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import psutil
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

_FAST_S = (0.0005, 0.001, 0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_SLOW_S = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600)

REQUESTS = Counter("foundryops_requests_total", "Requests answered", ["method", "route", "status"])
REQUEST_SECONDS = Histogram("foundryops_request_seconds", "Time to answer", ["route"], buckets=(*_FAST_S, 10, 30))
REQUESTS_RUNNING = Gauge("foundryops_requests_running", "Requests being answered now", multiprocess_mode="livesum")

MATCH_STAGE_SECONDS = Histogram(
    "foundryops_match_stage_seconds",
    "Time of one stage of a match call: prepare, retrieve, rerank, answer",
    ["stage"],
    buckets=_FAST_S,
)
MATCH_CANDIDATES = Histogram(
    "foundryops_match_candidates",
    "Candidates that retrieval found for a record",
    buckets=(0, 1, 5, 10, 20, 50, 100, 200),
)
MATCHES = Counter("foundryops_matches_total", "Records matched", ["decision"])
SEARCH_ERRORS = Counter("foundryops_search_errors_total", "Searches that failed, by the error's code", ["code"])

JOBS = Counter("foundryops_jobs_total", "Runs of jobs that ended, by outcome", ["kind", "outcome"])
JOB_SECONDS = Histogram("foundryops_job_seconds", "Time of one run of a job", ["kind"], buckets=_SLOW_S)
JOBS_OPEN = Gauge("foundryops_jobs_open", "Jobs that have not ended", ["state"], multiprocess_mode="mostrecent")
OLDEST_QUEUED_SECONDS = Gauge(
    "foundryops_oldest_queued_job_seconds", "Age of the job that waits longest", multiprocess_mode="mostrecent"
)
QUEUE_DEPTH = Gauge("foundryops_queue_depth", "Ids of jobs in the queue", multiprocess_mode="mostrecent")
WORKER_SEEN = Gauge(
    "foundryops_worker_seen", "1 when a worker reported itself to the queue lately", multiprocess_mode="mostrecent"
)

INDEX_BUILDS = Counter("foundryops_index_builds_total", "Activations that built an index, by outcome", ["outcome"])
INDEX_BUILD_SECONDS = Histogram("foundryops_index_build_seconds", "Time to build and verify an index", buckets=_SLOW_S)
INDEX_RECORDS = Counter("foundryops_index_records_total", "Records of indices built")

LIMIT_REFUSALS = Counter(
    "foundryops_limit_refusals_total",
    "Requests and jobs over a limit of their tier: rate, concurrency, queue",
    ["reason"],
)
LIMITS_DEGRADED = Gauge(
    "foundryops_limits_degraded",
    "1 while limits hold per process because Valkey is away",
    multiprocess_mode="livemax",
)
CREDITS_USED = Counter(
    "foundryops_credits_used_total", "Credits of work that was done, by mode: shadow or enforced", ["operation", "mode"]
)
CREDIT_REFUSALS = Counter("foundryops_credit_refusals_total", "Requests and jobs that the balance did not cover")
CREDITS_UNCOVERED = Counter(
    "foundryops_credits_uncovered_total", "Credits of work that was done and that nothing covered any more"
)

WEBHOOK_ATTEMPTS = Counter("foundryops_webhook_attempts_total", "Webhook messages tried, by outcome", ["outcome"])
WEBHOOK_SECONDS = Histogram(
    "foundryops_webhook_seconds", "Time until a receiver answered", buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
)
DECISIONS_WRITTEN = Counter("foundryops_decisions_written_total", "Decisions that reached the log")
DECISIONS_DROPPED = Counter("foundryops_decisions_dropped_total", "Decisions that the log lost, by reason", ["reason"])
DECISIONS_WAITING = Gauge(
    "foundryops_decisions_waiting", "Decisions noted and not yet written", multiprocess_mode="livesum"
)
RETENTION_REMOVED = Counter("foundryops_retention_removed_total", "Things removed after their lifetime", ["rule"])
RETENTION_FAILED = Counter("foundryops_retention_failed_total", "Rules of retention that failed", ["rule"])
RETENTION_LAST_RUN = Gauge(
    "foundryops_retention_last_run_timestamp_seconds", "When retention last ended", multiprocess_mode="max"
)

_PID = re.compile(r"_(\d+)\.db$")
_MULTIPROCESS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus-client's own variable: processes that share it are scraped as one."""


def exposition() -> bytes:
    """All metrics in Prometheus' text format: this process's, or of all that share the multiprocess folder."""
    if _MULTIPROCESS_FOLDER not in os.environ:
        return generate_latest(REGISTRY)
    _forget_the_dead(Path(os.environ[_MULTIPROCESS_FOLDER]))
    shared = CollectorRegistry()
    MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
    return generate_latest(shared)


def _forget_the_dead(folder: Path) -> None:
    """What a process that has ended counted stays; what it said of itself while it lived does not."""
    pids = {int(found[1]) for file in folder.glob("gauge_live*.db") if (found := _PID.search(file.name))}
    for pid in pids:
        if not psutil.pid_exists(pid):
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]


def serve(port: int, host: str) -> None:
    """Answers /metrics from a thread; for processes without HTTP of their own."""
    start_http_server(port, host)
