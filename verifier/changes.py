"""How two outcomes of one request compare: by the interpreter's outcomes, and as Z3 terms.

In: outcomes (or decisions as terms) of OLD and NEW.  Out: whether anything changed, whether NEW is
looser in some respect, and whether it is tighter in some respect.

Looser: a lower effect, a larger limit, fewer roles or actions, a longer expiry, a shorter retry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import z3

from govlang.compiler import ir
from govlang.compiler.interpret import INVALID_REQUEST, Outcome
from govlang.compiler.ir import Effect
from govlang.compiler.obligations import decimal
from govlang.compiler.step import CLOCK_FAULT_RULE
from govlang.verifier.differences import obligations_differ
from govlang.verifier.encode import Term
from govlang.verifier.judge import same_outcome
from govlang.verifier.outcome import Decision, any_of, false


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a kind of request: the deciding rules and effects, and the direction."""

    old: tuple[Effect, str]
    new: tuple[Effect, str]
    looser: bool
    tighter: bool

    @property
    def direction(self) -> str:
        """`looser` as soon as anything is; else `stricter`, else `other`."""
        return "looser" if self.looser else "stricter" if self.tighter else "other"


Spans = Mapping[str, tuple[Fraction, Fraction]]
"""By target: its whole range, in its unit."""


def change_of(old: Outcome, new: Outcome, spans: Spans) -> Change | None:
    """The change between two outcomes; None if there is none."""
    if same_outcome(old, new):
        return None
    return Change(
        (old.decision, old.rule_id),
        (new.decision, new.rule_id),
        _looser(old, new, spans),
        _looser(new, old, spans),
    )


def with_starts(outcome: Outcome, own: ir.Policy, spans: Spans) -> Outcome:
    """The outcome of one version, where each limit begins written out if that is not the common start."""
    found = []
    for one in outcome.obligations:
        target = own.target(one["limit"]) if "limit" in one else None
        start = None if target is None or "from" in one else decimal(target.lo, target)
        known = start is None or start == spans[one["limit"]][0]
        found.append(one if known else one | {"from": start})
    return replace(outcome, obligations=tuple(found))


def _looser(old: Outcome, new: Outcome, spans: Spans) -> bool:
    """Whether `new` is looser than `old` in some respect."""
    running = Effect.DENY not in (old.decision, new.decision)
    human = old.decision is new.decision is Effect.REQUIRE_HUMAN
    return (
        new.decision < old.decision
        or _fewer_dos(old, new)
        or (running and (_larger_limit(old, new, spans) or _shorter_retry(old, new)))
        or (human and _weaker_requirement(old, new))
    )


def _some(outcome: Outcome, key: str) -> Iterator[dict[str, Any]]:
    return (one for one in outcome.obligations if key in one)


def _fewer_dos(old: Outcome, new: Outcome) -> bool:
    def covered(do: dict[str, Any]) -> bool:
        return any(
            own["do"] == do["do"]
            and own.get("args") == do.get("args")
            and ("for_ms" not in own or ("for_ms" in do and own["for_ms"] >= do["for_ms"]))
            for own in _some(new, "do")
        )

    return not all(covered(do) for do in _some(old, "do"))


def _limits(outcome: Outcome, spans: Spans) -> dict[str, tuple[Fraction, Fraction]]:
    return {
        one["limit"]: (
            Fraction(one["from"]) if "from" in one else spans[one["limit"]][0],
            Fraction(one["to"]),
        )
        for one in _some(outcome, "limit")
    }


def _larger_limit(old: Outcome, new: Outcome, spans: Spans) -> bool:
    before, after = _limits(old, spans), _limits(new, spans)
    for target in {*before, *after}:
        was, now = before.get(target, spans[target]), after.get(target, spans[target])
        if now[0] < was[0] or now[1] > was[1]:
            return True
    return False


def _shorter_retry(old: Outcome, new: Outcome) -> bool:
    before, after = (
        max((o["retry_ms"] for o in _some(x, "retry_ms")), default=-1) for x in (old, new)
    )
    return bool(after < before)


