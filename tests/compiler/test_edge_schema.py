"""`gov.schema` says of a policy what docs/edge.md promises, and what its verifier expects."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from ir_strategies import random_policy
from tables import SNAPSHOT, policy_of

from govlang.compiler import ir
from govlang.compiler.edge_schema import schema_json
from govlang.compiler.frontend import compile_file
from govlang.compiler.interface import variables
from govlang.compiler.text_classes import classify_fields
from govlang.verifier.translation.schema_read import schema_mismatches

EXAMPLES = sorted((Path(__file__).parents[2] / "examples/stateless").glob("*.gov"))


def schema_of(policy: ir.Policy) -> bytes:
    return schema_json(policy, classify_fields(policy), SNAPSHOT)


def mismatches(policy: ir.Policy) -> list[object]:
    classes = classify_fields(policy)
    names = [one.name for one in variables(policy, classes)]
    columns = {name: sum(one.startswith(f"class.{name}.") for one in names) for name in classes}
    return list(schema_mismatches(schema_of(policy), policy, SNAPSHOT, columns))


def test_schemas_of_random_policies_are_what_the_verifier_expects() -> None:
    for seed in range(100):
        assert not mismatches(random_policy(random.Random(seed))), seed


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_schemas_of_examples_are_what_the_verifier_expects(path: Path) -> None:
    assert not mismatches(compile_file(path).policy)


def test_members_at_their_default_are_left_out() -> None:
    plain = policy_of(ir.Field("n", ir.Kind.NUMBER, 0, 9))
    assert json.loads(schema_of(plain)) == {
        "schema": 1,
        "policy": "p",
        "version": "1.0.0",
        "language": 1,
        "snapshot": SNAPSHOT,
        "fields": [{"name": "n", "hi": 9}],
        "rules": [],
    }


def test_a_host_finds_everything_that_an_outcome_may_ask_for() -> None:
    speed = ir.Field("speed", ir.Kind.NUMBER, -2, 2**60, 1, 10, "m/s", rounding=ir.Rounding.UP)
    path = ir.Field("file", ir.Kind.PATH, max_bytes=40, optional=True, private=True)
    who = ir.Field("who", ir.Kind.TEXT, max_bytes=9, origin=ir.Origin.RUNTIME)
    action = ir.Action("tell", (who, speed))
    rule = ir.Rule(
        "slow",
        ir.conjunction((ir.Has("file"), ir.TextEqual("file", "who"))),
        ir.Effect.LIMIT,
        limits=(ir.Limit("speed", ir.IntConst(-2), ir.IntConst(5)),),
        dos=(ir.Do("tell", (ir.TextField("who"), ir.FieldValue("speed")), 1000),),
        because="too fast",
        remedy=ir.Remedy("wait", (("speed", ir.IntConst(2**55)), ("who", ir.TextConst("x")))),
    )
    policy = policy_of(path, who, speed, rules=(rule,), actions=(action,), time_zone="Europe/Oslo")
    found = json.loads(schema_of(policy))
    assert found["fields"] == [
        {"name": "file", "kind": "path", "max": 40, "optional": True, "private": True},
        {"name": "who", "kind": "text", "max": 9, "origin": "runtime"},
        {
            "name": "speed",
            "lo": -2,
            "hi": str(2**60),
            "step": [1, 10],
            "unit": "m/s",
            "rounding": "up",
        },
    ]
    assert found["rules"] == [["slow", "too fast"]]
    assert found["limits"] == ["speed"]
    assert found["dos"] == [
        {"do": "tell", "args": {"who": {"field": "who"}, "speed": {}}, "for_ms": 1000}
    ]
    assert found["remedies"] == [
        {"text": "wait", "with": {"speed": {"value": str(2**55)}, "who": {"text": "x"}}}
    ]
    assert found["same"] == [["file", "who"]]
    assert found["time_zone"] == "Europe/Oslo"
