"""The edge on generated policies: generated C and the module in wasmtime, texts already classified.

Goes in: a case. Comes out: rows. Nobody wrote these by hand for a whole outcome, so they stand beside one another, and
beside the index by hand, which checks nothing and finds the rule only.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.edge import FLAGS, HERE, Pass, in_turns, in_wasmtime, parts_of, timed_pass
from benchmarks.limits import Array
from benchmarks.measure import Row
from benchmarks.model import NO_RULE, Request, labels, number, text
from benchmarks.rows import Case
from benchmarks.source import gov_source
from benchmarks.targets import GENERATED, MODULE_BYTES
from govlang.cli.compiled import HEADER, MODULE, SOURCE
from govlang.compiler import interface, ir
from govlang.compiler.frontend import compile_source
from govlang.compiler.text_classes import TextClasses, classify_fields
from govlang.dsl.source import Source

OPTIMISE: Final = "-O2"


@dataclass(frozen=True, slots=True)
class Encoder:
    """Requests as the variables of a policy, and rules as the workload numbers them."""

    policy: ir.Policy
    classes: dict[str, TextClasses]

    def names(self) -> list[str]:
        """The variables, all of which have 32 bits here."""
        variables = interface.variables(self.policy, self.classes)
        assert all(one.width == 32 for one in variables)
        return [one.name for one in variables]

    def words(self, requests: list[Request]) -> Array:
        """The variables of requests; nobody has approved."""
        names = self.names()
        rows = [[0 if n == ir.APPROVED else self.word(n, r) for n in names] for r in requests]
        return np.array(rows, dtype="<i4")

    def word(self, name: str, request: Request) -> int:
        """One of them."""
        if name.startswith("class."):
            _, field, part = name.split(".")
            column = self.classes[field].columns[int(part)]
            return column.dfa.class_of(text(request, field).encode())
        field = self.policy.field(name)
        match field.kind:
            case ir.Kind.ENUM:
                return field.members.index(text(request, name))
            case ir.Kind.SET:
                return sum(1 << field.members.index(one) for one in labels(request, name))
            case _:
                return number(request, name)

    def rules(self, case: Case) -> list[int]:
        """The number that the workload has for each rule of the policy, and for the default."""
        known = {rule.name: at for at, rule in enumerate(case.workload.rules)}
        return [*(known[rule.id] for rule in self.policy.rules), NO_RULE]


def many_rows(case: Case) -> Iterator[Row]:
    """Times and the size of the module."""
    source = gov_source(case.workload)
    policy = compile_source(Source("policy.gov", source)).policy
    encoder = Encoder(policy, dict(classify_fields(policy)))
    requests = encoder.words(case.requests)
    rules = np.array(encoder.rules(case), dtype="i4")
    parts = parts_of(source)
    yield from in_turns(
        case,
        [
            in_c(policy.name, parts, requests, rules),
            in_wasmtime(parts[MODULE], requests, encoder.names(), rules),
        ],
    )
    yield case.row("govlang", MODULE_BYTES, len(parts[MODULE]), "bytes")


def in_c(name: str, parts: dict[str, bytes], requests: Array, rules: Array) -> Pass:
    """The generated file, a unit of its own beside the loop."""
    with tempfile.TemporaryDirectory() as folder:
        for part in (HEADER, SOURCE):
            written = parts[part].replace(f'"{name}.h"'.encode(), b'"policy.h"')
            Path(folder, part).write_bytes(written)
        path = Path(folder, "edge.so")
        sources = (str(Path(folder, SOURCE)), str(HERE / "c" / "edge_many.c"))
        command = ["gcc", *FLAGS, OPTIMISE, f"-DNAME={name}", f"-I{folder}", *sources, "-o", path]
        subprocess.run(command, check=True)
        function = ctypes.CDLL(str(path)).time_generated
    function.restype = ctypes.c_double
    out = np.zeros(len(requests), dtype="i4")
    run = partial(timed_pass, function, requests, out)
    return Pass("govlang", f"{GENERATED}, gcc {OPTIMISE}", run, partial(numbered, rules, out))


def numbered(rules: Array, out: Array) -> list[int]:
    """The case's numbers of the rules that were found."""
    return [int(rule) for rule in rules[out]]