def _weaker_requirement(old: Outcome, new: Outcome) -> bool:
    before, after = (next(_some(x, "require")) for x in (old, new))
    if not set(before["require"]) <= set(after["require"]):
        return True
    if "expires_ms" not in before:
        return False
    return "expires_ms" not in after or bool(after["expires_ms"] > before["expires_ms"])


# --- as terms --------------------------------------------------------------------------------------


class Side:
    """The outcome of one version, a request that is invalid for it included."""

    def __init__(self, decision: Decision, valid: Term, late: Term | None = None) -> None:
        """`late`: the clock went back, and no rule asks for that; None: it never does.

        INVARIANT: `decision`'s rules fire only where `valid` holds, and `late` does not.
        """
        self.decision = decision
        in_time = z3.BoolVal(True) if late is None else z3.Not(late)
        by_rules = valid if late is None else z3.And(valid, in_time)
        self.effect: dict[Effect, Term] = {
            e: z3.Or(z3.Not(by_rules), t) if e is Effect.DENY else z3.And(by_rules, t)
            for e, t in decision.effect.items()
        }
        self.deciders: dict[str, Term] = {
            **decision.deciders,
            "default": z3.And(by_rules, decision.by_default),
            CLOCK_FAULT_RULE: z3.And(valid, z3.Not(in_time)),
            INVALID_REQUEST: z3.Not(valid),
        }

    def below(self, effect: Effect) -> Term:
        """The outcome is looser than an effect."""
        return any_of(t for e, t in self.effect.items() if e < effect)


def differs(old: Side, new: Side) -> Term:
    """Something changed."""
    names = dict.fromkeys((*old.deciders, *new.deciders))
    return any_of(
        (
            *(old.effect[e] != new.effect[e] for e in Effect),
            *(old.deciders.get(n, false()) != new.deciders.get(n, false()) for n in names),
            obligations_differ(old.decision, new.decision),
        )
    )


def looser(old: Side, new: Side) -> Term:
    """`new` is looser than `old` in some respect."""
    a, b = old.decision, new.decision
    running = z3.Not(z3.Or(old.effect[Effect.DENY], new.effect[Effect.DENY]))
    human = z3.And(old.effect[Effect.REQUIRE_HUMAN], new.effect[Effect.REQUIRE_HUMAN])
    return any_of(
        (
            *(z3.And(old.effect[e], new.below(e)) for e in Effect),
            *(z3.And(a.taken[r.id], z3.Not(b.does(d))) for r in a.rules for d in r.dos),
            z3.And(running, any_of((*_larger(a, b), *_shorter(a, b)))),
            z3.And(human, any_of(_weaker(a, b))),
        )
    )


def _larger(a: Decision, b: Decision) -> Iterator[Term]:
    for target in dict.fromkeys((*a.limited, *b.limited)):
        whole = _whole(a.policy, target)
        was, now = a.limited.get(target, whole), b.limited.get(target, whole)
        yield z3.Or(now[1] < was[1], now[2] > was[2])


def _whole(policy: ir.Policy, target: str) -> tuple[Term, Term, Term]:
    one = policy.target(target)
    return false(), z3.IntVal(one.lo), z3.IntVal(one.hi)


def _shorter(a: Decision, b: Decision) -> Iterator[Term]:
    for ms in {r.retry_ms for r in a.rules if r.retry_ms is not None}:
        yield z3.And(a.retries_after(ms), z3.Not(b.retries_after(ms)))


def _weaker(a: Decision, b: Decision) -> Iterator[Term]:
    for role in dict.fromkeys(role for r in a.rules for role in r.roles):
        yield z3.And(a.asks(role), z3.Not(b.asks(role)))
    for ms in {r.expires_ms for r in a.rules if r.expires_ms is not None}:
        yield z3.And(a.expires_by(ms), z3.Not(b.expires_by(ms)))
