"""What the drone policy takes on a board: rows for the benchmark page.

`python -m benchmarks.board.rows` prints them, with `--json` as JSON; `board_rows()` gives them to `run.py`.
Nothing here is a time: the same compiler, emulator and policy give the same figures on every machine.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.board import image, over_time, over_time_modules
from benchmarks.board.policy import edge_policy
from benchmarks.measure import Row
from govlang.compiler.frontend import compile_file

DRONE: Final = Path(__file__).resolve().parents[2] / "examples" / "stateless" / "drone_fleet.gov"
CASES: Final = 1_000
SEED: Final = 1
C: Final = "C, Cortex-M3, gcc -Os"
WASM: Final = "WebAssembly"
OVER_TIME: Final = "over time, C, Cortex-M3, gcc -Os"


def board_rows() -> Iterator[Row]:
    """The figures of the drone policy; every decision has been compared with the recorded one first.

    Raises:
        BoardError: something could not be built or run, or decided otherwise.
    """
    drone = edge_policy(compile_file(DRONE).policy)
    cases = drone.random_cases(CASES, SEED)
    rules = len(drone.policy.rules)
    with tempfile.TemporaryDirectory() as place:
        built = drone.image(cases, Path(place))
        run = image.run(built.path)
    agreed = CASES - len(list(drone.in_wasm3().different(cases)))
    if run.different or agreed != CASES:
        raise image.BoardError("the drone policy decides otherwise than recorded")
    figures = [
        (f"{C}: code", built.code_bytes, "bytes"),
        (f"{C}: constants", built.constant_bytes, "bytes"),
        (f"{C}: state", built.data_bytes, "bytes"),
        (f"{C}: stack, bound", built.stack_bound, "bytes"),
        (f"{C}: stack, seen", max(run.stack), "bytes"),
        (f"{C}: a decision, bound", built.longest, "instructions"),
        (f"{C}: a decision, worst of {CASES}", max(run.instructions), "instructions"),
        (f"{C}: a decision, mean", sum(run.instructions) / CASES, "instructions"),
        (f"{WASM}: module", len(drone.module()), "bytes"),
        (f"{WASM}: agree in wasm3, of {CASES}", agreed, "decisions"),
    ]
    for form, value, unit in figures:
        yield Row("board", rules, "govlang", form, value, unit)
    yield from over_time_rows()


def over_time_rows() -> Iterator[Row]:
    """The figures of the drone policy that remembers: a sample is a request, a voltage or a restart.

    Raises:
        BoardError: something could not be built or run, or decided otherwise.
    """
    drone = over_time.drone_over_time()
    flown = over_time.flight(drone, CASES, SEED)
    with tempfile.TemporaryDirectory() as place:
        built = over_time.build(drone, flown, Path(place))
        run = image.run(built.path)
    if run.different or over_time_modules.different_in_wasm3(drone, flown):
        raise image.BoardError("the drone policy over time decides otherwise than recorded")
    kept, saved = over_time.state_bytes(drone)
    figures = [
        (f"{OVER_TIME}: code", built.code_bytes, "bytes"),
        (f"{OVER_TIME}: constants", built.constant_bytes, "bytes"),
        (f"{OVER_TIME}: state", kept, "bytes"),
        (f"{OVER_TIME}: state, saved", saved, "bytes"),
        (f"{OVER_TIME}: stack, bound", built.stack_bound, "bytes"),
        (f"{OVER_TIME}: stack, seen", max(run.stack), "bytes"),
        (f"{OVER_TIME}: a sample, bound", built.longest, "instructions"),
        (f"{OVER_TIME}: a sample, worst of {CASES}", max(run.instructions), "instructions"),
        (f"{OVER_TIME}: a sample, mean", sum(run.instructions) / CASES, "instructions"),
        (f"over time, {WASM}: module", len(drone.module()), "bytes"),
        (f"over time, {WASM}: agree in wasm3, of {CASES}", CASES, "samples"),
        (f"over time, {WASM}: a sample, bound", over_time_modules.steps_bound(drone), "steps"),
        (
            f"over time, {WASM}: a sample, worst of {CASES}",
            max(over_time_modules.steps_taken(drone, flown)),
            "steps",
        ),
    ]
    for form, value, unit in figures:
        yield Row("board", len(drone.policy.rules), "govlang", form, value, unit)


def main() -> None:
    """Prints the rows."""
    rows = list(board_rows())
    if "--json" in sys.argv[1:]:
        print(json.dumps([row.as_json() for row in rows], indent=1))
        return
    for row in rows:
        print(f"{row.value:8.6g} {row.unit:14} {row.form}")


if __name__ == "__main__":
    main()
