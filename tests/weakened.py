"""Policies over time with one guard taken away: a rule, a row, an invariant, a clause, a transition, a condition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from govlang.dsl import ast


@dataclass(frozen=True)
class Weakened:
    """What was taken away, and the policy without it."""

    name: str
    policy: ast.Policy


def weakened(policy: ast.Policy) -> Iterator[Weakened]:
    """The policy without each of its guards in turn."""
    for place, declaration in enumerate(policy.declarations):
        for name, others in _without(declaration):
            kept = (*policy.declarations[:place], *others, *policy.declarations[place + 1 :])
            yield Weakened(name, replace(policy, declarations=kept))


def _without(node: Any) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """What can be taken away from a declaration, each with what is left of it."""
    match node:
        case ast.Rule(name=name) if node.decision.effect is not ast.Effect.ALLOW:
            yield f"rule {_text(name)}", ()
        case ast.Invariant(name=name):
            yield f"invariant {_text(name)}", ()
        case ast.TierBlock():
            for at, inner in enumerate(node.members):
                for name, others in _without(inner):
                    members = (*node.members[:at], *others, *node.members[at + 1 :])
                    yield name, (replace(node, members=members),)
        case ast.Table():
            for row in range(len(node.rows)):
                rows = (*node.rows[:row], *node.rows[row + 1 :])
                yield f"row {row + 1} of {node.name.text}", (replace(node, rows=rows),)
        case ast.MachineDecl():
            for name, changed in _transitions(node):
                yield name, (changed,)
        case ast.ContractDecl():
            for name, clauses in _clauses(node):
                yield name, (replace(node, **clauses),)
        case ast.AutonomyDecl():
            yield from _levels(node)


def _transitions(machine: ast.MachineDecl) -> Iterator[tuple[str, ast.MachineDecl]]:
    """Without a transition; and, where something else sets it off too, without its condition."""
    whole = machine.transitions
    for at, one in enumerate(whole):
        shown = f"{one.source.text} -> {one.target.text}"
        rest = (*whole[:at], *whole[at + 1 :])
        yield f"transition {at + 1}: {shown}", replace(machine, transitions=rest)
        parts = _conjuncts(one.when)
        for part in range(len(parts)):
            left = (*parts[:part], *parts[part + 1 :])
            if left or one.on or one.after is not None:
                changed = (*whole[:at], replace(one, when=_joined(left)), *whole[at + 1 :])
                name = f"condition {part + 1} of transition {at + 1}: {shown}"
                yield name, replace(machine, transitions=changed)


def _clauses(contract: ast.ContractDecl) -> Iterator[tuple[str, dict[str, Any]]]:
    if contract.scope is not None:
        yield "scope", {"scope": None}
    for at, need in enumerate(contract.needs):
        yield f"needs {need.text}", {"needs": (*contract.needs[:at], *contract.needs[at + 1 :])}
    stop = contract.stop
    if stop is not None:
        yield "stop after", {"stop": replace(stop, after=None)}
        yield "stop calls", {"stop": replace(stop, calls=None)}
        yield "stop on", {"stop": replace(stop, on=())}
    for at in range(len(contract.revoke)):
        kept = (*contract.revoke[:at], *contract.revoke[at + 1 :])
        yield f"revoke {at + 1}", {"revoke": kept}


def _levels(autonomy: ast.AutonomyDecl) -> Iterator[tuple[str, tuple[ast.AutonomyDecl]]]:
    for at, level in enumerate(autonomy.levels):
        parts = _conjuncts(level.when)
        for part in range(len(parts)):
            left = replace(level, when=_joined((*parts[:part], *parts[part + 1 :])))
            levels = (*autonomy.levels[:at], left, *autonomy.levels[at + 1 :])
            yield f"condition {part + 1} of {level.name.text}", (replace(autonomy, levels=levels),)
    for at, drop in enumerate(autonomy.drops):
        kept = (*autonomy.drops[:at], *autonomy.drops[at + 1 :])
        yield f"drop to {drop.level.text}", (replace(autonomy, drops=kept),)


def _conjuncts(condition: ast.Expr | None) -> tuple[ast.Expr, ...]:
    if isinstance(condition, ast.Logical) and condition.op == "and":
        return condition.operands
    return () if condition is None else (condition,)


def _joined(parts: tuple[ast.Expr, ...]) -> ast.Expr | None:
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else ast.Logical("and", parts)


def _text(name: ast.Name | ast.String) -> str:
    return name.value if isinstance(name, ast.String) else name.text
