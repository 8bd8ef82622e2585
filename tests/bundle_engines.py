"""The artefacts of a bundle on real engines, for tests: what each answers, whatever was changed in it.

In: a policy, the parts of a bundle, requests or bare variables.  Out: answers that can be compared: what
is returned, and every cell of the outcome; no answers where an engine does not even take an artefact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import wasmtime
from c_policies import CPolicies, Emitted, compiled, emitted
from edge_host import encoded
from wasm_policies import Call, Module, Put, Step, run_in_wasmtime

from govlang.compiler import ir
from govlang.compiler.wasm import export_name

Parts = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Asked:
    """Variables, and the texts that are taken in; without these, the variables hold their classes."""

    variables: Mapping[str, int]
    texts: Mapping[str, bytes] | None = None


@dataclass(frozen=True)
class Original:
    """A policy and the parts of its bundle, as they were built."""

    policy: ir.Policy
    parts: Parts

    @cached_property
    def module(self) -> Module:
        """How requests are put to its module."""
        return Module(self.policy)

    @cached_property
    def emitted(self) -> Emitted:
        """How requests are put to its C."""
        return emitted(self.policy)

    def asked(self, values: Mapping[str, int | str], params: Mapping[str, int]) -> Asked:
        """A request as a host gives it."""
        texts = {name: text.encode() for name, text in values.items() if isinstance(text, str)}
        return Asked(encoded(self.policy, self.module.classes, values, params), texts)

    def decided(self, parts: Parts, what: str, asked: Sequence[Asked]) -> list[Any]:
        """What each decision returns and leaves; `what` is WebAssembly or C."""
        if what == "C":
            return self._in_c(
                parts, lambda c: [c.decide(0, one.variables, one.texts) for one in asked]
            )
        steps = [step for one in asked for step in self._steps(one)]
        calls = [step.name for step in steps if isinstance(step, Call)]
        answers = _in_wasmtime(parts, steps) or ["cannot be run"] * len(calls)
        return [a for name, a in zip(calls, answers, strict=True) if name == "decide"]

    def scanned(self, parts: Parts, what: str, texts: Sequence[bytes]) -> list[Any]:
        """What every scan returns for each text."""
        if what == "C":
            scans = range(len(self.emitted.names.classify))
            return self._in_c(parts, lambda c: [c.classify(0, s, t) for s in scans for t in texts])
        scans_ = self.module.scans
        cut = [(scan, text[: scan.field.max_bytes + 1]) for scan in scans_ for text in texts]
        return _in_wasmtime(parts, [s for one in cut for s in self.module.classified(*one)])

    def _steps(self, asked: Asked) -> list[Step]:
        by_text = ("class.", "same.") if asked.texts is not None else ()
        found: list[Step] = [
            Put(export_name(name), value)
            for name, value in asked.variables.items()
            if not name.startswith(by_text)
        ]
        texts = asked.texts or {}
        for scan in self.module.scans:
            if scan.field.name in texts:
                found += self.module.classified(scan, texts[scan.field.name])
        stale = [Put(cell.name, 0x5A5A5A5A) for cell in self.module.program.cells]
        return [*found, *stale, Call("decide")]

    def _in_c(self, parts: Parts, ask: Callable[[CPolicies], list[Any]]) -> list[Any]:
        header, source = (parts[name].decode() for name in ("policy.h", "policy.c"))
        whole = replace(self.emitted, header=header, source=source)
        with TemporaryDirectory() as folder:
            try:
                library = compiled(Path(folder), [whole], "gcc", ("-O1", "-w"))
            except AssertionError:
                return []
            return ask(library)


def _in_wasmtime(parts: Parts, steps: Sequence[Step]) -> list[Any]:
    """The answers of the calls; nothing where wasmtime cannot even run them."""
    try:
        answers = run_in_wasmtime(parts["policy.wasm"], steps)
    except (KeyError, AssertionError, wasmtime.WasmtimeError):
        return []
    return [(one.result, dict(one.cells), bool(one.trap)) for one in answers]
