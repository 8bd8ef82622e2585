"""Measures everything side by side and writes `results.md`, `results.json`, `latency.svg` and `verification.svg`.

`python benchmarks/run.py` takes about a quarter of an hour; `--quick` measures small sizes only and writes nothing;
`--report` draws the pages again from `results.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:] = [
    str(HERE.parent),
    *(path for path in sys.path if Path(path or ".").resolve() != HERE),
]

from benchmarks import (  # noqa: E402
    both_times,
    edge,
    edge_many,
    evidence,
    load,
    machine,
    ours,
    over_time,
    over_time_c,
    plots,
    report,
    rows,
    stages,
)
from benchmarks.board.rows import board_rows  # noqa: E402
from benchmarks.generate import KINDS  # noqa: E402
from benchmarks.measure import Row  # noqa: E402
from benchmarks.peers import PEERS  # noqa: E402
from benchmarks.targets import EDGE_SIZES  # noqa: E402

RESULTS = HERE / "results.json"
PEER_SIZES = (10, 100, 1_000, 10_000)
OWN_SIZES = (10, 30, 100, 300, 1_000, 3_000, 10_000)
TIME_SIZES = (10, 100, 300, 1_000)
QUICK_SIZES = (10, 100)
STAGED = ("cells", "overlap")


def main() -> int:
    """Parses the command line, measures, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, nothing written")
    parser.add_argument("--report", action="store_true", help="write the pages from results.json")
    chosen = parser.parse_args()
    if chosen.report:
        write(*report.read(RESULTS))
        return 0
    facts = machine.facts(tuple(sorted({peer.package for peer in PEERS})))
    measured = []
    for row in all_rows(quick=chosen.quick):
        print(
            f"{row.workload:12} {row.rules:6} {row.value:12.4g} {row.unit:14} {row.subject}: {row.form}",
            flush=True,
        )
        measured.append(row)
    if not chosen.quick:
        RESULTS.write_text(
            json.dumps({"machine": facts, "rows": [row.as_json() for row in measured]}, indent=1)
            + "\n"
        )
        write(facts, measured)
    return 0


def write(facts: dict[str, str], measured: list[Row]) -> None:
    """The page and the plots."""
    notes = (HERE / "notes.md").read_text()  # by hand: what stands behind the figures
    (HERE / "results.md").write_text(report.page(facts, measured, notes))
    plots.draw(measured)


def all_rows(*, quick: bool) -> Iterator[Row]:
    """The stages from source to proof, then limits, peers and ourselves on every workload."""
    budget_s = 0.3 if quick else 1.0
    yield from stages.cold_start_rows()
    for kind in STAGED:
        for size in QUICK_SIZES if quick else OWN_SIZES:
            yield from stages.stage_rows(kind, size)
    for size in QUICK_SIZES if quick else TIME_SIZES:
        yield from stages.time_rows(size)
    small = rows.small_case()
    yield from rows.limit_rows(small)
    yield from rows.column_limit_rows(small)
    yield from ours.decision_rows(small)
    yield from ours.column_rows(small)
    yield from edge.edge_rows(small)
    yield from board_rows()
    timed = over_time.Case()
    yield from over_time_c.c_rows(timed)
    yield from over_time.time_rows(timed)
    yield from both_times.both_rows()
    yield from evidence.evidence_rows(2_000 if quick else evidence.RECORDS)
    yield from load.load_rows(2.0 if quick else 10.0)
    yield from rows.peer_rows(small, budget_s)
    for kind in KINDS:
        for size in QUICK_SIZES if quick else OWN_SIZES:
            case = rows.generated_case(size, kind)
            yield from rows.limit_rows(case)
            yield from ours.decision_rows(case)
            if size in EDGE_SIZES:
                yield from edge_many.many_rows(case)
            if size in PEER_SIZES and kind != "text":
                yield from rows.peer_rows(case, budget_s)


if __name__ == "__main__":
    sys.exit(main())
