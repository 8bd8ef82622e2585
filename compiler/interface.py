"""What stands between a policy at the edge and its host: variables in, cells of the outcome out.

In: a policy, and the classes of its texts.  Out: the variables and the cells of docs/edge.md, in its
order, and the lists that number their bits: targets of limits, duties, remedies.

What always holds: names are distinct; an unset value lies outside the domain wherever the width has
room for one; a text has class columns only if a rule or an assumption holds it against patterns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from govlang.compiler import ir
from govlang.compiler.edge_fields import described, value_of, width
from govlang.compiler.edge_state import time_variables
from govlang.compiler.program import Cell, Variable
from govlang.compiler.text_classes import TextClasses

WORD: Final = 32
"""Bits of a word of `out.limited`, `out.dos` and `out.remedies`."""

# --- what rules read -------------------------------------------------------------------------------


def conditions(policy: ir.Policy) -> Iterator[ir.BoolExpr]:
    """Every condition that a step depends on: of rules, of their expressions, of assumptions, of updates."""
    for rule in policy.rules:
        yield rule.condition
        for expr in ir.rule_expressions(rule):
            yield from (p.condition for p in ir.int_parts(expr) if isinstance(p, ir.Choose))
    yield from (assumption.condition for assumption in policy.assumptions)
    for update in policy.time.updates if policy.time else ():
        yield update.condition
        yield from (p.condition for p in ir.int_parts(update.value) if isinstance(p, ir.Choose))


def classified(policy: ir.Policy) -> frozenset[str]:
    """The texts that are held against patterns."""
    found = (atom for one in conditions(policy) for atom in ir.atoms(one))
    return frozenset(atom.name for atom in found if isinstance(atom, ir.TextTest))


def compared(policy: ir.Policy) -> tuple[tuple[str, str], ...]:
    """The pairs of texts that are compared, by name."""
    found = (atom for one in conditions(policy) for atom in ir.atoms(one))
    pairs = {(atom.left, atom.right) for atom in found if isinstance(atom, ir.TextEqual)}
    return tuple(sorted(pairs))


def targets(policy: ir.Policy) -> tuple[ir.Field, ...]:
    """The targets of all limits, in the order in which rules name them first."""
    names = dict.fromkeys(limit.target for rule in policy.rules for limit in rule.limits)
    return tuple(policy.target(name) for name in names)


def duties(policy: ir.Policy) -> tuple[ir.Do, ...]:
    """The distinct things that rules tell a host to do, in the order of the rules."""
    return tuple(dict.fromkeys(do for rule in policy.rules for do in rule.dos))


def remedies(policy: ir.Policy) -> tuple[ir.Remedy, ...]:
    """The distinct remedies, in the order of the rules."""
    return tuple(dict.fromkeys(rule.remedy for rule in policy.rules if rule.remedy is not None))


def computed(value: ir.ArgValue) -> ir.IntExpr | None:
    """The expression of an argument that a step computes; None for a constant or a text."""
    match value:
        case ir.IntConst() | ir.TextConst() | ir.TextField():
            return None
        case _:
            return value


def parameters(policy: ir.Policy, do: ir.Do) -> tuple[ir.Field, ...]:
    """The parameters of a duty's action."""
    return next(action.parameters for action in policy.actions if action.name == do.action)


# --- variables -------------------------------------------------------------------------------------


def variables(policy: ir.Policy, classes: Mapping[str, TextClasses]) -> tuple[Variable, ...]:
    """The variables of a policy: fields, pairs of texts, parameters; then what it needs over time."""
    read = classified(policy)
    found: list[Variable] = []
    has: dict[str, int] = {}
    for one in policy.fields:
        if one.optional:
            has[one.name] = len(found)
            comment = f"1: `{one.name}` has a value, 0: it has none"
            found.append(Variable(f"has.{one.name}", 32, 0, 1, 2, comment=comment))
        present = _present(has, one.name)
        if not one.is_text:
            found.append(value_of(one, one.name, present))
        elif one.name in read:
            found += _classes(classes[one.name], present)
    for pair in compared(policy):
        present = _present(has, *pair)
        comment = f"1: `{pair[0]}` and `{pair[1]}` hold the same bytes, 0: they do not"
        found.append(
            Variable(f"same.{pair[0]}.{pair[1]}", 32, 0, 1, 2, False, False, present, 0, comment)
        )
    found += (_param(param) for param in policy.params)
    return (*found, *(time_variables(policy.time) if policy.time else ()))


