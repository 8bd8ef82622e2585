"""Whether what a policy assumes of requests can hold, whatever the parameters.

In: a context.  Out: a finding if no request is valid at all, or none for some values of the
parameters: then everything would be proved of nothing.

What always holds: the parameters named were shown to admit no request; each value that is not named
admits one that the interpreter takes for valid.
"""

from __future__ import annotations

from typing import Final

import z3

from govlang.compiler import ir
from govlang.compiler.obligations import argument
from govlang.verifier.columns import Point
from govlang.verifier.encode import Term
from govlang.verifier.findings import VACUOUS, Finding, Severity, undecided
from govlang.verifier.options import Context
from govlang.verifier.solve import Absent, Found, Open

ROUNDS_MAX: Final = 64
"""Values of the parameters that are tried before the question stays open."""


def assumptions_can_hold(context: Context) -> bool:
    """Whether there is a valid request at all."""
    if any(True for _ in context.explorer.environments()):
        return True
    answer = context.session.find([], lambda point: context.judge.judge(point) is not None)
    if not isinstance(answer, Absent):
        return True
    context.findings.append(_finding(context, "no request satisfies what the policy assumes"))
    return False


def find_dead_parameters(context: Context) -> None:
    """Add a finding if some values of the parameters leave no request valid.

    An assumption that reads no field says which values are meant, and is taken as such.

    Each round asks for values that none of the requests found so far is valid for, then for a
    request that is valid for them (counterexample-guided; Solar-Lezama, 2008).
    """
    encoder, columns = context.encoder, context.encoder.columns
    meant, terms = _sorted_assumptions(context)
    if not terms or not columns.param:
        return
    numbers = columns.param.values()
    known: list[Term] = [
        *(encoder.inside(encoder.variables[n], columns.columns[n].domain) for n in numbers),
        *meant,
    ]
    for _ in range(ROUNDS_MAX):
        solver = context.session.fresh(known)
        verdict = context.session.check(solver)
        if verdict == z3.unsat:
            return
        if verdict != z3.sat:
            break
        chosen = {n: _value(solver.model(), encoder.variables[n]) for n in numbers}
        fixed = [encoder.variables[n] == value for n, value in chosen.items()]
        match context.session.find(fixed, lambda point: context.judge.judge(point) is not None):
            case Absent():
                context.findings.append(_dead(context, chosen))
                return
            case Found(point=point):
                known.append(z3.Not(z3.And(_for_request(context, terms, point))))
            case Open(why=why):
                context.findings.append(undecided(_dead(context, chosen), why))
                return
    asked = "a request satisfies what the policy assumes, whatever the parameters"
    why = "the solver gave up on the values of the parameters"
    context.findings.append(undecided(_finding(context, asked), why))


def _sorted_assumptions(context: Context) -> tuple[list[Term], list[Term]]:
    """Those about the parameters alone, which say how they may be set, and those about requests."""
    meant: list[Term] = []
    others: list[Term] = []
    for one in context.policy.assumptions:
        side = others if ir.fields_read(one.condition) else meant
        side.append(context.encoder.condition(one.condition))
    return meant, others


def _value(model: z3.ModelRef, variable: Term) -> int:
    return int(model.eval(variable, model_completion=True).as_long())


def _for_request(context: Context, terms: list[Term], point: Point) -> list[Term]:
    """The assumptions about one request: what is left speaks of the parameters only."""
    encoder = context.encoder
    parameters = set(encoder.columns.param.values())
    values = [
        (variable, z3.IntVal(word) if z3.is_int(variable) else z3.BoolVal(bool(word)))
        for number, (variable, word) in enumerate(
            zip(encoder.variables, encoder.columns.row(point), strict=True)
        )
        if number not in parameters
    ]
    return [z3.substitute(term, *values) for term in terms]


def _dead(context: Context, chosen: dict[int, int]) -> Finding:
    fields: dict[str, ir.Field] = {p.field.name: p.field for p in context.policy.params}
    names = {n: name for name, n in context.encoder.columns.param.items()}
    shown = ", ".join(
        f"`{names[n]}` = {argument(value, fields[names[n]])}" for n, value in chosen.items()
    )
    return _finding(context, f"with {shown} no request satisfies what the policy assumes")


def _finding(context: Context, message: str) -> Finding:
    first = context.policy.assumptions[:1]
    return Finding(
        VACUOUS,
        "vacuous",
        Severity.ERROR,
        (),
        message,
        "weaken or remove an `assume`, or narrow the range of a parameter",
        span=first[0].span if first else None,
    )
