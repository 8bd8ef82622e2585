"""User properties (`prove`), and what there is to say of the guards of invariants.

In: a context.  Out: GOV306 with a request for each property that does not hold; a proof for each one
that does; for each guard whether it can ever fire and whether it is ever needed.

What always holds: where a property speaks of the decision, only the rules that may fire where it
could fail are encoded, region by region.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import z3

from govlang.compiler import ir
from govlang.compiler.interpret import Environment
from govlang.compiler.ir import Effect
from govlang.verifier.columns import Point
from govlang.verifier.encode import Encoder, Term
from govlang.verifier.findings import PROPERTY, VACUOUS, Finding, Proved, Severity
from govlang.verifier.judge import Judged
from govlang.verifier.options import Context
from govlang.verifier.outcome import Decision, any_of
from govlang.verifier.regions import regions
from govlang.verifier.shapes import terms
from govlang.verifier.solve import Absent, Answer, Found, Open


def find_refuted_properties(context: Context) -> None:
    """Settle every property of a policy."""
    for place, one in enumerate(context.policy.properties):
        context.tell("properties", place, len(context.policy.properties))
        _settle(context, one)


def _settle(context: Context, one: ir.Property) -> None:
    start = perf_counter()

    def shows(point: Point) -> bool:
        judged = context.judge.judge(point)
        return judged is not None and not holds(context, one.condition, judged)

    finding = Finding(
        PROPERTY,
        "property",
        Severity.ERROR,
        (),
        f"`{one.name}` does not hold of every request",
        "read the request: either a rule is missing or the property asks too much",
        property=one.name,
        span=one.span,
        question=f"whether `{one.name}` holds of every request",
    )
    answer = at_hand(context, shows) or by_solver(context, one, shows)
    if not context.settle(finding, answer, shows):
        method = "z3, region by region" if one.mentions_decision else "z3"
        context.proved.append(Proved(one.name, "property", method, ms_since(start)))
        say_if_empty(context, one)


def say_if_empty(context: Context, one: ir.Property) -> None:
    """Warn of a proof about the decision that holds whatever the rules say."""
    if not one.mentions_decision or not isinstance(one.condition, ir.Or):
        return
    for part in one.condition.operands:
        if any(isinstance(atom, ir.DecisionIn) for atom in ir.atoms(part)):
            continue
        if context.session.satisfiable([context.encoder.condition(ir.negation(part))]) is False:
            premise = ir.negation(part)
            span = premise.span or part.span
            shown = f"`{span.text.strip()}` " if span else ""
            context.findings.append(
                Finding(
                    VACUOUS,
                    "vacuous",
                    Severity.WARNING,
                    (),
                    f"`{one.name}` says nothing of any rule: its premise {shown}never holds",
                    "write the premise that was meant, or remove the property",
                    property=one.name,
                    span=span or one.span,
                )
            )
            return


def ms_since(start: float) -> int:
    """Milliseconds since a reading of the clock."""
    return int((perf_counter() - start) * 1000)


def holds(context: Context, condition: ir.BoolExpr, judged: Judged) -> bool:
    """Whether a property holds of a request and its decision."""
    decision = context.judge.outcome(judged).decision
    env = Environment(context.policy, judged.point.params, judged.point.values, decision)
    return env.holds(condition)


def at_hand(context: Context, shows: Callable[[Point], bool]) -> Found | None:
    """A refutation among the requests that other passes have found."""
    for judged in context.seen[:1000]:
        if shows(judged.point):
            return Found(judged.point)
    return None


def by_solver(context: Context, one: ir.Property, shows: Callable[[Point], bool]) -> Answer:
    """A refutation of a property, region by region where it speaks of the decision."""
    wrong = ir.negation(one.condition)
    session, encoder = context.session, context.encoder
    if not one.mentions_decision:
        return session.find([encoder.condition(wrong)], shows)
    for term in terms(context.judge.columns, wrong):
        for region in regions(context, term.box):
            decision = Decision(
                encoder,
                context.judge.pick(region.rules),
                lambda rule: encoder.condition(rule.condition),
            )
            wanted = [*encoder.box(region.box), with_decision(encoder, wrong, decision)]
            answer = session.find(wanted, shows)
            if not isinstance(answer, Absent):
                return answer
    return Absent()


def with_decision(encoder: Encoder, condition: ir.BoolExpr, decision: Decision) -> Term:
    """A condition that may speak of the decision."""
    match condition:
        case ir.DecisionIn(effects=effects):
            return any_of(decision.effect[e] for e in Effect if e in effects)
        case ir.Not(operand=operand):
            return z3.Not(with_decision(encoder, operand, decision))
        case ir.And(operands=operands):
            return z3.And([with_decision(encoder, one, decision) for one in operands])
        case ir.Or(operands=operands):
            return z3.Or([with_decision(encoder, one, decision) for one in operands])
        case _:
            return encoder.condition(condition)


# --- guards ----------------------------------------------------------------------------------------


def settle_guards(context: Context) -> None:
    """Say of each guard whether it can fire, and whether the rules deny without it anyway."""
    judge = context.judge
    for i, rule in enumerate(judge.rules):
        if rule.kind is ir.RuleKind.GUARD:
            start = perf_counter()
            method = _guard_method(context, i)
            context.proved.append(Proved(rule.id, "invariant", method, ms_since(start)))


def _guard_method(context: Context, i: int) -> str:
    judge, encoder = context.judge, context.encoder
    rule = judge.rules[i]
    fires = encoder.condition(rule.condition)

    def shows(point: Point) -> bool:
        judged = judge.judge(point)
        return judged is not None and i in judged.fired

    near = context.explorer.search(i, lambda _: True)
    if near is not None:
        return _need(context, i)
    answer = context.session.find([fires], shows) if judge.shapes[i] else Absent()
    if isinstance(answer, Absent):
        return "its guard can never fire"
    if isinstance(answer, Open):
        return "by its guard"
    return _need(context, i)


def _need(context: Context, i: int) -> str:
    judge, encoder = context.judge, context.encoder

    def shows(point: Point) -> bool:
        judged = judge.judge(point)
        if judged is None or i not in judged.fired:
            return False
        return judge.outcome(judged, without=i).decision is not Effect.DENY

    if context.explorer.search(i, lambda judged: shows(judged.point)) is not None:
        return "by its guard, which can fire"
    for term in judge.shapes[i]:
        for region in regions(context, term.box):
            others = [r for r in judge.pick(region.rules) if r is not judge.rules[i]]
            decision = Decision(encoder, others, lambda r: encoder.condition(r.condition))
            wanted = [
                *encoder.box(region.box),
                encoder.condition(judge.rules[i].condition),
                z3.Not(decision.effect[Effect.DENY]),
            ]
            if not isinstance(context.session.find(wanted, shows), Absent):
                return "by its guard, which can fire"
    return "its guard is never needed: the rules deny wherever it fires"
