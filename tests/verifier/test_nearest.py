"""The nearest allowed request against brute force, and on texts."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
import z3
from enumeration import finite_policy
from ir_strategies import all_requests

from govlang.compiler import interpret, ir
from govlang.compiler.interpret import Value
from govlang.compiler.ir import Effect
from govlang.verifier import nearest as module
from govlang.verifier.concretize import Unrealisable
from govlang.verifier.nearest import PERMITTED, Nearest, distance, nearest_allowed
from govlang.verifier.solve import Absent, Open


def best(policy: ir.Policy, values: dict[str, Value]) -> tuple[int, int, Fraction] | None:
    params = interpret.default_params(policy)
    found = []
    for other in all_requests(policy):
        if interpret.decide(policy, params, other).decision in PERMITTED:
            changed = [f for f in policy.fields if values.get(f.name) != other.get(f.name)]
            far = sum(
                (distance(f, values.get(f.name), other.get(f.name)) for f in changed), Fraction(0)
            )
            hosts = sum(f.origin is not ir.Origin.REQUEST for f in changed)
            found.append((len(changed), hosts, far))
    return min(found, default=None)


@pytest.mark.parametrize("batch", range(4))
def test_no_request_that_is_allowed_is_nearer(batch: int) -> None:
    rng = random.Random(f"nearest {batch}")
    for _ in range(20):
        policy = finite_policy(rng)
        values = rng.choice(list(all_requests(policy)))
        params = interpret.default_params(policy)
        if interpret.decide(policy, params, values).rule_id == interpret.INVALID_REQUEST:
            continue
        wanted = best(policy, values)
        answer = nearest_allowed(policy, params, values)
        if wanted is None:
            assert isinstance(answer, Absent)
            continue
        assert isinstance(answer, Nearest)
        hosts = sum(policy.field(c.field).origin is not ir.Origin.REQUEST for c in answer.changes)
        assert (len(answer.changes), hosts, answer.distance) == wanted


def test_a_text_is_changed_to_one_that_is_allowed() -> None:
    topic = ir.Field("topic", ir.Kind.TEXT, max_bytes=64)
    risk = ir.Field("risk", ir.Kind.NUMBER, 0, 10)
    rule = ir.Rule(
        "a",
        ir.conjunction(
            [
                ir.TextTest("topic", (ir.Pattern(ir.PatternKind.GLOB, "infra.*"),)),
                ir.InRanges("risk", ((0, 5),)),
            ]
        ),
        Effect.ALLOW,
    )
    policy = ir.Policy("p", "1", 1, ir.Combine.STRICT, ir.Default.DENY, (topic, risk), (rule,))
    answer = nearest_allowed(policy, {}, {"topic": "other", "risk": 9})
    assert isinstance(answer, Nearest)
    assert [(c.field, c.after) for c in answer.changes][1] == ("risk", 5)
    assert str(answer.request["topic"]).startswith("infra.")


def test_a_larger_change_is_not_called_the_smallest_where_a_smaller_one_was_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fields = tuple(ir.Field(name, ir.Kind.NUMBER, 0, 9) for name in "xy")
    rules = (ir.Rule("a", ir.InRanges("x", ((5, 9),)), Effect.ALLOW),)
    policy = ir.Policy("p", "1", 1, ir.Combine.STRICT, ir.Default.DENY, fields, rules)
    real, given_up = module.realise, iter(range(module.ROUNDS_MAX))

    def realise(encoder: module.Encoder, model: object) -> object:
        lost = next(given_up, None) is not None
        return Unrealisable(z3.BoolVal(True)) if lost else real(encoder, model)

    monkeypatch.setattr(module, "realise", realise)
    assert isinstance(nearest_allowed(policy, {}, {"x": 0, "y": 0}), Open)
