"""Mutants of decoded artefacts: one thing of the step changed, as a compiler's mistake would.

In: a policy and its decoded artefact.  Out: for each mutant what became of it: refuted by the proof (and
the refutation run again), or proved, with all requests or many asked whether it is so.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from itertools import islice
from typing import Any

from edge_host import expected, said
from ir_requests import Requests, all_requests, random_params, request_count

from govlang.compiler import ir
from govlang.compiler.step import Request, initial_state, step
from govlang.verifier.translation import machine
from govlang.verifier.translation.edge_interface import Interface
from govlang.verifier.translation.machine import Artefact, Op, Test
from govlang.verifier.translation.machine_proof import artefact_interface, prove_artefact
from govlang.verifier.translation.machine_run import UndefinedError, run
from govlang.verifier.translation.machine_witness import MachineWitnesses
from govlang.verifier.translation.proof import ArtefactProof, EdgeRefutation, Verdict
from govlang.verifier.translation.solve import Candidate

SNAPSHOT = "sha256:" + "0" * 64
WHOLE_MAX = 2000
"""Requests that are all asked."""

Change = Callable[[Any, random.Random], Any]


@dataclass(slots=True)
class Fates:
    """How many mutants went which way, and those that went wrong."""

    count: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


# --- mutants -------------------------------------------------------------------------------------


def nodes(tree: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every statement and expression with the way to it."""
    if isinstance(tree, tuple):
        for i, part in enumerate(tree):
            yield from nodes(part, (*at, i))
    elif is_dataclass(tree):
        yield at, tree
        for one in fields(tree):
            yield from nodes(getattr(tree, one.name), (*at, one.name))


def replaced(tree: Any, at: tuple[Any, ...], new: Any) -> Any:
    """The tree with another part; None takes a statement out."""
    if not at:
        return new
    first, rest = at[0], at[1:]
    if isinstance(first, str):
        return replace(tree, **{first: replaced(getattr(tree, first), rest, new)})
    part = replaced(tree[first], rest, new)
    return (*tree[:first], *(() if part is None else (part,)), *tree[first + 1 :])


def changes(node: Any, artefact: Artefact, rng: random.Random) -> list[Any]:
    """What a node may be mistaken for."""
    match node:
        case machine.Const(width=width, value=value):
            found = {value + 1, value - 1, -value, value ^ 1 << rng.randrange(width - 1), 0, 1}
            half = 1 << (width - 1)
            return [replace(node, value=v) for v in found - {value} if -half <= v < half]
        case machine.Local(name=name):
            widths = artefact.decide.locals
            others = [n for n, w in widths.items() if w == widths[name] and n != name]
            return [replace(node, name=other) for other in rng.sample(others, min(2, len(others)))]
        case machine.Cell(name=name, width=width):
            others = [n for n, w in artefact.variables.items() if w == width and n != name]
            return [replace(node, name=other) for other in rng.sample(others, min(2, len(others)))]
        case machine.Binary(op=op):
            return [replace(node, op=other) for other in _OPS.get(op, ())]
        case machine.Compared(test=test):
            return [replace(node, test=other) for other in _TESTS[test]]
        case machine.Select(then=then, otherwise=otherwise):
            return [replace(node, then=otherwise, otherwise=then), then, otherwise]
        case machine.Extend(signed=signed):
            return [replace(node, signed=not signed)]
        case machine.Store(name=name):
            others = [
                n for n, w in artefact.cells.items() if w == artefact.cells[name] and n != name
            ]
            return [
                None,
                *(replace(node, name=other) for other in rng.sample(others, min(1, len(others)))),
            ]
        case machine.Set():
            return [None]
        case machine.If(then=then, otherwise=otherwise):
            return [
                replace(node, then=otherwise, otherwise=then),
                replace(node, then=()),
                replace(node, otherwise=()),
            ]
        case machine.Switch(parts=parts) if parts:
            values, body = parts[0]
            return [
                replace(node, parts=parts[1:]),
                replace(node, parts=((tuple(v + 1 for v in values), body), *parts[1:])),
            ]
        case _:
            return []


_OPS = {
    Op.ADD: (Op.SUB,),
    Op.SUB: (Op.ADD,),
    Op.MUL: (Op.ADD,),
    Op.AND: (Op.OR, Op.XOR),
    Op.OR: (Op.AND, Op.XOR),
    Op.XOR: (Op.OR,),
    Op.SHR_U: (Op.SHR_S, Op.SHL),
    Op.DIV_S: (Op.REM_S,),
    Op.REM_S: (Op.DIV_S,),
}
_SWAPPED = {Test.EQ: Test.NE, Test.NE: Test.EQ}
_PAIRS = (
    ("lt", "le", "ge", "gt"),
    ("le", "lt", "gt", "ge"),
    ("gt", "ge", "le", "lt"),
    ("ge", "gt", "lt", "le"),
)
_TESTS: dict[Test, tuple[Test, ...]] = {one: (other,) for one, other in _SWAPPED.items()}
for _sign, _other in (("s", "u"), ("u", "s")):
    for _first, *_rest in _PAIRS:
        _TESTS[Test(f"{_first}_{_sign}")] = (
            *(Test(f"{word}_{_sign}") for word in _rest),
            Test(f"{_first}_{_other}"),
        )


