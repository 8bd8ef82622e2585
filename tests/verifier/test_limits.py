"""A question is limited by the work of the solver, not by the clock."""

from __future__ import annotations

import z3

from govlang.verifier.limits import UNITS_A_SECOND, UNITS_MAX, Solvers
from govlang.verifier.solve import forget

FEW_S = 20_000 / UNITS_A_SECOND


def pigeons() -> list[z3.BoolRef]:
    """Nine pigeons in eight holes, of which it takes long to show that they do not fit."""
    places = [[z3.Bool(f"p{i}.{k}") for k in range(8)] for i in range(9)]
    apart = [
        z3.Or(z3.Not(a[k]), z3.Not(b[k]))
        for i, a in enumerate(places)
        for b in places[:i]
        for k in range(8)
    ]
    return [*(z3.Or(own) for own in places), *apart]


def test_a_question_ends_at_the_same_work_each_time() -> None:
    spent = []
    for _ in range(3):
        forget()
        few = Solvers(timeout_s=FEW_S)
        solver = few.fresh(pigeons())
        assert few.ask(solver) == z3.unknown
        assert few.why_open(solver) == "the solver reached its limit of 0.004 s of work"
        spent.append(few.spent)
    assert few.units <= min(spent) == max(spent)


def test_a_question_within_the_limit_is_answered_and_counted() -> None:
    solvers = Solvers(timeout_s=10)
    x = z3.Int("x")
    assert solvers.ask(solvers.fresh([x > 3, x < 3])) == z3.unsat
    assert solvers.queries == 1


def test_a_search_ends_when_its_questions_have_cost_as_much_as_one_may() -> None:
    solvers = Solvers(timeout_s=FEW_S)
    due = solvers.due()
    assert due.left == solvers.units
    solvers.ask(solvers.fresh(pigeons()))
    assert due.left == 0


def test_a_limit_stays_within_what_the_solver_takes() -> None:
    assert Solvers(timeout_s=1e9).units == UNITS_MAX
    assert Solvers(timeout_s=1e-9).units == 1
