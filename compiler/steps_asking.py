"""What the rules of a policy ask of a person, where all of them ask for the same.

In: a policy.  Out: an `Asking`, or None where nobody is asked, rules ask for different things, or one
rule is taken whole.

Effects that are joined make such an outcome tell by its rank alone whether somebody is asked.  What
always holds: where `merged` is true a rule needs one rank only, whether it was approved or not.
"""

from __future__ import annotations

from dataclasses import dataclass

from govlang.compiler import ir
from govlang.compiler.ir import Effect


@dataclass(frozen=True, slots=True)
class Asking:
    """Roles, as a mask over `approved`, and the time within which they must approve."""

    roles: int
    expires_ms: int | None
    merged: bool
    """No effect stands between asking and allowing, and no rule that only allows goes before one that asks."""


def asking_of(policy: ir.Policy) -> Asking | None:
    """What all rules that ask for a person ask for."""
    asking = {n: roles_of(policy, rule) for n, rule in enumerate(policy.rules) if asks(rule)}
    wanted = {(roles, policy.rules[number].expires_ms) for number, roles in asking.items()}
    if policy.combine not in (ir.Combine.STRICT, ir.Combine.MOST_RESTRICTIVE) or len(wanted) != 1:
        return None
    ((roles, expires_ms),) = wanted
    others = {n: rule.effect for n, rule in enumerate(policy.rules) if n not in asking}
    between = {Effect.LIMIT, Effect.THROTTLE}.intersection(others.values())
    allowing = [number for number, effect in others.items() if effect is not Effect.DENY]
    merged = not between and all(max(asking) < number for number in allowing)
    return Asking(roles, expires_ms, merged)


def asks(rule: ir.Rule) -> bool:
    """Whether a rule asks for somebody; one that names no roles does not."""
    return rule.effect is Effect.REQUIRE_HUMAN and bool(rule.roles)


def roles_of(policy: ir.Policy, rule: ir.Rule) -> int:
    """The roles of a rule as a mask over `approved`."""
    return sum(1 << policy.roles.index(role) for role in set(rule.roles))
