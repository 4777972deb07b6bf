"""What is broken while a file job runs; each case mends what it broke before it returns."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import redis

from app.queue import ArqQueue
from bench.fault_stack import ENDED, FaultStack, connection, end, parts, send, store_folder

_STOPPED_S = 20.0
_FROZEN_S = 14.0
"""Longer than a lease, so that another worker takes the step before this one goes on with it."""
_FULL_S = 8.0
_DISK_MB = 64
_WAKES = 5
_ACTIVATIONS = 3
"""More than the indices that are kept for rollback."""


@dataclass(frozen=True, slots=True)
class Target:
    """The job that a fault is to strike."""

    stack: FaultStack
    job_id: str
    key: str
    """The idempotency key of its request."""
    output_format: str


Strike = Callable[[Target], None]
Ground = Callable[[], AbstractContextManager[None]]


class Skipped(Exception):
    """The case cannot be made here; says why."""


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    strike: Strike
    times: int = 1
    early: bool = False
    """Strikes in the first third of the job, because what it does takes a while."""
    after_end: bool = False
    """Strikes when the job has completed, at its artefacts."""
    ground: Ground = nullcontext
    """What must be prepared before the job is submitted; may raise Skipped."""


def faults(kills: int) -> list[Fault]:
    """The cases in their order; the last one makes the index of the first snapshot superfluous."""
    return [
        Fault("worker killed", lambda _: end(random.choice(parts("worker"))), kills),
        Fault("worker frozen for longer than its lease", _freeze_worker, 2),
        Fault("queue killed", lambda _: end("valkey"), 2),
        Fault("queue emptied and killed", _forget_queue, 2),
        Fault("search engine stopped for 20 s", _stop_search),
        Fault("search engine killed", lambda _: end("opensearch"), 2, early=True),
        Fault("API killed", lambda _: end("api"), 2),
        Fault("API restarted", lambda _: end("api", signal.SIGTERM)),
        Fault("API restarted after the job", lambda _: end("api", signal.SIGTERM), after_end=True),
        Fault("results store full", _fill_store, 2, ground=_small_store),
        Fault("workers cannot write any file", _forbid_writing),
        Fault("same job enqueued again and again", _enqueue_again, 2),
        Fault("other snapshots activated", _activate_others, 2, early=True),
    ]


def _freeze_worker(target: Target) -> None:
    """Another worker takes its step meanwhile; then its own late word meets what that one did."""
    names = parts("worker")
    if len(names) < 2:
        raise Skipped("needs two workers: FOUNDRYOPS_EMBEDDED_WORKERS=2")
    frozen = random.choice(names)
    send(frozen, signal.SIGSTOP)
    time.sleep(_FROZEN_S)
    send(frozen, signal.SIGCONT)


def _forget_queue(target: Target) -> None:
    redis.Redis.from_url(connection()["redis_url"]).flushall()
    end("valkey")


def _stop_search(target: Target) -> None:
    send("opensearch", signal.SIGSTOP)
    time.sleep(_STOPPED_S)
    send("opensearch", signal.SIGCONT)


@contextmanager
def _small_store() -> Iterator[None]:
    """A file system of its own, small, where the artefacts and chunks of jobs lie; raises Skipped."""
    folder = _jobs_folder()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        raise Skipped("a small file system can only be mounted by root, on Linux")
    options = ["-t", "tmpfs", "-o", f"size={_DISK_MB}m", "tmpfs"]
    made = subprocess.run([mount, *options, str(folder)], capture_output=True, text=True, check=False)
    if made.returncode:
        raise Skipped(f"the small file system cannot be mounted: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _fill_store(target: Target) -> None:
    ballast = _jobs_folder() / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            _write_until_full(file.write, b"\0" * size)
    time.sleep(_FULL_S)
    ballast.unlink()


def _write_until_full(write: Callable[[bytes], int], block: bytes) -> None:
    """Ends at the kernel's own "no space left on device"."""
    try:
        while write(block):
            pass
    except OSError:
        return


def _jobs_folder() -> Path:
    store = store_folder()
    if store is None:
        raise Skipped("the stack's files are in a remote store")
    folder = store.absolute() / "jobs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _forbid_writing(target: Target) -> None:
    """For a while no file of a worker can grow: not the store's, not the database's, not the log's."""
    if not hasattr(resource, "prlimit"):
        raise Skipped("limits of other processes can only be set on Linux")
    pids = [connection()["pids"][name] for name in parts("worker")]
    before = [resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids]
    for pid, (_, hard) in zip(pids, before, strict=True):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    time.sleep(_FULL_S)
    for pid, limits in zip(pids, before, strict=True):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


def _enqueue_again(target: Target) -> None:
    """The same request again, and its job on the queue again, for the lanes and for the runner of other jobs."""
    asyncio.run(_wake_again(target.job_id))
    again = target.stack.submit(target.output_format, target.key)
    if again != target.job_id:
        raise SystemExit(f"the same request made job {again} beside {target.job_id}")


async def _wake_again(job_id: str) -> None:
    queue = ArqQueue(connection()["redis_url"])
    for attempt in range(1, _WAKES + 1):
        await queue.wake(job_id, "match_files", attempt)
        await queue.wake(job_id, "activate", 100 + attempt)
    await queue.close()


def _activate_others(target: Target) -> None:
    meanwhile = 0
    for number in range(_ACTIVATIONS):
        target.stack.activate_more(number)
        meanwhile += target.stack.job(target.job_id)["status"] not in ENDED
    target.stack.activate_again()
    print(f"{meanwhile} of {_ACTIVATIONS} activations ended before the job did", flush=True)
