"""Contracts and autonomy written out: machines, events and rules in the language itself.

In: the declarations.  Out: machines as they could have been declared, and rules as drafts are made of.
`gov explain --core` shows what comes of them.

A contract never allows: its rules deny, above all tiers, what is outside it.  Autonomy never denies: a
level allows what it and the levels below it may do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from govlang.dsl import ast
from govlang.dsl.source import Span

NONE, ACTIVE, STOPPED, REVOKED = "none", "active", "stopped", "revoked"
AUTONOMY: Final = "autonomy"
"""The name of the machine of an `autonomy`."""

TRUE: Final = ast.Bool(True)

_LIFE: Final = ("issued", "done", "revoked", "reinstated")

Rule = tuple[str, ast.Expr | None, ast.Effect, str]
"""A name, a condition, an effect, a reason."""


def life(contract: ast.ContractDecl) -> tuple[str, ...]:
    """The events in a contract's life, by their full names."""
    return tuple(f"{contract.name.text}.{moment}" for moment in _LIFE)


def contract_machine(contract: ast.ContractDecl) -> ast.MachineDecl:
    """none, active, stopped, revoked; where something revokes, nothing else moves it."""
    span, own = contract.span, contract.name
    moment = {name: ast.EventRef(own, ast.Name(name, span), None, span) for name in _LIFE}
    to = _Transitions(span)
    revoke = _revoking(contract)
    for source in (NONE, ACTIVE, STOPPED):
        to.add(source, REVOKED, on=revoke)
    stop = contract.stop
    if stop is not None and stop.after is not None:
        to.add(ACTIVE, STOPPED, after=stop.after, when=_none_of(revoke, span))
    if stop is not None and stop.on:
        to.add(ACTIVE, STOPPED, on=stop.on)
    if stop is not None and stop.calls is not None:
        spent = _spent(own, stop.calls, span)
        to.add(ACTIVE, STOPPED, when=ast.Logical("and", (spent, _none_of(revoke, span)), span))
    to.add(NONE, ACTIVE, on=(moment["issued"],))
    to.add(STOPPED, ACTIVE, on=(moment["issued"],))
    to.add(REVOKED, NONE, on=(moment["reinstated"],))
    return ast.MachineDecl(own, ast.Name(NONE, span), tuple(to.found), span=span)


def _revoking(contract: ast.ContractDecl) -> tuple[ast.Occurrence, ...]:
    span = contract.span
    by_hand = ast.EventRef(contract.name, ast.Name("revoked", span), None, span)
    return (*contract.revoke, by_hand)


def _none_of(events: tuple[ast.Occurrence, ...], span: Span) -> ast.Expr:
    """None of them is this sample."""
    return ast.Unary("not", _one_of(events, span), span)


def _one_of(events: tuple[ast.Occurrence, ...], span: Span) -> ast.Expr:
    return ast.Logical("or", events, span) if len(events) > 1 else events[0]


def _spent(own: ast.Name, calls: ast.Number, span: Span) -> ast.Expr:
    """As many requests were allowed since the contract became active."""
    since = ast.Enters(own, ast.Name(ACTIVE, span), span)
    allowed = ast.EventRef(ast.Name("allowed", span), None, None, span)
    bare = ast.Number(calls.text, None, calls.span)
    return ast.Compare(">=", ast.Count(allowed, since, span), bare, span)


def contract_rules(contract: ast.ContractDecl) -> Iterator[Rule]:
    """What is outside a contract is denied, for one reason each."""
    name, span = contract.name.text, contract.span
    active = ast.Is(contract.name, ast.Name(ACTIVE, span), negated=True, span=span)
    yield f"{name}.not_active", active, ast.Effect.DENY, f"the contract {name} is not active"
    may = ast.In(contract.field, ast.SetLiteral(contract.may, span), span)
    outside = ast.Unary("not", may, span)
    yield f"{name}.outside", outside, ast.Effect.DENY, f"the contract {name} does not cover it"
    if contract.scope is not None:
        scope = ast.Unary("not", contract.scope, contract.scope.span)
        yield f"{name}.out_of_scope", scope, ast.Effect.DENY, f"outside the scope of {name}"
    for need in contract.needs:
        lacking = ast.Unary("not", need, need.span)
        yield f"{name}.needs_{need.text}", lacking, ast.Effect.DENY, f"{name} needs {need.text}"


