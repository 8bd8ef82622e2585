"""When two outcomes differ, as Z3 terms.

In: two decisions over one encoder.  Out: terms for a different effect, another deciding rule, and
different obligations, whatever their order.

What always holds: where the rules of both are all that can fire, the terms are true exactly where the
interpreter's outcomes differ so.
"""

from __future__ import annotations

from collections.abc import Iterator

import z3

from govlang.compiler import ir
from govlang.compiler.ir import Effect
from govlang.verifier.encode import Term
from govlang.verifier.outcome import Decision, any_of, false


def decision_differs(a: Decision, b: Decision) -> Term:
    """The effects of two outcomes differ."""
    return any_of(a.effect[e] != b.effect[e] for e in Effect)


def decider_differs(a: Decision, b: Decision) -> Term:
    """The rules that decide differ."""
    names = dict.fromkeys((*a.deciders, *b.deciders))
    return any_of(a.deciders.get(n, false()) != b.deciders.get(n, false()) for n in names)


def obligations_differ(a: Decision, b: Decision) -> Term:
    """The effects are equal and what is to be done differs, whatever the order."""
    deny, human = a.effect[Effect.DENY], a.effect[Effect.REQUIRE_HUMAN]
    return any_of(
        (
            any_of(_dos_differ(a, b)),
            z3.And(z3.Not(deny), any_of((*_limits_differ(a, b), *_retries_differ(a, b)))),
            z3.And(human, any_of(_requirements_differ(a, b))),
            any_of(_remedies_differ(a, b)),
        )
    )


def removal_differs(a: Decision, b: Decision, rule: ir.Rule, *, reason: bool) -> Term:
    """The outcome `a` and the outcome `b` without a rule differ, where all others are taken alike.

    `reason`: another deciding rule is a difference too.
    """
    found = [decision_differs(a, b), _own_obligations_differ(a, b, rule)]
    if reason:
        found += [a.decides(rule), *(a.joined[e] != b.joined[e] for e in Effect)]
    return any_of(found)


def _own_obligations_differ(a: Decision, b: Decision, rule: ir.Rule) -> Term:
    taken = a.taken[rule.id]
    always = [z3.Not(b.does(do)) for do in rule.dos]
    always += [z3.Not(b.remedies(rule.remedy))] if rule.remedy is not None else []
    running = list(_limits_differ(a, b)) if rule.limits else []
    running += [z3.Not(b.retries_after(rule.retry_ms))] if rule.retry_ms is not None else []
    people: list[Term] = []
    if rule.effect is Effect.REQUIRE_HUMAN:
        people = [a.asks(role) != b.asks(role) for role in rule.roles]
        ms = rule.expires_ms
        people += [] if ms is None else [a.expires_by(ms) != b.expires_by(ms)]
    return any_of(
        (
            z3.And(taken, any_of(always)),
            z3.And(z3.Not(a.effect[Effect.DENY]), taken, any_of(running)),
            z3.And(a.effect[Effect.REQUIRE_HUMAN], any_of(people)),
        )
    )


def outcomes_differ(a: Decision, b: Decision) -> Term:
    """Decision, deciding rule or obligations differ."""
    return any_of((decision_differs(a, b), decider_differs(a, b), obligations_differ(a, b)))


def _dos_differ(a: Decision, b: Decision) -> Iterator[Term]:
    for one, other in ((a, b), (b, a)):
        for rule in one.rules:
            for do in rule.dos:
                yield z3.And(one.taken[rule.id], z3.Not(other.does(do)))


def _limits_differ(a: Decision, b: Decision) -> Iterator[Term]:
    for target in dict.fromkeys((*a.limited, *b.limited)):
        ours, theirs = a.limited.get(target), b.limited.get(target)
        if ours is None or theirs is None:
            yield (ours or theirs or (false(),))[0]
        else:
            yield ours[0] != theirs[0]
            yield z3.And(ours[0], z3.Or(ours[1] != theirs[1], ours[2] != theirs[2]))


def _retries_differ(a: Decision, b: Decision) -> Iterator[Term]:
    for ms in {r.retry_ms for r in (*a.rules, *b.rules) if r.retry_ms is not None}:
        yield a.retries_after(ms) != b.retries_after(ms)


def _requirements_differ(a: Decision, b: Decision) -> Iterator[Term]:
    for role in dict.fromkeys(role for r in (*a.rules, *b.rules) for role in r.roles):
        yield a.asks(role) != b.asks(role)
    for ms in {r.expires_ms for r in (*a.rules, *b.rules) if r.expires_ms is not None}:
        yield a.expires_by(ms) != b.expires_by(ms)


def _remedies_differ(a: Decision, b: Decision) -> Iterator[Term]:
    for one, other in ((a, b), (b, a)):
        for rule in one.rules:
            if rule.remedy is not None:
                yield z3.And(one.taken[rule.id], z3.Not(other.remedies(rule.remedy)))
