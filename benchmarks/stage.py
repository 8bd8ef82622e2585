"""One policy from source to proof in a process of its own, on at most two cores; prints each stage's seconds.

`python benchmarks/stage.py FILE.gov` goes in, one JSON object comes out. `stages.py` starts it, so that no size
profits from what a smaller one has left in memory.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

CORES = 2
QUERY_S = 10.0


def measured(path: Path) -> dict[str, Any]:
    """Seconds of each stage, the verdicts, and what came out."""
    times: dict[str, float] = {}
    start = perf_counter()

    from govlang.cli.compiled import compile_policy
    from govlang.cli.verification import replay_on
    from govlang.compiler.frontend import compile_file
    from govlang.runtime.policy import Policy

    checked = compile_file(path)
    times["check"], start = perf_counter() - start, perf_counter()
    compiled = compile_policy(checked.policy)
    times["compile"], start = perf_counter() - start, perf_counter()

    from govlang.verifier.report import Options, verify

    options = Options(timeout_s=QUERY_S)
    report = verify(
        checked.policy,
        accepts=checked.accepts,
        options=options,
        replay=replay_on(compiled.table),
    )
    times["verify"], start = perf_counter() - start, perf_counter()

    from govlang.verifier.translation.table import prove_table

    proof = prove_table(
        checked.policy, compiled.table, snapshot=compiled.snapshot, timeout_s=QUERY_S
    )
    times["prove"], start = perf_counter() - start, perf_counter()
    Policy(compiled.table)
    times["load"] = perf_counter() - start
    errors = [f"{one.code} {one.message}" for one in report.findings if one.severity != "note"]
    verdicts = {"verify": str(report.status), "prove": proof.verdict.value}
    return {"times": times, "verdicts": verdicts, "errors": errors, "bytes": len(compiled.table)}


def main() -> None:
    """Stays on two cores, whatever the machine has."""
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, set(allowed[-CORES:]))
    print(json.dumps(measured(Path(sys.argv[1]))))


if __name__ == "__main__":
    main()
