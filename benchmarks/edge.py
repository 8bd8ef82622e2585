"""The edge on the eight rules: generated C beside the same job by hand, the module in wasmtime, sizes, cedar-wasm.

Goes in: the small case. Comes out: rows. C is timed inside C; the module by a loop that is put into it (with wabt),
which takes requests from a memory into the policy's globals and calls `decide`, so a call into wasmtime is paid once
for all requests; what stands in JavaScript is timed inside Node. Decisions are compared before a figure counts.

What is held against one another (generated C, C by hand, the module) takes turns, pass by pass, and the least time of
each counts: ratios stay what they are where other work comes and goes, which only ever adds time.
"""

from __future__ import annotations

import ctypes
import json
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import thread_time_ns
from typing import Any, Final

import numpy as np
import wasmtime

from benchmarks.limits import Array, address
from benchmarks.measure import Row
from benchmarks.model import NO_RULE, Request, number, text
from benchmarks.rows import OPTIMISE, Case, same_decisions
from benchmarks.small import FIELDS, ZONES
from benchmarks.source import gov_source
from benchmarks.targets import CEDAR_WASM, GENERATED, IN_NODE, IN_WASMTIME, MODULE_BYTES, SAME_JOB
from govlang.cli.compiled import HEADER, MODULE, SOURCE, compile_edge
from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source

