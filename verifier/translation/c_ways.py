"""The functions of a policy over time in C: the step, the ways into it, what a host asks of a state.

In: the functions of a source and the documented names.  Out: `machine.Timed`, and what a null pointer leaves.

What always holds: every public function that takes a sample is the documented text, so all of them do what the step
does for a kind and for whether it writes; where a pointer that it is given may be NULL, what is read or written
through it is undefined in the machine, as it is in C.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from typing import Any, Final

from pycparser import c_ast

from govlang.compiler import ir
from govlang.native.errors import ArtefactError
from govlang.verifier.translation import machine
from govlang.verifier.translation.c_header import SCOPES, Header, parameters
from govlang.verifier.translation.c_lift import KEEP, KIND, Lifted, lift
from govlang.verifier.translation.c_names import DocumentedTime, Named
from govlang.verifier.translation.c_parse import odd, place
from govlang.verifier.translation.c_pattern import Pattern, documented
from govlang.verifier.translation.c_scope import NEXT, File, pointed

NULL_POINTER: Final = -2
_ORDER: Final = ("request", "sample", "params", *SCOPES, *(f"{NEXT}{one}" for one in SCOPES))
"""What a step may be given, in this order."""

_ARGUMENTS: Final = ("request", "sample", "params", *SCOPES, "now", "outcome")


@dataclass(frozen=True, slots=True)
class Way:
    """A public function that takes a sample: its kind, whether it writes, and what it is given."""

    name: str
    kind: int
    writes: bool
    pointers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stepped:
    """A policy's step in C, what the outcome holds after a null pointer, and the functions that are used."""

    time: machine.Timed
    null: Mapping[str, int]
    used: frozenset[str]
    functions: Mapping[str, str]


def read_ways(file: File, named: Named, time: DocumentedTime, cells: Mapping[str, int]) -> Stepped:
    """The step and everything round it, but save and restore; `cells` are those of the outcome.

    Raises:
        ArtefactError: GOV416 with the line.
    """
    step = _step_name(file)
    roles = _roles(file, file.functions[step])
    pattern = Pattern(file.header, "the documented way into the step")
    ways = list(ways_of(file.header, named, time))
    for way in ways:
        text = _text(file, way, roles)
        pattern.match(documented(file.header, text), file.functions[way.name])
    _check_order(file, ways, pattern)
    lifted = lift(file, step, frozenset(), _given(time))
    refused = lift(file, ways[0].name, frozenset({"request"}))
    state_ok, next_deadline = (_asked(file, name) for name in ("state_ok", "next_deadline"))
    found = machine.Timed(
        lifted.function,
        KIND,
        KEEP,
        state_ok.function,
        next_deadline.function,
        tuple(one.name for one in time.kept),
        tuple(time.ways),
        answers_only=True,
        room={one.name: (one.storage.least, one.storage.greatest) for one in time.kept},
        carrying=frozenset(time.sample.values()),
    )
    called = (lifted.called, refused.called, state_ok.called, next_deadline.called)
    null = _null(file, refused, cells)
    documented_names = ("decide", "commit", "tick", *time.ways)
    functions = {name: way.name for name, way in zip(documented_names, ways, strict=True)}
    return Stepped(found, null, frozenset({step}).union(*called), functions)


def ways_of(header: Header, named: Named, time: DocumentedTime) -> Iterator[Way]:
    """The public functions that take samples, in the order of the page."""
    policy, structs = header.policy, header.structs
    rest = tuple(one for one in ("params", *SCOPES) if one in structs)
    yield Way(f"{policy}_decide", ir.REQUEST, writes=False, pointers=("request", *rest))
    yield Way(f"{policy}_commit", ir.REQUEST, writes=True, pointers=("request", *rest))
    yield Way(f"{policy}_tick", ir.TICK, writes=True, pointers=rest)
    carrying = set(time.sample.values())
    for kind, name in enumerate(named.ways, ir.FIRST_KIND):
        own = ("sample",) if kind in carrying else ()
        yield Way(name, kind, writes=True, pointers=(*own, *rest))


def arguments(policy: str, way: Way) -> Iterator[tuple[str, str]]:
    """What a way is given: the type and the name of each argument."""
    for one in way.pointers:
        yield f"{'' if one in SCOPES and way.writes else 'const '}{policy}_{one}_t *", one
    yield "int64_t", "now"
    if way.kind == ir.REQUEST:
        yield f"{policy}_outcome_t *", "outcome"


def signatures(header: Header, named: Named, time: DocumentedTime) -> dict[str, str]:
    """What the public functions of a policy over time are declared as, but those of texts."""
    policy = header.policy
    scopes = [one for one in SCOPES if one in header.structs]
    read, written = ([f"{const}{policy}_{one}_t *" for one in scopes] for const in ("const ", ""))
    found = {
        way.name: [kind for kind, _ in arguments(policy, way)]
        for way in ways_of(header, named, time)
    }
    found |= {
        f"{policy}_state_ok": read,
        f"{policy}_next_deadline": [*read, "int64_t", "int64_t *"],
        f"{policy}_save": [*read, "int64_t", "uint8_t *"],
        f"{policy}_restore": [*written, "const uint8_t *", "uint32_t", "int64_t", "int64_t"],
    }
    return {name: f"int32_t({', '.join(taken)})" for name, taken in found.items()}


# --- the ways into the step ------------------------------------------------------------------------


