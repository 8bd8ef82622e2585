"""A whole policy as SMT-LIB 2.6 text.

In: a policy.  Out: text that any SMT solver reads; `gov build --emit smt2` writes it.
"""

from __future__ import annotations

import z3

from govlang.compiler import ir
from govlang.verifier.columns import Columns
from govlang.verifier.encode import Encoder
from govlang.verifier.outcome import Decision
from govlang.verifier.smtlib_text import standard


def policy_smtlib(policy: ir.Policy) -> str:
    """A policy as constraints: its models are the valid requests with what the policy makes of them.

    `fires RULE` says that a rule's condition holds, `decision EFFECT` what the outcome is; the columns of the
    request are `c0`, `c1`, … in the order of the fields, counted in steps.
    """
    encoder = Encoder(Columns(policy))
    fires = {rule.id: z3.Bool(f"fires {rule.id}") for rule in policy.rules}
    decision = Decision(encoder, policy.rules, lambda rule: fires[rule.id])
    solver = z3.Solver()
    solver.add(*encoder.validity())
    solver.add(*(fires[r.id] == encoder.condition(r.condition) for r in policy.rules))
    solver.add(*(z3.Bool(f"decision {e.word}") == term for e, term in decision.effect.items()))
    return f"(set-logic ALL)\n{standard(solver.to_smt2())}"
