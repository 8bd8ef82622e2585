"""What the C of a policy must show a host, by docs/edge.md: names, types, constants, what null leaves.

In: a policy, and the artefact that was read of its C text.  Out: the names that members must have; what
differs of the rest, in words.

What always holds: names are formed here from the policy alone, in the order of the page, so that a
constant with another name or value than the page says is found.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import count, takewhile

from govlang.compiler import ir
from govlang.compiler.interpret import DEFAULT_RULE, INVALID_REQUEST
from govlang.compiler.step import CLOCK_FAULT_RULE
from govlang.verifier.translation.c_names import (
    Documented,
    DocumentedTime,
    Kept,
    NameScope,
    legal,
)
from govlang.verifier.translation.c_types import Storage
from govlang.verifier.translation.edge_interface import (
    Interface,
    Variable,
    edge_interface,
    variables_before_time,
)
from govlang.verifier.translation.edge_time import (
    STATE_HEAD,
    carried,
    scopes_of,
    state_bytes,
    ways_of,
)
from govlang.verifier.translation.machine import Artefact
from govlang.verifier.translation.schema_time import is_freshness, state_definition

_MASKS = ("out.limited.", "out.dos.", "out.remedies.", "out.roles")
_OWN = ("request_t", "params_t", "outcome_t", "decide", "commit", "int_has_32_bits")
_OWN_CAPITALS = ("H", "REQUEST_UNSET", "PARAMS_DEFAULT")
_OWN_TIMED = (
    "sample_t",
    "shared_t",
    "state_t",
    "tick",
    "state_ok",
    "next_deadline",
    "save",
    "restore",
)
_OWN_CAPITALS_TIMED = ("SAMPLE_UNSET", "SHARED_START", "STATE_START", "STATE_BYTES")


def names_of(policy: ir.Policy) -> Callable[[Collection[str]], Documented]:
    """The names of a policy's variables and cells, once the members of its request are known.

    Into how many classes and columns a text is told apart is not for the policy to say.
    """

    def names(members: Collection[str]) -> Documented:
        columns = {
            name: 0
            for one in policy.fields
            for name in takewhile(lambda name: legal(name) in members, _columns(one))
        }
        interface = edge_interface(policy, columns, columns)
        variables, cells = variables_before_time(interface), interface.cells
        time = None if policy.time is None else _time(policy, policy.time, interface)
        return Documented([v.name for v in variables], [c.name for c in cells], policy.name, time)

    return names


def _time(policy: ir.Policy, time: ir.Time, interface: Interface) -> DocumentedTime:
    """What the C of a policy over time has beside."""
    listed = {one.name: one for one in interface.variables}
    scopes = {
        scope.name: (
            Kept(scope.at, 64, Storage(64, signed=True), is_time=True),
            *(_kept(time, listed[scope.variable(cell)], cell) for cell in scope.cells),
        )
        for scope in interface.scopes
    }
    brought = {name: kind for kind, name, _ in carried(time)}
    definition = state_definition(policy, time, interface.scopes)
    return DocumentedTime(brought, scopes, ways_of(time), definition)


def _kept(time: ir.Time, one: Variable, cell: ir.Cell) -> Kept:
    bits, lo, hi = 8 * cell.bytes, cell.field.lo, cell.field.hi
    storage = Storage(bits, signed=bits == one.width or lo < 0)
    fresh = cell.cap if is_freshness(time, cell) else None
    return Kept(one.name, one.width, storage, lo, hi, fresh)


def _columns(one: ir.Field) -> Iterator[str]:
    return (f"class.{one.name}.{number}" for number in count()) if one.is_text else iter(())


def constant_mismatches(policy: ir.Policy, artefact: Artefact) -> Iterator[str]:
    """Where constants and types of a header, or what a null pointer leaves, are not what the page says.

    Each is a sentence.
    """
    wanted = constants(policy, [*artefact.variables], [*artefact.scans])
    for name in {**wanted, **artefact.constants}:
        if name not in wanted:
            yield f"the constant `{name}` is one too many"
        elif name not in artefact.constants:
            yield f"the constant `{name}` is missing"
        elif artefact.constants[name] != wanted[name]:
            yield f"the constant `{name}` is {artefact.constants[name]}, must be {wanted[name]}"
    for cell in artefact.cells:
        found, left = artefact.null.get(cell), neutral(policy, cell)
        if found != left:
            yield f"a null pointer leaves {found} in the cell `{cell}`, must leave {left}"
    for name in (*artefact.variables, *artefact.cells):
        if (name in artefact.unsigned) is not (mask := _is_mask(policy, name)):
            yield f"`{name}` must have a type {'without' if mask else 'with'} a sign"


def _is_mask(policy: ir.Policy, name: str) -> bool:
    """Whether a variable or a cell holds bits, and so has no sign."""
    if name.startswith(_MASKS):
        return True
    sets = {one.name for one in policy.fields if one.kind is ir.Kind.SET}
    sets |= {f"param.{one.field.name}" for one in policy.params if one.field.kind is ir.Kind.SET}
    if policy.time is not None:
        sets |= {own for _, own, one in carried(policy.time) if one.kind is ir.Kind.SET}
    return name in sets


def neutral(policy: ir.Policy, cell: str) -> int:
    """What a cell of the outcome holds where a step is refused before anything is known."""
    match cell.split("."):
        case ["out", "decision"]:
            return int(ir.Effect.DENY)
        case ["out", "rule"]:
            return len(policy.rules) + 1
        case ["out", "invalid" | "expires" | "retry"]:
            return -1
        case ["out", "lo", name]:
            return policy.target(name).lo
        case ["out", "hi", name]:
            return policy.target(name).hi
        case _:
            return 0


# --- constants -------------------------------------------------------------------------------------


def constants(policy: ir.Policy, variables: Sequence[str], texts: Sequence[str]) -> dict[str, int]:
    """The constants of the header, in its order.

    `variables` are all variables by their documented names, `texts` the fields that a function takes.
    """
    return dict(_Named(policy, variables, texts).all())


class _Named:
    """Gives the names of the file out in the order of the page."""

    def __init__(self, policy: ir.Policy, variables: Sequence[str], texts: Sequence[str]) -> None:
        self.policy = policy
        self.variables = variables
        self.lower = legal(policy.name)
        self.upper = self.lower.upper()
        self.scope = NameScope({f"{self.lower}_{part}" for part in _OWN})
        self.scope.taken |= {f"{self.upper}_{part}" for part in _OWN_CAPITALS}
        if policy.time is not None:
            self.scope.taken |= {f"{self.lower}_{part}" for part in _OWN_TIMED}
            self.scope.taken |= {f"{self.upper}_{part}" for part in _OWN_CAPITALS_TIMED}
            for name in ways_of(policy.time):
                self.scope.give(f"{self.lower}_{name.replace('.', '_', 1)}")
        for name in texts:
            self.scope.give(f"{self.lower}_classify_{name}")

    def all(self) -> Iterator[tuple[str, int]]:
        """Every constant with its value."""
        yield from self.of_all()
        if self.policy.time is not None:
            yield from self.of_time(self.policy.time)

    def of_time(self, time: ir.Time) -> Iterator[tuple[str, int]]:
        """Members of what samples carry and of cells; the bytes of a saved state."""
        for _, name, one in carried(time):
            yield from self.members(name, one)
        scopes = scopes_of(time)
        for scope in scopes:
            for cell in scope.cells:
                if cell.field.kind is ir.Kind.ENUM:
                    yield from self.members(scope.variable(cell), cell.field)
        yield f"{self.upper}_STATE_BYTES", STATE_HEAD + state_bytes(scopes)

    def of_all(self) -> Iterator[tuple[str, int]]:
        """The constants that every policy has, of one over time with one rule more."""
        rules = [*(rule.id for rule in self.policy.rules), DEFAULT_RULE, INVALID_REQUEST]
        rules += [] if self.policy.time is None else [CLOCK_FAULT_RULE]
        assumptions = [str(number) for number in range(len(self.policy.assumptions))]
        yield from self.group("decision", "", [effect.word for effect in ir.Effect])
        yield from self.group("rule", "rule", rules)
        yield from self.group("variable", "variable", self.variables)
        yield from self.group("assumption", "assumption", assumptions, len(self.variables))
        yield from self.group("target", "limited", self.targets())
        yield from self.group("duty", "do", [do.action for do in self.duties()])
        yield from self.group("remedy", "remedy", [*self.remedies().values()])
        for name, one in self.fields():
            yield from self.members(name, one)

    def members(self, name: str, one: ir.Field) -> Iterator[tuple[str, int]]:
        """The members of an enumeration or of a set."""
        if one.kind is ir.Kind.ENUM:
            yield from self.group(f"{name}_member", name, one.members)
        elif one.kind is ir.Kind.SET:
            yield from ((self.name(name, m), 1 << bit) for bit, m in enumerate(one.members))

    def group(
        self, tag: str, kind: str, names: Iterable[str], first: int = 0
    ) -> Iterator[tuple[str, int]]:
        """The constants of an `enum`, behind its tag."""
        listed = [*names]
        if listed:
            self.scope.give(f"{self.lower}_{tag}")
        yield from ((self.name(kind, name), number) for number, name in enumerate(listed, first))

    def name(self, kind: str, name: str) -> str:
        """`POLICY_KIND_NAME`, in capitals."""
        words = legal(f"{kind}_{name}" if kind else name).upper()
        return self.scope.give(f"{self.upper}_{words}")

    def targets(self) -> Iterable[str]:
        """The targets of all limits, in the order in which rules name them first."""
        return dict.fromkeys(limit.target for rule in self.policy.rules for limit in rule.limits)

    def duties(self) -> Iterable[ir.Do]:
        """The distinct duties in the order of the rules."""
        return dict.fromkeys(do for rule in self.policy.rules for do in rule.dos)

    def remedies(self) -> dict[ir.Remedy, str]:
        """The distinct remedies, and the first rule that gives each."""
        found: dict[ir.Remedy, str] = {}
        for rule in self.policy.rules:
            if rule.remedy is not None:
                found.setdefault(rule.remedy, rule.id)
        return found

    def fields(self) -> Iterator[tuple[str, ir.Field]]:
        """What may have members: fields, parameters, arguments of actions."""
        yield from ((one.name, one) for one in self.policy.fields)
        yield from ((one.field.name, one.field) for one in self.policy.params)
        for action in self.policy.actions:
            yield from ((f"{action.name}_{one.name}", one) for one in action.parameters)