def _present(has: Mapping[str, int], *names: str) -> tuple[int, ...]:
    return tuple(has[name] for name in names if name in has)


def _param(param: ir.Param) -> Variable:
    one = param.field
    is_set = one.kind is ir.Kind.SET
    comment = described(one)
    return Variable(
        f"param.{one.name}", width(one), one.lo, one.hi, param.default, is_set, True, (), 0, comment
    )


def _classes(text: TextClasses, has: tuple[int, ...]) -> Iterator[Variable]:
    empty = text.class_of(b"")
    for part, column in enumerate(text.columns):
        name, count = f"class.{text.field.name}.{part}", column.classes
        comment = f"the class of `{text.field.name}` in automaton {part}"
        yield Variable(name, 32, 0, count - 1, count, False, False, has, empty[part], comment)


# --- the outcome -----------------------------------------------------------------------------------


def cells(policy: ir.Policy) -> tuple[Cell, ...]:
    """The cells of the outcome; those that the policy has no use for are left out."""
    return (
        Cell("out.decision", 32, int(ir.Effect.DENY), False, "0 allow … 4 deny"),
        Cell("out.rule", 32, len(policy.rules) + 1, False, "number of the deciding rule"),
        Cell("out.invalid", 32, -1, False, "number of the variable or assumption that is broken"),
        *_limits(policy),
        *_dos(policy),
        *_times(policy),
        *_remedies(policy),
    )


def words(name: str, count: int) -> tuple[str, ...]:
    """The names of the words that hold `count` bits."""
    return tuple(f"{name}.{word}" for word in range(-(-count // WORD)))


def _words(name: str, count: int, comment: str) -> Iterator[Cell]:
    yield from (Cell(one, 32, 0, True, comment) for one in words(name, count))


def _limits(policy: ir.Policy) -> Iterator[Cell]:
    found = targets(policy)
    yield from _words("out.limited", len(found), "a bit a target: it is limited")
    for one in found:
        yield Cell(f"out.lo.{one.name}", width(one), one.lo, False, described(one))
        yield Cell(f"out.hi.{one.name}", width(one), one.hi, False, described(one))


def _dos(policy: ir.Policy) -> Iterator[Cell]:
    found = duties(policy)
    yield from _words("out.dos", len(found), "a bit a duty: it is to be done")
    for number, do in enumerate(found):
        for field, value in zip(parameters(policy, do), do.args, strict=True):
            if computed(value) is not None:
                name = f"out.do.{number}.{field.name}"
                yield Cell(name, 64, 0, field.kind is ir.Kind.SET, described(field))


def _times(policy: ir.Policy) -> Iterator[Cell]:
    if any(rule.effect is ir.Effect.REQUIRE_HUMAN for rule in policy.rules):
        yield Cell("out.roles", 64, 0, True, "who must approve, as `approved`")
        yield Cell("out.expires", 64, -1, False, "ms until an approval comes too late, -1: none")
    if any(rule.retry_ms is not None for rule in policy.rules):
        yield Cell("out.retry", 64, -1, False, "ms until it is worth asking again, -1: none")


def _remedies(policy: ir.Policy) -> Iterator[Cell]:
    found = remedies(policy)
    yield from _words("out.remedies", len(found), "a bit a remedy: it is a way out")
    for number, remedy in enumerate(found):
        for name, value in remedy.values:
            if computed(value) is not None:
                field = policy.field(name)
                is_set = field.kind is ir.Kind.SET
                yield Cell(f"out.remedy.{number}.{name}", 64, 0, is_set, described(field))
