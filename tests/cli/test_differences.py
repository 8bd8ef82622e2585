"""Every cell of an outcome that an artefact can have wrong is told in words of the policy."""

from __future__ import annotations

import pytest

from govlang.cli.differences import edge_difference, table_difference
from govlang.compiler.frontend import compile_source
from govlang.compiler.interpret import Outcome
from govlang.compiler.ir import Effect
from govlang.dsl.source import Source
from govlang.verifier.translation.edge_interface import edge_interface

TEXT = """language 1
policy pump version "1"
combine most_restrictive
default deny

input {
  level : number in 0..10 m step 0.1
  zone  : one of urban, rural
}

output flow : number in 0..50 m step 0.1
action call {
  floor : number in 0..90 m step 0.1
}

assume level < 9 m or zone is rural

let less = greatest(0 m, level - 1 m)
let high = 2 * level
rule slow when level >= 5 m
  limit flow to 2 * level and do call(floor = high)
  remedy "lower it" with level = less
rule later when level >= 7 m throttle retry 2 s
rule ask when zone is urban require human from "boss", "mayor" expires 5 min
"""
POLICY = compile_source(Source("pump.gov", TEXT)).policy
VARIABLES = [one.name for one in edge_interface(POLICY, {}, {}).variables]
CELLS = {one.name: one.neutral for one in edge_interface(POLICY, {}, {}).cells}
LIMIT = CELLS | {"out.decision": int(Effect.LIMIT), "out.rule": 0}
SAME = "both decide limit by `slow`, but "


def told(found: dict[str, int] | None, doubt: str = "out.decision", **changed: int) -> str:
    answer = None if found is None else (0, found | {f"out.{n}": v for n, v in changed.items()})
    return edge_difference(POLICY, VARIABLES, "C", doubt, (0, LIMIT), answer)


@pytest.mark.parametrize(
    ("cell", "value", "expected"),
    [
        ("limited.0", 1, "what is limited is nothing by the policy, `flow` by the C"),
        ("lo.flow", 15, "the least `flow` is 0 m by the policy, 1.5 m by the C"),
        ("hi.flow", 10, "the greatest `flow` is 50 m by the policy, 1 m by the C"),
        ("dos.0", 3, "what is to be done is nothing by the policy, `call`, `bit 1` by the C"),
        ("do.0.floor", 7, "`floor` of `call` is 0 m by the policy, 0.7 m by the C"),
        ("roles", 2, "who must approve is nothing by the policy, `mayor` by the C"),
        ("expires", 9, "the time for an approval is not set by the policy, 9 ms by the C"),
        ("remedies.0", 1, "what is named as a way out is nothing by the policy, `lower it` by the C"),
        ("remedy.0.level", 5, '`level` of the remedy "lower it" is 0 m by the policy, 0.5 m by the C'),
        ("invalid", 1, "what is wrong with the request is nothing by the policy, `zone` by the C"),
    ],
)  # fmt: skip
def test_a_cell_that_differs_is_told_in_words(cell: str, value: int, expected: str) -> None:
    assert told(LIMIT, **{cell: value}) == SAME + expected


def test_two_decisions_are_told_with_their_rules() -> None:
    policy = "the policy decides limit by `slow`, the C "
    refused = {"decision": 4, "rule": 4, "invalid": 1}
    assert told(LIMIT, **refused) == policy + "deny by `invalid_request` because of `zone`"
    flooded = "because of the assumption `level < 9 m or zone is rural`"
    refused |= {"invalid": 3}
    assert told(LIMIT, **refused) == f"{policy}deny by `invalid_request` {flooded}"
    assert told(LIMIT, decision=3, rule=2) == policy + "require human by `ask`"
    assert told(LIMIT, rule=3) == policy + "limit by `default`"
    assert told(LIMIT, decision=9, rule=-7) == policy + "decision number 9 by `rule number -7`"


def test_what_comes_to_no_outcome_is_told_with_the_place_that_is_undefined() -> None:
    without = "the policy decides limit by `slow`, the C comes to no outcome"
    assert told(None) == without
    assert told(None, "what happens at line 7") == f"{without}; what happens at line 7 is undefined"


def test_a_step_that_only_returns_something_else_is_told() -> None:
    answer = (-1, dict(LIMIT))
    found = edge_difference(POLICY, VARIABLES, "C", "what is returned", (0, LIMIT), answer)
    assert found == f"{SAME}the C returns -1, must return 0"


def test_a_table_that_differs_beside_its_decision_is_told() -> None:
    ours = Outcome(Effect.LIMIT, "slow", "it is high", ({"limit": "flow"},), ("slow",))
    for theirs, part in (
        (Outcome(Effect.LIMIT, "slow", "it is high", (), ("slow",)), "obligations"),
        (Outcome(Effect.LIMIT, "slow", "it is low", ({"limit": "flow"},), ("slow",)), "reason"),
        (Outcome(Effect.LIMIT, "slow", "it is high", ({"limit": "flow"},)), "rules that fired"),
    ):
        assert table_difference(ours, theirs) == f"{SAME}not with the same {part}"
    nothing = "the policy decides limit by `slow`, the table comes to no outcome"
    assert table_difference(ours, None) == nothing