def contract_proofs(contract: ast.ContractDecl) -> Iterator[ast.Prove]:
    """What a contract promises: whatever is outside it is denied, and what revokes it does so at once."""
    span = contract.span
    outside = tuple(when for _, when, _, _ in contract_rules(contract) if when is not None)
    denied = ast.DecisionIs(ast.Effect.DENY, negated=False, span=span)
    claim = ast.Implies(ast.Logical("or", outside, span), denied, span)
    yield _proof(f"{contract.name.text}.denies", claim, span)
    revoked = ast.Is(contract.name, ast.Name(REVOKED, span), negated=False, span=span)
    claim = ast.Implies(_one_of(_revoking(contract), span), revoked, span)
    yield _proof(f"{contract.name.text}.revokes", claim, span)


def _proof(name: str, claim: ast.Expr, span: Span) -> ast.Prove:
    return ast.Prove(ast.Name(name, span), claim, span)


def autonomy_proofs(autonomy: ast.AutonomyDecl) -> Iterator[ast.Prove]:
    """What an autonomy promises: behind what drops to a level it is that level or a lower one."""
    span, own = autonomy.span, ast.Name(AUTONOMY, autonomy.span)
    names = [level.name.text for level in autonomy.levels]
    for name in dict.fromkeys(drop.level.text for drop in autonomy.drops):
        below = autonomy.levels[: _place(names, ast.Name(name)) + 1]
        if len(below) < len(names):
            drops = (drop for drop in autonomy.drops if drop.level.text == name)
            events = tuple(event for drop in drops for event in drop.on)
            low = ast.In(own, ast.SetLiteral(tuple(one.name for one in below), span), span)
            claim = ast.Implies(_one_of(events, span), low, span)
            yield _proof(f"{AUTONOMY}.drops_to_{name}", claim, span)


def autonomy_machine(autonomy: ast.AutonomyDecl) -> ast.MachineDecl:
    """The levels, up one step a sample; where something drops, nothing goes up."""
    span, to = autonomy.span, _Transitions(autonomy.span)
    names = [level.name.text for level in autonomy.levels]
    for drop in autonomy.drops:
        for source in names[_place(names, drop.level) + 1 :]:  # a drop never raises
            to.add(source, drop.level.text, on=drop.on)
    drops = tuple(event for drop in autonomy.drops for event in drop.on)
    for lower, level in zip(names, autonomy.levels[1:], strict=False):
        parts = (*_conjuncts(level.when), *([_none_of(drops, span)] if drops else []))
        whole = ast.Logical("and", parts, level.span) if len(parts) > 1 else (*parts, TRUE)[0]
        to.add(lower, level.name.text, when=whole)
    own = ast.Name(AUTONOMY, span)
    return ast.MachineDecl(own, autonomy.levels[0].name, tuple(to.found), span=span)


def _conjuncts(condition: ast.Expr | None) -> tuple[ast.Expr, ...]:
    if isinstance(condition, ast.Logical) and condition.op == "and":
        return condition.operands
    return () if condition is None else (condition,)


def _place(names: list[str], level: ast.Name) -> int:
    """The place of a level; that of one which is not declared is refused elsewhere."""
    return names.index(level.text) if level.text in names else len(names)


def autonomy_rules(autonomy: ast.AutonomyDecl) -> Iterator[Rule]:
    """A level allows what it may, at that level and above; what the lowest one may is always allowed."""
    span, own = autonomy.span, ast.Name(AUTONOMY, autonomy.span)
    for number, level in enumerate(autonomy.levels):
        reached = tuple(one.name for one in autonomy.levels[number:])
        high = ast.In(own, ast.SetLiteral(reached, span), level.span)
        listed = Span(span.source, level.may[0].span.start, level.may[-1].span.end)
        may = ast.In(autonomy.field, ast.SetLiteral(level.may, level.span), listed)
        allowed = ast.Logical("and", (high, may), level.span) if number else may
        yield f"{AUTONOMY}.{level.name.text}", allowed, ast.Effect.ALLOW, ""


class _Transitions:
    """Transitions that stand where the sugar does."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self.found: list[ast.Transition] = []

    def add(
        self,
        source: str,
        target: str,
        on: tuple[ast.Occurrence, ...] = (),
        after: ast.Number | None = None,
        when: ast.Expr | None = None,
    ) -> None:
        """One more."""
        ends = ast.Name(source, self.span), ast.Name(target, self.span)
        self.found.append(ast.Transition(*ends, on, after, when, self.span))
