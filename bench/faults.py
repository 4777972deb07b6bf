"""Breaks a running stack while it matches files, again and again: each job must end with the undisturbed run's bytes.

`make faults`, or `python -m bench.faults --leads 5000 --kills 20` on a stack that is up. Prints a table and keeps the figures;
ends with an error when a job did not complete, a row is missing or doubled, or a byte differs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import secrets
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.fault_cases import Fault, Skipped, Target, faults
from bench.fault_file import FORMATS, rows_amiss, write_numbered
from bench.fault_stack import ENDED, FaultStack, wait_ready
from bench.run import RESULTS, _made

_TRIES = 5
"""A job that ends before the fault strikes proves nothing; then another one is tried."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one job came through one fault."""

    fault: str
    output_format: str
    struck_at: str
    """State of the job and its rows done when the fault struck."""
    seconds: float
    """From the submission to the end."""
    status: str
    error: str | None
    same_bytes: bool
    amiss: list[str]

    @property
    def holds(self) -> bool:
        return self.status == "completed" and self.same_bytes and not self.amiss

    def line(self) -> str:
        verdict = "the same bytes, every row once" if self.holds else f"BROKEN {self.error or ''} {self.amiss}"
        return f"{self.fault}: struck at {self.struck_at}, {self.status} after {self.seconds:.1f} s, {verdict}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=5_000)
    parser.add_argument("--leads", type=int, default=3_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--out", type=Path, default=RESULTS / "faults.json")
    chosen = parser.parse_args()
    stack = _prepared(chosen.records, chosen.leads, chosen.seed)
    random.seed(chosen.seed)
    outcomes, skipped = _run([f for f in faults(chosen.kills) if chosen.only in f.name], stack, chosen.leads)
    rows = _table(outcomes)
    _show(rows, skipped)
    figures = {
        "records": chosen.records,
        "leads": chosen.leads,
        "seed": chosen.seed,
        "undisturbed_s": round(stack.took_s, 1),
        "faults": rows,
        "skipped": skipped,
        "outcomes": [asdict(outcome) for outcome in outcomes],
    }
    chosen.out.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    if not all(outcome.holds for outcome in outcomes):
        raise SystemExit(1)


def _prepared(records: int, rows: int, seed: int) -> FaultStack:
    """A stack with its master and its file, and what the file gives in each format while nothing happens."""
    master, leads, _ = _made(records, seed)
    wait_ready()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "leads.csv"
        write_numbered(source, leads, rows)
        stack = FaultStack.loaded(master, source)
    for output_format in FORMATS:
        started = time.monotonic()
        job = stack.ended(stack.submit(output_format, secrets.token_hex()))
        stack.took_s = min(stack.took_s, time.monotonic() - started)
        if job["status"] != "completed":
            raise SystemExit(f"The undisturbed job {job['status']}: {job['error']}")
        stack.expected[output_format] = stack.artefacts(job)
        if amiss := rows_amiss(output_format, *stack.expected[output_format], rows):
            raise SystemExit(f"The undisturbed {output_format} result is wrong: {amiss}")
    return stack


def _run(chosen: Sequence[Fault], stack: FaultStack, rows: int) -> tuple[list[Outcome], dict[str, str]]:
    """What came of each case, and why some were not made."""
    formats = itertools.cycle(FORMATS)
    outcomes: list[Outcome] = []
    skipped: dict[str, str] = {}
    for fault in chosen:
        try:
            for _ in range(fault.times):
                outcomes.append(_struck(fault, stack, next(formats), rows))
                print(outcomes[-1].line(), flush=True)
        except Skipped as why:
            skipped[fault.name] = str(why)
            print(f"{fault.name}: skipped: {why}", flush=True)
    return outcomes, skipped


def _struck(fault: Fault, stack: FaultStack, output_format: str, rows: int) -> Outcome:
    """What became of a job that the fault struck while it was at work; jobs that it missed do not count."""
    for missed in range(_TRIES):
        wait_ready()
        with fault.ground():
            key, started = secrets.token_hex(), time.monotonic()
            target = Target(stack, stack.submit(output_format, key), key, output_format)
            if fault.after_end:
                stack.ended(target.job_id)
            else:
                time.sleep(random.uniform(0.0, stack.took_s / (3 if fault.early else 1 + missed)))
            job = stack.job(target.job_id)
            if fault.after_end or job["status"] not in ENDED:
                fault.strike(target)
                return _outcome(fault, target, job, started, rows)
    raise SystemExit(f"{fault.name}: {_TRIES} jobs ended before they could be struck; take more leads.")


def _outcome(fault: Fault, target: Target, struck: dict[str, Any], started: float, rows: int) -> Outcome:
    stack, output_format = target.stack, target.output_format
    try:
        job = stack.ended(target.job_id)
    except TimeoutError:
        job = stack.job(target.job_id)  # it hangs: its state says where
    seconds = round(time.monotonic() - started, 1)
    at = f"{struck['status']} {struck['progress']['processed']}/{struck['progress']['total']}"
    found = stack.artefacts(job) if job["status"] == "completed" else (b"", b"")
    same = found == stack.expected[output_format]
    amiss = rows_amiss(output_format, *found, rows) if job["status"] == "completed" else []
    error = f"{job['error']['code']}: {job['error']['message']}" if job["error"] else None
    return Outcome(fault.name, output_format, at, seconds, job["status"], error, same, amiss)


def _table(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """One line for each fault, in the order of the run."""
    rows = []
    for name, group in itertools.groupby(outcomes, lambda outcome: outcome.fault):
        made = list(group)
        rows.append(
            {
                "fault": name,
                "jobs": len(made),
                "completed": sum(outcome.status == "completed" for outcome in made),
                "same_bytes": sum(outcome.same_bytes for outcome in made),
                "every_row_once": sum(outcome.status == "completed" and not outcome.amiss for outcome in made),
                "median_s": round(statistics.median(outcome.seconds for outcome in made), 1),
                "longest_s": max(outcome.seconds for outcome in made),
            }
        )
    return rows


def _show(rows: Sequence[dict[str, Any]], skipped: dict[str, str]) -> None:
    if rows:
        widths = {name: max(len(name), *(len(str(row[name])) for row in rows)) for name in rows[0]}
        for row in [dict(zip(widths, widths, strict=True)), *rows]:
            print("  ".join(str(row[name]).ljust(width) for name, width in widths.items()))
    for name, why in skipped.items():
        print(f"{name}: skipped: {why}")


if __name__ == "__main__":
    main()
