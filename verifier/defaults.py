"""A policy as it decides in a deployment that sets none of its parameters.

In: a policy.  Out: the policy with every parameter replaced by its default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from govlang.compiler import ir
from govlang.compiler.interpret import default_params
from govlang.verifier.merge import default_of
from govlang.verifier.rewriting import Rewriter


@dataclass(frozen=True, slots=True)
class _Fixed(Rewriter):
    """Leaves everything as it is but parameters."""

    values: Mapping[str, int]

    def integer(self, expr: ir.IntExpr) -> ir.IntExpr:
        """The same integer, parameters as constants."""
        if isinstance(expr, ir.ParamValue):
            return ir.IntConst(self.values[expr.name])
        return Rewriter.integer(self, expr)


def at_defaults(policy: ir.Policy) -> ir.Policy:
    """The policy without parameters, and without its properties."""
    fields = {one.name: one for one in (*policy.outputs, *policy.fields, *policy.columns)}
    fixed = _Fixed(fields, fields, {}, {}, default_params(policy))
    return replace(
        policy,
        params=(),
        properties=(),
        rules=tuple(fixed.rule(one) for one in policy.rules),
        assumptions=tuple(
            replace(one, condition=fixed.condition(one.condition)) for one in policy.assumptions
        ),
        time=policy.time and fixed.time(policy.time),
    )


def defaults_differ(old: ir.Policy, new: ir.Policy) -> bool:
    """Whether a parameter of both versions has another default."""
    before = {one.field.name: default_of(one) for one in old.params}
    return any(before.get(p.field.name, default_of(p)) != default_of(p) for p in new.params)