def mutants(artefact: Artefact, rng: random.Random) -> Iterator[tuple[str, Artefact]]:
    """All mutants of a step, in random order."""
    every = [
        (at, node, new)
        for at, node in nodes(artefact.decide.body)
        for new in changes(node, artefact, rng)
    ]
    rng.shuffle(every)
    for at, node, new in every:
        if new is None and at[-1:] and not isinstance(at[-1], int):
            continue
        body = replaced(artefact.decide.body, at, new)
        decide = replace(artefact.decide, body=body)
        yield f"{at}: {node} -> {new}", replace(artefact, decide=decide)


# --- judgement -----------------------------------------------------------------------------------


def judge(
    policy: ir.Policy, artefact: Artefact, rng: random.Random, count: int, what: str = "WebAssembly"
) -> Fates:
    """What became of some mutants of an artefact."""
    fates = Fates()
    for name, mutant in islice(mutants(artefact, rng), count):
        proof = prove_artefact(policy, mutant, what=what, snapshot=SNAPSHOT, timeout_s=5)
        fate, wrong = fate_of(policy, mutant, proof, rng)
        fates.count[fate] += 1
        if wrong:
            fates.wrong.append(f"{name[:400]}: {fate}: {wrong}")
    return fates


def fate_of(
    policy: ir.Policy, mutant: Artefact, proof: ArtefactProof, rng: random.Random
) -> tuple[str, str]:
    """What became of a mutant, and what is wrong about that."""
    match proof.verdict:
        case Verdict.REFUTED:
            assert proof.refutation is not None
            return "refuted", not_shown(policy, mutant, proof.refutation)
        case Verdict.PROVED:
            return "equal", seen_difference(policy, mutant, rng)
        case Verdict.UNDECIDED:
            seen = seen_difference(policy, mutant, rng)
            return "undecided, but seen" if seen else "undecided", ""


def not_shown(policy: ir.Policy, mutant: Artefact, refutation: EdgeRefutation) -> str:
    """What is wrong with a refutation: the step does on its variables what the interpreter says."""
    if refutation.variables is None:
        return f"no variables: {refutation.what}"
    found = answered(mutant, refutation.variables)
    assert found == refutation.found
    if refutation.request is None:
        return (
            ""
            if found is None or found[0] != -1 or found[1] != refutation.expected[1]
            else "refused"
        )
    assert refutation.expected is not None
    return "" if found != refutation.expected else "no difference"


def answered(artefact: Artefact, variables: Mapping[str, int]) -> tuple[int, dict[str, int]] | None:
    """What a step gives; None where it gives nothing that is defined."""
    try:
        return run(artefact.decide, variables)
    except UndefinedError:
        return None


def seen_difference(policy: ir.Policy, artefact: Artefact, rng: random.Random) -> str:
    """A request, of all or of many, on which step and interpreter differ; and strays."""
    interface = artefact_interface(policy, artefact)
    witnesses = MachineWitnesses(policy, interface, artefact, None)
    for values, params in asked(policy, rng):
        variables = witnesses.variables(values, params)
        if variables is None:
            continue
        _, outcome = step(policy, params, initial_state(policy), Request(values))
        assert outcome is not None
        found = answered(artefact, variables)
        if found is None or not agrees(policy, interface, found, values, expected(outcome)):
            return f"differs on {values} {params}"
        if witnesses.try_values(Candidate(dict(values), dict(params))) is not None:
            return f"cells differ on {values} {params}"
    strayed = (witnesses.by_straying(n) for n in range(len(interface.variables)))
    return next((f"strays: {one.variables}" for one in strayed if one is not None), "")


def agrees(
    policy: ir.Policy,
    interface: Interface,
    found: tuple[int, dict[str, int]],
    values: Mapping[str, int | str],
    wanted: tuple[Any, ...],
) -> bool:
    """Whether cells say what the interpreter says."""
    masks = ("out.limited.", "out.dos.", "out.roles", "out.remedies.")
    cells = {
        name: value & 2**64 - 1
        if name == "out.roles"
        else value & 2**32 - 1
        if name.startswith(masks)
        else value
        for name, value in found[1].items()
    }
    if set(cells) != {cell.name for cell in interface.cells}:
        return False
    if not 0 <= cells["out.rule"] <= len(policy.rules) + 1:
        return False
    try:
        return said(policy, cells, values) == wanted
    except IndexError:
        return False  # a member that is none


def asked(
    policy: ir.Policy, rng: random.Random
) -> Iterator[tuple[dict[str, int | str], dict[str, int]]]:
    """All requests of a small policy, else some."""
    small = not any(one.is_text for one in policy.fields) and not policy.params
    if small and request_count(policy) <= WHOLE_MAX:
        yield from ((values, {}) for values in all_requests(policy))
        return
    requests = Requests(policy)
    for _ in range(300):
        yield requests.request(rng), random_params(rng, policy)