def _step_name(file: File) -> str:
    """The static function that is called at the end of `POLICY_decide`."""
    node = file.functions[f"{file.header.policy}_decide"]
    match node.body.block_items:
        case [*_, c_ast.Return(expr=c_ast.FuncCall(name=c_ast.ID(name=name)))] if (
            name in file.functions and name not in file.header.functions
        ):
            return str(name)
        case _:
            raise odd(node, "this is not the documented way into the step")


def _roles(file: File, step: Any) -> list[str]:
    """What the step is given between the kind and the time, in order."""
    listed = [*parameters(step.decl.type)]
    texts = [text.removeprefix("const ") if text[-1] != "*" else text for _, text in listed]
    if len(texts) < 4 or (texts[0], texts[-2]) != ("int32_t", "int64_t"):
        raise odd(step, "the step takes a kind, pointers, a time and an outcome")
    roles = [pointed(file.header, node, text) for node, text in (*listed[1:-2], listed[-1])]
    if roles != [one for one in _ORDER if one in roles] + ["outcome"]:
        raise odd(step, "the step takes its pointers in another order")
    return roles[:-1]


def _check_order(file: File, ways: Sequence[Way], pattern: Pattern) -> None:
    """What the ways call stands in front of them."""
    first = min(ways, key=lambda way: file.order[way.name])
    pattern.check_names(file.functions[first.name], _ARGUMENTS)
    for called in pattern.names.values():
        if file.order.get(called, len(file.order)) >= file.order[first.name]:
            raise odd(file.functions[first.name], f"`{called}` does not stand in front of this")


def _text(file: File, way: Way, roles: Sequence[str]) -> str:
    """The documented text of a way."""
    asked, refusal = way.kind == ir.REQUEST, "-2"
    taken = ", ".join(f"{kind} {name}" for kind, name in arguments(file.header.policy, way))
    lines = [f"int32_t {way.name}({taken})", "{"]
    if asked:
        lines += ["if (outcome == NULL) { return -2; }"]
        refusal = "F$refuse(outcome, -1, -2)"
    tests = [f"{one} == NULL" for one in way.pointers]
    test = tests[0] if len(tests) == 1 else " || ".join(f"({one})" for one in tests)
    given = [_argument(way, role) for role in roles]
    call = ", ".join([str(way.kind), *given, "now", "outcome" if asked else "NULL"])
    return "\n".join([*lines, f"if ({test}) {{ return {refusal}; }}", f"return F$step({call}); }}"])


def _argument(way: Way, role: str) -> str:
    own = role.removeprefix(NEXT)
    return own if own in way.pointers and (own == role or way.writes) else "NULL"


def _given(time: DocumentedTime) -> dict[str, machine.Expr]:
    """When the pointers of a step are none that are NULL, and when it may read what a sample brings."""
    asked, keep = _is_kind(ir.REQUEST), machine.Local(32, KEEP)
    found: dict[str, machine.Expr] = {"request": asked, "outcome": asked}
    found |= dict.fromkeys((f"{NEXT}{one}" for one in SCOPES), keep)
    found |= {name: _is_kind(kind) for name, kind in time.sample.items()}
    kinds = [_is_kind(kind) for kind in sorted({*time.sample.values()})]
    if kinds:
        found["sample"] = reduce(lambda a, b: machine.Binary(machine.Op.OR, 32, a, b), kinds)
    return found


def _is_kind(kind: int) -> machine.Expr:
    return machine.Compared(machine.Test.EQ, 32, machine.Local(32, KIND), machine.Const(32, kind))


# --- null pointers ---------------------------------------------------------------------------------


def stored(body: Sequence[machine.Statement], nulls: Sequence[str]) -> dict[str, int]:
    """What is stored where pointers are null: constants, and then -2 is given."""
    found: dict[str, int] = {}
    for statement in body[:-1]:
        match statement:
            case machine.Store(name=name, value=machine.Const(value=value)):
                found[name] = value
            case machine.Set(value=machine.Const()):
                continue
            case _:
                raise ArtefactError(statement.at, f"this is done although {nulls[0]} is NULL")
    match body[-1]:
        case machine.Return(value=machine.Const(value=value)) if value == NULL_POINTER:
            return found
        case last:
            raise ArtefactError(last.at, f"not -2 is given although {nulls[0]} is NULL")


def check_null(node: Any, found: Mapping[str, int], cells: Mapping[str, int]) -> None:
    """A null pointer is answered with a whole outcome that denies."""
    if set(found) != set(cells):
        raise odd(node, "a null pointer leaves the outcome unfinished")
    if found["out.decision"] != int(ir.Effect.DENY):
        raise odd(node, "a null pointer is not answered with deny")


def _null(file: File, refused: Lifted, cells: Mapping[str, int]) -> dict[str, int]:
    """What the outcome holds after a null pointer: all ways refuse with the same text."""
    found = stored(refused.function.body, ["request"])
    check_null(file.functions[f"{file.header.policy}_decide"], found, cells)
    return found


def _asked(file: File, what: str) -> Lifted:
    """A function that only asks; null pointers are answered before anything is looked at."""
    name = f"{file.header.policy}_{what}"
    node = file.functions[name]
    roles = [
        pointed(file.header, one, text)
        for one, text in parameters(node.decl.type)
        if text[-1] == "*"
    ]
    for count in range(1, len(roles) + 1):
        for nulls in combinations(roles, count):
            if stored(lift(file, name, frozenset(nulls)).function.body, nulls):
                raise ArtefactError(place(node), "something is stored although a pointer is NULL")
    return lift(file, name, frozenset())
