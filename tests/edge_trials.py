"""One policy on every engine, for tests: table, module in wasmtime and in Node, C of two compilers.

In: policies, each with a seed for its parameters and requests.  Out: in words, where an engine says
something else than the interpreter, and what of a build is not proved; nothing if all is well.

What always holds: every engine is asked the same requests, about a third of them spoilt, and each
outcome is compared whole: decision, rule, reason (it names the field that is not valid), obligations.
What no reading host lets through, variables outside their domains, is put into the engines directly.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import js_host
import tables
from c_policies import COMPILERS, Emitted, compiled, emitted
from edge_host import broken, encoded, obligations, rule_name
from host_cases import Case, cases_of, said, told
from ir_strategies import Requests, random_params
from wasm_policies import Call, Put, run_in_node, run_in_wasmtime, signed

from govlang.compiler import ir
from govlang.compiler.interpret import INVALID_REQUEST, Outcome
from govlang.compiler.wasm import export_name, wasm_module
from govlang.native.errors import CodedError
from govlang.native.request import InvalidFieldError, read_request
from govlang.runtime.edge import EdgePolicy
from govlang.runtime.policy import Policy
from govlang.verifier.translation.edge import read_c_of
from govlang.verifier.translation.machine_proof import prove_artefact
from govlang.verifier.translation.proof import Verdict
from govlang.verifier.translation.table import prove_table
from govlang.verifier.translation.wasm_read import read_wasm

OPTIMISED = {"gcc": "-O2", "clang": "-O1"}
STRAYS = 6
TIMEOUT_S = 10.0

Decide = Callable[..., tuple[int, dict[str, int]]]


@dataclass(frozen=True, slots=True)
class Stray:
    """Variables of which only the one with this number is outside its domain."""

    number: int
    variables: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Trial:
    """A policy with everything that is built of it, and what it is asked."""

    label: str
    one: Emitted
    module: bytes
    table: bytes
    params: dict[str, int]
    cases: list[Case]
    strays: list[Stray]

    @property
    def policy(self) -> ir.Policy:
        """The policy; its name is its own in a library of several."""
        return self.one.policy


def trial(label: str, policy: ir.Policy, rng: random.Random, requests: int) -> Trial:
    """A policy as it is built, under a name made of the label, with random parameters and requests."""
    one = emitted(policy, f"p{label}")
    params = random_params(rng, one.policy)
    return Trial(
        label,
        one,
        wasm_module(one.program, one.classes, tables.SNAPSHOT),
        tables.table_bytes(one.policy),
        params,
        list(cases_of(one.policy, params, rng, requests)),
        list(_strays(one, params, rng)),
    )


def _strays(one: Emitted, params: Mapping[str, int], rng: random.Random) -> Iterator[Stray]:
    source, variables = Requests(one.policy), one.program.variables
    for number in sorted(rng.sample(range(len(variables)), min(STRAYS, len(variables)))):
        stray = variables[number]
        outside = broken(rng, stray)
        if outside is not None:
            values = {field.name: source.value(rng, field) for field in one.policy.fields}
            whole = encoded(one.policy, one.classes, values, params)
            yield Stray(number, whole | {stray.name: outside})


def differences(trials: Sequence[Trial], folder: Path) -> list[str]:
    """Where engines differ from the interpreter; `folder` is for what the compilers make."""
    found = [text for one in trials for text in _differences_in_python(one)]
    found += _differences_in_node(trials)
    emits = [one.one for one in trials]
    for compiler in COMPILERS:
        library = compiled(folder, emits, compiler, (OPTIMISED[compiler],))
        for number, one in enumerate(trials):
            found += _differences_in_c(one, partial(library.decide, number), compiler)
    return found


def _compared(one: Trial, engine: str, answers: Sequence[Any]) -> Iterator[str]:
    for case, answer in zip(one.cases, answers, strict=True):
        if answer != said(case.expected):
            yield f"{one.label}: {engine}: {answer} for {case}"


def _differences_in_python(one: Trial) -> Iterator[str]:
    params = tables.written_params(one.policy, one.params)
    table, edge = Policy(one.table, params), EdgePolicy(one.module, params)
    for case in one.cases:
        outcome = table.decide(case.request, runtime=case.runtime)
        if _whole(outcome) != _whole(case.expected):
            yield f"{one.label}: table: {outcome} for {case}"
    answers = [told(edge.decide(case.request, runtime=case.runtime)) for case in one.cases]
    yield from _compared(one, "wasmtime", answers)


def _whole(outcome: Any) -> tuple[Any, ...]:
    """Everything that a table tells: the order of obligations and every rule that fired, too."""
    effect = outcome.decision
    word = effect.word if isinstance(effect, ir.Effect) else effect.value
    return word, outcome.rule_id, outcome.reason, outcome.obligations, outcome.matched


# --- Node ----------------------------------------------------------------------------------------


def _differences_in_node(trials: Sequence[Trial]) -> Iterator[str]:
    """Requests by the host in JavaScript; strays in Node and in wasmtime, where no host is asked."""
    jobs = [js_host.decisions(o.policy, o.module, o.params, o.cases) for o in trials]
    for one, outcomes in zip(trials, js_host.ask(jobs), strict=True):
        yield from _compared(one, "Node", [js_host.told(outcome) for outcome in outcomes])
    steps = [(one.module, list(_stray_steps(one))) for one in trials]
    for one, (module, own), answers in zip(trials, steps, run_in_node(steps), strict=True):
        for engine, some in (("Node", answers), ("wasmtime", run_in_wasmtime(module, own))):
            for stray, answer in zip(one.strays, some, strict=True):
                yield from _held(one, stray, engine, (answer.result, dict(answer.cells)))


def _stray_steps(one: Trial) -> Iterator[Put | Call]:
    for stray in one.strays:
        yield from (Put(export_name(name), value) for name, value in stray.variables.items())
        yield Call("decide")


def _held(one: Trial, stray: Stray, engine: str, found: tuple[int | None, Any]) -> Iterator[str]:
    """Whether a stray is refused by its number, with nothing asked for."""
    cells = one.one.program.cells
    wanted = {cell.name: cell.neutral for cell in cells} | {
        "out.decision": int(ir.Effect.DENY),
        "out.rule": len(one.policy.rules) + 1,
        "out.invalid": stray.number,
    }
    answer, given = found
    plain = {cell.name: signed(given[cell.name], cell.width) for cell in cells}
    if (answer, plain) != (-1, {c.name: signed(wanted[c.name], c.width) for c in cells}):
        yield f"{one.label}: {engine}: {found} for {stray}"


# --- C -------------------------------------------------------------------------------------------


def _differences_in_c(one: Trial, decide: Decide, compiler: str) -> Iterator[str]:
    """A host reads a request and gives texts as bytes, or their classes; C decides."""
    for case in one.cases:
        try:
            values = read_request(one.policy.fields, case.request, case.runtime)
        except InvalidFieldError:
            continue  # a host of C has nothing to give it
        given = encoded(one.policy, one.one.classes, values, one.params)
        texts = {n: text.encode() for n, text in values.items() if isinstance(text, str)}
        for way in (texts, None):
            answer = _outcome(one, *decide(given, way), values)
            if answer != said(case.expected):
                yield f"{one.label}: {compiler}: {answer} for {case}"
    for stray in one.strays:
        yield from _held(one, stray, compiler, decide(stray.variables))


def _outcome(
    one: Trial, answer: int, cells: Mapping[str, int], values: Mapping[str, int | str]
) -> dict[str, Any]:
    """What the cells say in the words of every host."""
    policy, name = one.policy, rule_name(one.policy, cells)
    reasons = {rule.id: rule.because for rule in policy.rules}
    if answer != 0:
        number = cells["out.invalid"] - len(one.one.program.variables)
        assumed = policy.assumptions[number].text if 0 <= number < len(policy.assumptions) else "?"
        reasons = {INVALID_REQUEST: f"breaks the assumption `{assumed}`"}
    found = tuple(obligations(policy, cells, values))
    return said(Outcome(ir.Effect(cells["out.decision"]), name, reasons.get(name, ""), found))


# --- proofs --------------------------------------------------------------------------------------


def unproved(one: Trial) -> list[str]:
    """What is not proved of the table, of the module as bytes and of the C as text."""
    policy, options = one.policy, {"snapshot": tables.SNAPSHOT, "timeout_s": TIMEOUT_S}
    try:
        proofs = {
            "table": prove_table(policy, one.table, **options),
            "WebAssembly": prove_artefact(
                policy, read_wasm(one.module), what="WebAssembly", **options
            ),
            "C": prove_artefact(
                policy, read_c_of(policy, one.one.header, one.one.source), what="C", **options
            ),
        }
    except CodedError as error:
        return [f"{one.label}: {error}"]
    return [
        f"{one.label}: {what} {proof.verdict}: {[o for o in proof.obligations if o.failed]}"
        for what, proof in proofs.items()
        if proof.verdict is not Verdict.PROVED
    ]
