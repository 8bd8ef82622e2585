"""Writes the results page: the targets first, then every figure, then what it was measured on and how."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.measure import Row
from benchmarks.targets import Verdict, verdicts

HOW = """\
## How it was measured

- One run on one machine: `make bench`, which is `.venv/bin/python benchmarks/run.py`. Absolute times drift from machine
  to machine; the ratios within this run are what counts. `results.json` holds every figure.
- Every decision of every engine was compared with the expected rule before its time was taken. Decisions mean the
  rule's name, not only allow or deny.
- Requests: 65 536 distinct ones in a shuffled order, half of them met by a rule, so that no branch predictor learns
  them; Python is given 8 192 of them. Times are processor time, but for the stages and the cold start, which are wall
  time. C figures are the median of 15 passes timed inside C around a call that is not inlined; Python figures are the
  median of 7 rounds and contain the loop, about 20 ns.
- `drone_check`: 8 rules on five integers and an enumeration. `cells`: two equality columns (enumeration and text) and
  one range. `text`: the same with text in both. `overlap`: every rule overlaps every other in `x`. In all three at
  least 5 % of the rules are sums of three fields, sets or text patterns, two of them stand above all others without
  an equality, and rules of different effects are told apart by their ranges only.
- What is included: `struct in` is the request as the table's own words, texts already classified; `from text` begins
  at the bytes of the texts; `dict in` begins at a Python dict with its types, ranges and unknown fields checked, and
  ends at an outcome with its rule; `JSON in` begins at bytes. The limits by hand check nothing.
- At the edge, generated C and C by hand are called as functions of another file, check every variable, name the first
  one outside its domain and fill the whole outcome. The module runs in a loop of its own, which also takes each request
  from a memory into the policy's variables. These take turns, 61 passes each, and the least time of each stands here,
  since other work on the machine only ever adds to it. On generated policies texts are
  classified beforehand. `board` is the drone policy, compiled for a Cortex-M3 and run
  under qemu, which counts instructions; nothing there is a time.
- `over_time`: ten temporal rules (a breaker, windows, counts, a condition held for 30 s, a signal's age, intervals) on
  65 536 samples of 1 000 agents in a random order, 60 % of them requests; 26 cells and 43 updates. The reference step
  has named the same rule on the first 4 000; generated C and C by hand (a struct of times, nothing checked) on all.
  Rates of threads are wall time. `both_times`: five rules that dogwood-py can say too, on 4 000 events of whole
  seconds; it permits the same requests.
- `time` and `time_overlap`: `gov verify` on `benchmarks/generate_time.py`, a new process, wall time. In the first a
  field tells the rules apart, in the second every two rules may fire together.
- `evidence`: records of about 900 bytes, 100 000 of them, best of three; without a policy, so its rules are 0. `verify`
  reads the ledger, its checkpoint and its tiles; synced appends are wall time.
- `control_plane`: a real `gov serve` with its data on a disk, asked by another process over 64 connections. Submits
  come at a fixed rate whatever becomes of them, and their latency counts from when each was due; each is committed with
  synchronous=FULL before it is answered. `examples/control_plane.gov`, 2 000 agents: its rate rule counts what is
  dispatched, and nothing is, so none is throttled. evaluate takes turns with an empty Starlette handler on
  uvicorn as it comes (uvloop, httptools; the share is of this one) and with one on our own server, whose writes are
  joined; 32 connections each; processor time is that of the whole server process.
- Peers get their best form: compiled ahead, the request already in the shape that they read fastest. Those that scan
  their rules are also measured behind a Python dictionary on the equality columns with one small engine a cell, as a
  careful host would do; that dictionary is ours, not theirs.
"""

NOT_MEASURED = """\
## Peers that are not here

- `csl-core` installs, but this suite has no adapter for it: it guards the tool calls of agents with policies of its
  own.
- `json-logic-engine` (npm) and hand-written JavaScript, which would stand beside the WebAssembly module in Node.
"""


def page(facts: dict[str, str], rows: Sequence[Row], notes: str = "") -> str:
    """The whole page."""
    return "\n".join(
        [
            *head(),
            *target_table(verdicts(rows)),
            notes,
            *figures(rows),
            HOW,
            NOT_MEASURED,
            *machine(facts),
        ]
    )


def head() -> Iterator[str]:
    """Title and plots."""
    yield "# Benchmarks\n"
    yield "![latency of a decision against the number of rules](latency.svg)\n"
    yield "![time from source to proved table against the number of rules](verification.svg)\n"


def target_table(found: Sequence[Verdict]) -> Iterator[str]:
    """Every target with its verdict."""
    yield "## Targets\n"
    yield "| what | target | measured | |"
    yield "|---|---|---|---|"
    for verdict in found:
        word = {True: "met", False: "**missed**", None: "**not measured**"}[verdict.met]
        yield f"| {verdict.what} | {verdict.wanted} | {verdict.measured} | {word} |"
    yield ""


def figures(rows: Sequence[Row]) -> Iterator[str]:
    """One table a workload, rules across."""
    yield "## Figures\n"
    for workload in dict.fromkeys(row.workload for row in rows):
        mine = [row for row in rows if row.workload == workload]
        sizes = sorted({row.rules for row in mine})
        yield f"### {workload}\n"
        yield (
            "| who | how | unit | "
            + " | ".join(f"{size:,} rules".replace(",", " ") for size in sizes)
            + " |"
        )
        yield "|---|---|---|" + "---:|" * len(sizes)
        for subject, form, unit in dict.fromkeys((row.subject, row.form, row.unit) for row in mine):
            values = {
                row.rules: row.value for row in mine if (row.subject, row.form) == (subject, form)
            }
            cells = (shown(values.get(size)) for size in sizes)
            yield f"| {subject} | {form} | {unit} | " + " | ".join(cells) + " |"
        yield ""


def shown(value: float | None) -> str:
    """Three digits."""
    if value is None:
        return ""
    return f"{value:.3g}" if value < 1_000 else f"{value:,.0f}".replace(",", " ")


def machine(facts: dict[str, str]) -> Iterator[str]:
    """What it ran on."""
    yield "## Machine and versions\n"
    yield "| | |"
    yield "|---|---|"
    yield from (f"| {name} | {value} |" for name, value in facts.items())
    yield ""


def read(path: Path) -> tuple[dict[str, str], list[Row]]:
    """The figures of an earlier run."""
    data = json.loads(path.read_text())
    return data["machine"], [Row(**row) for row in data["rows"]]
