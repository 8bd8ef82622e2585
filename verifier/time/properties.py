"""User properties of a policy over time.

In: a context.  Out: GOV306 with a history for each property that does not hold; a proof for each one that
does.

What always holds: a property that speaks of the decision is about requests without a fault of the clock,
unless a rule reads such faults; one that reads a request's fields is about every request; any other one is
about every sample that carries the keys of what it reads.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import z3

from govlang.compiler import ir
from govlang.compiler.interpret import Environment
from govlang.verifier.columns import Point
from govlang.verifier.encode import Term
from govlang.verifier.findings import PROPERTY, Finding, Proved, Severity
from govlang.verifier.properties import at_hand, by_solver, holds, ms_since, say_if_empty
from govlang.verifier.solve import Answer
from govlang.verifier.time.context import TimeContext
from govlang.verifier.time.moment import Moment, Taken
from govlang.verifier.time.traces import Reached


def find_refuted_claims(context: TimeContext) -> None:
    """Settle every property but those of what is always possible."""
    claims = [one for one in context.remembering.properties if not one.possible]
    for place, one in enumerate(claims):
        context.tell("properties", place, len(claims))
        settle_claim(context, one)


def settle_claim(context: TimeContext, one: ir.Property) -> None:
    """Prove a property over all histories, or show one after which it does not hold."""
    start = perf_counter()
    finding = Finding(
        PROPERTY,
        "property",
        Severity.ERROR,
        (),
        f"`{one.name}` does not hold after every history",
        "read the history: either a rule is missing or the property asks too much",
        property=one.name,
        span=one.span,
        question=f"whether `{one.name}` holds after every history",
    )
    answer, shows = (_of_requests if one.mentions_decision else _of_samples)(context, one)
    if not context.settle(finding, answer, shows):
        context.proved.append(Proved(one.name, "property", "induction", ms_since(start)))
        say_if_empty(context, one)


def _reads_requests(context: TimeContext, one: ir.Property) -> bool:
    fields = {field.name for field in context.remembering.fields}
    return bool(ir.fields_read(one.condition) & fields)


Settled = tuple[Answer, Callable[[Point], bool]]


def _of_requests(context: TimeContext, one: ir.Property) -> Settled:
    def shows(point: Point) -> bool:
        judged = context.judge.judge(point)
        fits = isinstance(point, Reached) and point.decision is not None
        return fits and judged is not None and not holds(context, one.condition, judged)

    return at_hand(context, shows) or by_solver(context, one, shows), shows


def _of_samples(context: TimeContext, one: ir.Property) -> Settled:
    read = ir.fields_read(one.condition)
    scopes = {cell.scope for cell in context.time.cells if cell.name in read}
    of_requests = _reads_requests(context, one)

    def shows(point: Point) -> bool:
        there = {c.name for c in context.time.cells if c.name in read} <= set(point.values)
        asks = isinstance(point, Reached) and point.decision is not None
        env = Environment(context.policy, point.params, point.values)
        return there and (asks or not of_requests) and not env.holds(one.condition)

    def asked(moment: Moment, _taken: Taken) -> list[Term]:
        wrong = z3.Not(context.encoder.condition(one.condition))
        whose = [moment.addresses(scope) for scope in scopes]
        return [wrong, *whose, *([moment.is_request] if of_requests else [])]

    return context.search.find(asked, shows), shows
