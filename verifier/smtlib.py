"""Questions to the solver and whole policies as SMT-LIB 2.6 text, and a second solver that answers again.

In: the assertions of a solver and the literals that were assumed, or a policy.  Out: text that any SMT solver
reads; cvc5's verdict on a question (from the extra `cross-check`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import z3

from govlang.compiler import ir

Watch = Callable[[str, str], None]
"""Told each question as SMT-LIB and the verdict on it: `sat`, `unsat` or `unknown`."""


def smtlib(solver: Any, literals: Sequence[Any]) -> str:
    """The question that `solver.check(*literals)` asks."""
    whole = z3.Solver()
    whole.add(*solver.assertions(), *literals)
    text: str = whole.to_smt2()
    return text


def second_version() -> str:
    """The version of cvc5.

    Raises:
        ModuleNotFoundError: cvc5 is not installed.
    """
    import cvc5

    return str(cvc5.__version__)


def second_verdict(text: str, timeout_s: float) -> str:
    """What cvc5 says of a question: `sat`, `unsat` or `unknown`.

    Raises:
        ModuleNotFoundError: cvc5 is not installed.
    """
    import cvc5

    solver = cvc5.Solver(cvc5.TermManager())
    solver.setOption("tlimit-per", str(max(1, int(timeout_s * 1000))))
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, f"(set-logic ALL)\n{text}", "question")
    symbols, verdict = parser.getSymbolManager(), "unknown"
    while not (command := parser.nextCommand()).isNull():
        answer = str(command.invoke(solver, symbols)).strip()
        if answer in {"sat", "unsat"}:
            verdict = answer
    return verdict


def policy_smtlib(policy: ir.Policy) -> str:
    """A policy as constraints: its models are the valid requests with what the policy makes of them.

    `fires RULE` says that a rule's condition holds, `decision EFFECT` what the outcome is; the columns of the
    request are `c0`, `c1`, … in the order of the fields, counted in steps.
    """
    from govlang.verifier.columns import Columns
    from govlang.verifier.encode import Encoder
    from govlang.verifier.outcome import Decision

    encoder = Encoder(Columns(policy))
    fires = {rule.id: z3.Bool(f"fires {rule.id}") for rule in policy.rules}
    decision = Decision(encoder, policy.rules, lambda rule: fires[rule.id])
    solver = z3.Solver()
    solver.add(*encoder.validity())
    solver.add(*(fires[r.id] == encoder.condition(r.condition) for r in policy.rules))
    solver.add(*(z3.Bool(f"decision {e.word}") == term for e, term in decision.effect.items()))
    text: str = solver.to_smt2()
    return text
