"""The solver's terms against the interpreter, on random policies and requests."""

from __future__ import annotations

import os
import random

import pytest
import z3
from ir_strategies import random_params, random_policy, random_request, random_shape

from govlang.compiler import interpret, ir
from govlang.verifier.columns import Columns, Point
from govlang.verifier.encode import Encoder
from govlang.verifier.judge import Judge
from govlang.verifier.outcome import Decision

IS_LONG = os.environ.get("GOVLANG_AGREEMENT") == "long"
BATCHES = 20
POLICIES = 50  # a batch
REQUESTS = 100


class Symbolic:
    """The decision of a policy as terms, evaluated on rows."""

    def __init__(self, policy: ir.Policy, columns: Columns) -> None:
        self.columns = columns
        self.encoder = Encoder(self.columns)
        self.valid = z3.And(self.encoder.validity())
        assumptions = list(self.encoder.assumptions())
        self.assumed = z3.And(assumptions) if assumptions else z3.BoolVal(True)
        fires = {rule.id: self.encoder.condition(rule.condition) for rule in policy.rules}
        self.decision = Decision(self.encoder, policy.rules, lambda rule: fires[rule.id])
        self.model = z3.Model()

    def take(self, point: Point) -> None:
        for variable, value in zip(self.encoder.variables, self.columns.row(point), strict=True):
            constant = z3.IntVal(value) if z3.is_int(variable) else z3.BoolVal(bool(value))
            self.model.update_value(variable, constant)

    def true(self, term: object) -> bool:
        found = self.model.eval(term, model_completion=True)
        assert z3.is_true(found) or z3.is_false(found), found
        return z3.is_true(found)

    def decides(self, outcome: interpret.Outcome) -> bool:
        """The terms say so; the levels of effects exclude one another by construction."""
        by = self.decision.deciders.get(outcome.rule_id, self.decision.by_default)
        return self.true(self.decision.effect[outcome.decision]) and self.true(by)


def assert_agreement(policy: ir.Policy, rng: random.Random, requests: int) -> None:
    judge = Judge(policy)
    symbolic = Symbolic(policy, judge.columns)
    for _ in range(requests):
        point = Point(random_request(rng, policy), random_params(rng, policy))
        outcome = interpret.decide(policy, point.params, point.values)
        symbolic.take(point)
        if outcome.rule_id == interpret.INVALID_REQUEST:
            assert not symbolic.true(symbolic.assumed)
            assert judge.judge(point) is None
            continue
        assert symbolic.true(symbolic.valid)
        assert symbolic.decides(outcome), (policy, point, outcome)
        judged = judge.judge(point)
        assert judged is not None
        assert judge.outcome(judged) == outcome


@pytest.mark.parametrize("batch", range(BATCHES))
def test_the_solver_and_the_index_decide_as_the_interpreter_does(batch: int) -> None:
    rng = random.Random(f"solver {batch}")
    for _ in range(POLICIES):
        policy = random_policy(rng, random_shape(rng))
        assert_agreement(policy, rng, REQUESTS)


@pytest.mark.long
@pytest.mark.parametrize("batch", range(40 if IS_LONG else 20))
def test_the_solver_and_the_index_decide_as_the_interpreter_does_at_length(batch: int) -> None:
    rng = random.Random(f"solver long {batch}")
    scale = 5 if IS_LONG else 1
    for _ in range(POLICIES):
        assert_agreement(random_policy(rng, random_shape(rng)), rng, 1000 * scale)
