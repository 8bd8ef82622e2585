"""A tier built alone: a policy and a tier's name in, the policy of its rules out.

Guards of invariants stand above all tiers and stay; properties speak of the whole policy and are left out, as
are overrides of rules that are no longer there.
"""

from __future__ import annotations

from dataclasses import replace

from govlang.compiler import ir
from govlang.compiler.desugar import GUARD_TIER
from govlang.dsl.diagnostics import did_you_mean
from govlang.native.errors import CodedError


def only_tier(policy: ir.Policy, tier: str) -> ir.Policy:
    """The policy of one tier.

    Raises:
        CodedError: GOV708 there is no such tier.
    """
    if tier not in policy.tiers:
        listed = ", ".join(policy.tiers) or "none"
        help_line = did_you_mean(tier, policy.tiers) or f"tiers: {listed}"
        raise CodedError("GOV708", f"there is no tier `{tier}`", help_line)
    index = policy.tiers.index(tier)
    kept = [rule for rule in policy.rules if rule.tier in (index, GUARD_TIER)]
    names = {rule.id for rule in kept}
    rules = tuple(
        replace(
            rule,
            tier=min(rule.tier, 0),
            overrides=tuple(name for name in rule.overrides if name in names),
        )
        for rule in kept
    )
    return replace(policy, rules=rules, tiers=(tier,), properties=())
