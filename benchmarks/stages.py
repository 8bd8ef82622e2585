"""The stages from source to a proved table, each size in a process of its own, and the cold start of `gov check`."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from benchmarks.generate import generate_policy
from benchmarks.generate_time import generate_overlapping_policy, generate_time_policy
from benchmarks.measure import Row
from benchmarks.small import small_workload
from benchmarks.source import gov_source
from benchmarks.targets import ALL_STAGES, COLD_START, TIME_APART, TIME_OVERLAP

SUBJECT = "govlang"
STAGE = Path(__file__).parent / "stage.py"
STAGES = ("check", "verify", "compile", "prove")
STARTS = 15
TIME_POLICIES = {TIME_APART: generate_time_policy, TIME_OVERLAP: generate_overlapping_policy}


def stage_rows(kind: str, rules: int) -> Iterator[Row]:
    """Check, verify, compile, prove; raises if anything was not proved."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{kind}.gov")
        path.write_text(generate_policy(rules, 1, kind))
        done = subprocess.run(
            [sys.executable, str(STAGE), str(path)], capture_output=True, text=True, check=True
        )
    found = json.loads(done.stdout.splitlines()[-1])
    if found["errors"] or set(found["verdicts"].values()) != {"proved"}:
        message = (
            f"{kind} with {rules} rules is not proved: {found['verdicts']} {found['errors'][:3]}"
        )
        raise AssertionError(message)
    times = found["times"]
    for stage in STAGES:
        yield Row(kind, rules, SUBJECT, stage, times[stage], "s")
    yield Row(kind, rules, SUBJECT, ALL_STAGES, sum(times[stage] for stage in STAGES), "s")


def time_rows(rules: int) -> Iterator[Row]:
    """`gov verify` on policies over time, start and all; raises if one is not proved."""
    command = [str(Path(sys.executable).with_name("gov")), "verify", "--no-cache"]
    with tempfile.TemporaryDirectory() as folder:
        for workload, generate in TIME_POLICIES.items():
            path = Path(folder, f"{workload}.gov")
            path.write_text(generate(rules, 1))
            yield Row(workload, rules, SUBJECT, "verify", one_start([*command, str(path)]), "s")


def cold_start_rows() -> Iterator[Row]:
    """`gov check` on the eight rules, a new process each time."""
    workload = small_workload()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "drone_check.gov")
        path.write_text(gov_source(workload))
        command = [str(Path(sys.executable).with_name("gov")), "check", str(path)]
        seconds = statistics.median(one_start(command) for _ in range(STARTS))
    yield Row(workload.name, len(workload.rules), SUBJECT, COLD_START, seconds, "s")


def one_start(command: list[str]) -> float:
    """Seconds from start to end."""
    start = perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return perf_counter() - start