HERE: Final = Path(__file__).parent
JS: Final = HERE / "js"
NODE_STREAM: Final = 4_000
TURNS: Final = 60
DRONE: Final = HERE.parent / "examples" / "stateless" / "drone_fleet.gov"
SNAPSHOT: Final = "sha256:" + "0" * 64
COLUMNS: Final = ("battery", "payload", "cpu_load", "wind", "altitude", "zone", "approved")
FLAGS: Final = ("-std=c99", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared")


def edge_rows(case: Case) -> Iterator[Row]:
    """Times and sizes."""
    parts = parts_of(gov_source(case.workload))
    passes = [one for flags in OPTIMISE for one in c_passes(case, parts, flags)]
    rules = np.array([*range(len(case.workload.rules)), NO_RULE])
    passes.append(in_wasmtime(parts[MODULE], words(case.requests), COLUMNS, rules))
    yield from in_turns(case, passes)
    yield case.row("govlang", MODULE_BYTES, len(parts[MODULE]), "bytes")
    yield case.row(
        "govlang",
        f"{MODULE_BYTES} of drone_fleet",
        len(parts_of(DRONE.read_text())[MODULE]),
        "bytes",
    )
    yield from node_rows(case, parts[MODULE])


def parts_of(source: str) -> dict[str, bytes]:
    """What `gov build` writes for the edge."""
    return compile_edge(compile_source(Source("policy.gov", source)).policy, SNAPSHOT)


# --- taking turns --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pass:
    """One way to decide all requests: nanoseconds that a pass takes, and what the last pass decided."""

    subject: str
    form: str
    run: Callable[[], float]
    decisions: Callable[[], list[int]]


def in_turns(case: Case, passes: Sequence[Pass]) -> Iterator[Row]:
    """The least nanoseconds a decision of each; the first turn warms the caches and is compared."""
    for one in passes:
        one.run()
        same_decisions(case, one.form, one.decisions())
    turns = [[one.run() for one in passes] for _ in range(TURNS)]
    for one, times in zip(passes, zip(*turns, strict=True), strict=True):
        yield case.row(one.subject, one.form, min(times) / len(case.requests))


# --- C -------------------------------------------------------------------------------------------


def c_passes(case: Case, parts: dict[str, bytes], flags: str) -> Iterator[Pass]:
    """The generated file, and a programmer's two ways to do the same job."""
    library = compiled(parts, flags)
    requests = words(case.requests)
    for subject, form, name in (
        ("govlang", GENERATED, "generated"),
        ("C by hand", f"{SAME_JOB}, branchy", "branchy"),
        ("C by hand", f"{SAME_JOB}, branchless", "branchless"),
    ):
        function = getattr(library, f"time_{name}")
        function.restype = ctypes.c_double
        out = np.full(len(requests), NO_RULE - 1, dtype="i4")
        run = partial(timed_pass, function, requests, out)
        yield Pass(subject, f"{form}, gcc {flags}", run, out.tolist)


def timed_pass(function: Callable[..., float], requests: Array, out: Array) -> float:
    """Nanoseconds of processor time that one pass over all requests takes, as C tells them."""
    return function(address(requests), ctypes.c_size_t(len(requests)), address(out))


def compiled(parts: dict[str, bytes], flags: str) -> ctypes.CDLL:
    """The generated file and `c/edge.c` in one library, each a unit of its own."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "drone_check.h").write_bytes(parts[HEADER])
        (Path(folder) / "drone_check.c").write_bytes(parts[SOURCE])
        path = Path(folder, "edge.so")
        sources = (str(Path(folder) / "drone_check.c"), str(HERE / "c" / "edge.c"))
        command = ["gcc", *FLAGS, *flags.split(), f"-I{folder}", *sources, "-o", str(path)]
        subprocess.run(command, check=True)
        return ctypes.CDLL(str(path))


def words(requests: list[Request]) -> Array:
    """The requests as the variables of the policy, in their order; nobody has approved."""
    numbers = [field.name for field in FIELDS if field.name != "zone"]
    rows = [[*(number(r, n) for n in numbers), ZONES.index(text(r, "zone")), 0] for r in requests]
    return np.array(rows, dtype="<i4")


# --- WebAssembly ---------------------------------------------------------------------------------


def in_wasmtime(module: bytes, requests: Array, names: Sequence[str], rules: Array) -> Pass:
    """The policy in a loop of its own module, its variables by name; `rules` are the case's numbers of its rules."""
    store = wasmtime.Store()
    text = with_loop(module, names, len(requests))
    loop = wasmtime.Module(store.engine, wasmtime.wat2wasm(text))
    inside: Any = wasmtime.Instance(store, loop, []).exports(store)
    inside["requests"].write(store, requests.tobytes(), 0)

    def decisions() -> list[int]:
        found = inside["requests"].read(store, requests.nbytes, requests.nbytes + 4 * len(requests))
        return [int(rule) for rule in rules[np.frombuffer(found, dtype="<i4")]]

    return Pass("govlang", IN_WASMTIME, partial(timed_call, inside, store), decisions)


def timed_call(loop: Any, store: Any) -> float:
    """Nanoseconds of processor time that one pass over all requests takes."""
    start = thread_time_ns()
    loop["run"](store)
    return float(thread_time_ns() - start)


def with_loop(module: bytes, names: Sequence[str], count: int) -> str:
    """The module with a memory of `count` requests and a loop that decides them, leaving the rules behind them."""
    ran = subprocess.run(["wasm2wat", "-"], input=module, capture_output=True, check=True)
    plain = ran.stdout.decode().rstrip().removesuffix(")")
    of = dict(re.findall(r'\(export "([^"]+)" \((?:global|func) ([^)]+)\)\)', plain))
    width = 4 * len(names)
    loads = "\n".join(
        f"(global.set {of[name]} (i32.load $requests offset={4 * at} (local.get $at)))"
        for at, name in enumerate(names)
    )
    pages = -(-count * (width + 4) // 65_536)
    return f"""{plain}
(memory $requests (export "requests") {pages})
(func (export "run") (local $at i32) (local $to i32)
  (local.set $to (i32.const {count * width}))
  (loop $next
    {loads}
    (drop (call {of["decide"]}))
    (i32.store $requests (local.get $to) (global.get {of["out.rule"]}))
    (local.set $at (i32.add (local.get $at) (i32.const {width})))
    (local.set $to (i32.add (local.get $to) (i32.const 4)))
    (br_if $next (i32.lt_u (local.get $at) (i32.const {count * width}))))))"""


# --- JavaScript ----------------------------------------------------------------------------------


def node_rows(case: Case, module: bytes) -> Iterator[Row]:
    """Objects in, in Node: our host, and cedar-wasm with a policy set parsed beforehand."""
    from benchmarks.peers import cedar

    given = {
        "module": module.hex(),
        "rules": [rule.name for rule in case.workload.rules],
        "policies": {
            f"p{at:06}": cedar.policy_text(rule) for at, rule in enumerate(case.workload.rules)
        },
        "requests": case.requests[:NODE_STREAM],
    }
    ran = subprocess.run(
        ["node", str(JS / "edge.mjs")],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(ran.stdout)
    for name, subject, form in (
        ("govlang", "govlang", IN_NODE),
        ("cedar", f"cedar-wasm {told['cedar']['version']}", CEDAR_WASM),
    ):
        if told[name]["decisions"] != case.expected[:NODE_STREAM]:
            raise AssertionError(f"{subject} decides otherwise")
        yield case.row(subject, form, told[name]["ns"])
    size = told["cedar"]["bytes"]
    yield case.row(f"cedar-wasm {told['cedar']['version']}", MODULE_BYTES, size, "bytes")
