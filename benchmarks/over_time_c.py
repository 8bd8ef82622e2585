"""Ten temporal rules in C: the engine on the table, the C that `gov build` writes, the same rules by hand.

Goes in: a case of `over_time`.  Comes out: rows.  All of them take the whole trace in turns, pass by pass, each from
empty states on; the median of each counts, so ratios stay what they are where other work comes and goes.
What always holds: everybody names the engine's rule of every sample, and the engine that of the reference step,
before a figure is taken.
"""

from __future__ import annotations

import ctypes
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.edge import FLAGS, SNAPSHOT
from benchmarks.limits import ROUNDS, Array, address
from benchmarks.measure import Row
from benchmarks.over_time import Case, same_rules
from benchmarks.table import ROOT, driver
from benchmarks.targets import TIME_C, TIME_GENERATED
from govlang.cli.compiled import HEADER, SOURCE, compile_edge

FOLDER: Final = ROOT / "benchmarks" / "c"
COMPILED: Final = (("gcc", "-O2"), ("gcc", "-O3"), ("clang", "-O2"))
GENERATED_BY: Final = (("gcc", "-O2"), ("clang", "-O2"))


@dataclass(frozen=True, slots=True)
class Pass:
    """One way to take the trace in: nanoseconds that a pass takes; `out` holds the rules behind it."""

    subject: str
    form: str
    run: Callable[[Array], float]
    out: Array

    def ns(self) -> float:
        """Nanoseconds a sample."""
        return self.run(self.out) / len(self.out)


def c_rows(case: Case) -> Iterator[Row]:
    """Nanoseconds a sample, in turns; the first turn warms the caches and is compared."""
    passes = [one for built in COMPILED for one in engine_and_hand(case, *built)]
    passes += [generated(case, *built) for built in GENERATED_BY]
    for one in passes:
        one.ns()
    same_rules(case.expected, passes[0].out.tolist(), "the engine")
    for one in passes:
        same_rules(passes[0].out.tolist(), one.out.tolist(), f"{one.subject}: {one.form}")
    turns = [[one.ns() for one in passes] for _ in range(ROUNDS)]
    for one, times in zip(passes, zip(*turns, strict=True), strict=True):
        yield case.row(one.subject, one.form, statistics.median(times))


def engine_and_hand(case: Case, compiler: str, flags: str) -> Iterator[Pass]:
    """The engine of native/, and what a programmer writes."""
    c, samples, columns = (
        driver(flags, FOLDER / "time_driver.c", compiler),
        case.samples(),
        case.columns(),
    )
    why = ctypes.c_char_p()
    size, count = ctypes.c_size_t(len(case.table)), ctypes.c_size_t(len(samples))
    table = ctypes.c_void_p(c.gov_table_load(case.table, size, ctypes.byref(why)))

    def by_engine(out: Array) -> float:
        given = (address(samples), count, address(columns), case.agents, address(out))
        return float(c.time_engine(table, *given))

    def by_hand(out: Array) -> float:
        return float(c.time_by_hand(address(samples), count, case.agents, address(out)))

    by = f"{compiler} {flags}"
    yield Pass("govlang", f"{TIME_C}, {by}", by_engine, np.full(len(samples), -3, "i4"))
    yield Pass("C by hand", f"times in a struct, {by}", by_hand, np.full(len(samples), -3, "i4"))


def generated(case: Case, compiler: str, flags: str) -> Pass:
    """The generated file and a loop of calls, each a unit of its own."""
    function, samples = library(case, compiler, flags).time_generated, case.samples()
    function.restype = ctypes.c_double

    def run(out: Array) -> float:
        count = ctypes.c_size_t(len(samples))
        return float(function(address(samples), count, case.agents, address(out)))

    by = f"{compiler} {flags}"
    return Pass("govlang", f"{TIME_GENERATED}, {by}", run, np.full(len(samples), -3, "i4"))


def library(case: Case, compiler: str, flags: str) -> ctypes.CDLL:
    """The generated C of the case and its driver."""
    parts, name = compile_edge(case.policy, SNAPSHOT), case.policy.name
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / f"{name}.h").write_bytes(parts[HEADER])
        (Path(folder) / f"{name}.c").write_bytes(parts[SOURCE])
        sources = (str(Path(folder) / f"{name}.c"), str(FOLDER / "time_generated.c"))
        path = Path(folder, "generated.so")
        options = (*FLAGS, flags, f"-I{folder}", f"-I{ROOT / 'native'}")
        subprocess.run([compiler, *options, *sources, "-o", str(path)], check=True)
        return ctypes.CDLL(str(path))
