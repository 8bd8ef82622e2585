"""Modules for tests: from a policy to its module, and hosts that run it in wasmtime and in Node.

A host takes the same steps in both: `Put` a variable, `Write` bytes into the memory, `Call` a
function.  A call answers with its result and the cells of the outcome, or with the trap.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import wasmtime
from edge_host import Values, encoded
from tools import tool

from govlang.compiler import ir
from govlang.compiler.edge_automata import TextScan, text_scans
from govlang.compiler.program import Program
from govlang.compiler.steps import build_program
from govlang.compiler.text_classes import TextClasses, classify_fields
from govlang.compiler.wasm import export_name, wasm_module

SNAPSHOT = "sha256:" + "0" * 64
TOLD = ("out.", "state.", "shared.", "clock.")
RUNNER = Path(__file__).parent / "wasm_runner.mjs"


@dataclass(frozen=True)
class Put:
    """A global gets a value."""

    name: str
    value: int


@dataclass(frozen=True)
class Write:
    """Bytes are written into the memory."""

    at: int
    data: bytes


@dataclass(frozen=True)
class Call:
    """A function is called with integers of 32 bits."""

    name: str
    args: tuple[int, ...] = ()


Step = Put | Write | Call


@dataclass(frozen=True)
class Answer:
    """What a call came to: its result and the cells, or a trap."""

    result: int | None
    cells: Mapping[str, int]
    trap: str = ""


class Module:
    """The module of a policy, and how its requests are put."""

    def __init__(self, policy: ir.Policy, snapshot: str = SNAPSHOT) -> None:
        self.policy = policy
        self.classes: Mapping[str, TextClasses] = classify_fields(policy)
        self.program: Program = build_program(policy, self.classes)
        self.data = wasm_module(self.program, self.classes, snapshot)

    @cached_property
    def scans(self) -> tuple[TextScan, ...]:
        """The texts that decisions read."""
        return text_scans(self.policy, self.classes)

    @cached_property
    def text_at(self) -> int:
        """Where a text may be put."""
        exports, store = instance(self.data)
        at = exports["text"]
        assert isinstance(at, wasmtime.Global)
        return int(at.value(store))

    def request(self, values: Values, params: Mapping[str, int]) -> Iterator[Step]:
        """The steps of a host that asks for a decision."""
        yield from self.puts(values, params)
        for scan in self.scans:
            if scan.field.name in values:
                yield from self.classified(scan, str(values[scan.field.name]).encode())
        yield Call("decide")

    def puts(self, values: Values, params: Mapping[str, int]) -> Iterator[Step]:
        """The variables that a host sets itself; those of texts come from `classify`."""
        for name, value in encoded(self.policy, self.classes, values, params).items():
            if not name.startswith(("class.", "same.")):
                yield Put(export_name(name), value)

    def classified(self, scan: TextScan, text: bytes) -> Iterator[Step]:
        """A text is put where it may stand, and taken in."""
        yield Write(self.text_at, text)
        yield Call(f"classify.{scan.field.name}", (self.text_at, len(text)))

    def cells(self, raw: Mapping[str, int]) -> dict[str, int]:
        """Cells as docs/edge.md means them: masks without a sign."""
        return {c.name: _plain(raw[c.name], c.width, c.mask) for c in self.program.cells}


def _plain(value: int, width: int, mask: bool) -> int:
    return value & (1 << width) - 1 if mask else value


def signed(value: int, width: int) -> int:
    """The integer with a sign that has the same bits."""
    low = value & (1 << width) - 1
    return low - (low >> width - 1 << width)


# --- hosts ---------------------------------------------------------------------------------------


def instance(data: bytes) -> tuple[wasmtime.InstanceExports, wasmtime.Store]:
    """A fresh instance in wasmtime."""
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    return wasmtime.Instance(store, wasmtime.Module(engine, data), []).exports(store), store


def run_in_wasmtime(data: bytes, steps: Iterable[Step]) -> list[Answer]:
    """The answers of the calls among the steps."""
    exports, store = instance(data)
    answers = []
    for step in steps:
        match step:
            case Put(name=name, value=value):
                one = exports[name]
                assert isinstance(one, wasmtime.Global)
                width = 32 if one.type(store).content == wasmtime.ValType.i32() else 64
                kind = wasmtime.Val.i32 if width == 32 else wasmtime.Val.i64
                one.set_value(store, kind(signed(value, width)))
            case Write(at=at, data=written):
                memory = exports["memory"]
                assert isinstance(memory, wasmtime.Memory)
                memory.write(store, written, at)
            case Call(name=name, args=args):
                answers.append(_called(exports, store, name, args))
    return answers


def _called(
    exports: wasmtime.InstanceExports, store: wasmtime.Store, name: str, args: tuple[int, ...]
) -> Answer:
    function = exports[name]
    assert isinstance(function, wasmtime.Func)
    try:
        result = function(store, *(signed(one, 32) for one in args))
    except wasmtime.Trap as trap:
        return Answer(None, {}, str(trap))
    cells = {
        name: one.value(store)
        for name, one in exports.items()
        if isinstance(one, wasmtime.Global) and name.startswith(TOLD)
    }
    return Answer(result, cells)


def run_in_node(jobs: Sequence[tuple[bytes, Sequence[Step]]]) -> list[list[Answer]]:
    """For each module the answers of the calls among its steps; one process for all."""
    lines = [
        json.dumps(
            {"module": base64.b64encode(data).decode(), "steps": [_written(s) for s in steps]}
        )
        for data, steps in jobs
    ]
    done = subprocess.run(
        [tool("node"), str(RUNNER)],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [[_read(one) for one in answers if one is not None] for answers in found]


def _written(step: Step) -> list[Any]:
    match step:
        case Put(name=name, value=value):
            return ["set", name, str(signed(value, 64))]
        case Write(at=at, data=data):
            return ["write", at, base64.b64encode(data).decode()]
        case Call(name=name, args=args):
            return ["call", name, *args]


def _read(answer: dict[str, Any]) -> Answer:
    if "trap" in answer:
        return Answer(None, {}, answer["trap"])
    return Answer(answer["result"], {name: int(v) for name, v in answer["out"].items()})
