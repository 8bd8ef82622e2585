"""What a step of a trace may hold: the code, in Python and JavaScript, and the schema say the same."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import js_host
import pytest
import tables
from edge_time_engines import module_of, named
from jsonschema import Draft202012Validator

from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source
from govlang.native.errors import TableError
from govlang.runtime.edge import EdgePolicy
from govlang.runtime.policy import Policy
from govlang.runtime.trace import MEMBERS, kind_of

SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "step.schema.json"
SOURCE = """\
language 1
policy p version "1.0.0"
default allow
input { agent : key }
event restart
signal heat : number in 0..9
rule late when restart within 1 min deny
rule hot  when fresh(heat, 1 min) and heat > 3 deny
"""
POLICY = compile_source(Source("p.gov", SOURCE)).policy
MODULE = module_of(named(POLICY, "p"))
VALUES: dict[str, Any] = {
    "request": {}, "runtime": {}, "key": "a", "event": "restart", "fields": {}, "signal": "heat", "value": 3,
    "tick": True, "decision": "deny", "rule_id": "x", "at": 5,
}  # fmt: skip


def steps(most: int) -> list[dict[str, Any]]:
    """Steps with every selection of so many members, all with a time."""
    return [
        {"at_ms": 0} | {name: VALUES[name] for name in names}
        for size in range(most + 1)
        for names in combinations(VALUES, size)
    ]


def is_one(step: Any) -> bool:
    try:
        kind_of(step)
    except TableError:
        return False
    return True


def valid(step: Any) -> bool:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    return bool(Draft202012Validator(schema).is_valid(step))


def test_the_schema_and_the_code_know_the_same_members() -> None:
    given = steps(4)
    assert {is_one(step) for step in given} == {True, False}
    validator = Draft202012Validator(json.loads(SCHEMA.read_text("utf-8")))
    for step in given:
        assert is_one(step) == validator.is_valid(step), step
    for member in {name for names in MEMBERS.values() for name in names}:
        assert any(member in step and is_one(step) for step in given)


@pytest.mark.parametrize("step", [
    {"at_ms": 0, "tick": False}, {"at_ms": 0, "tick": 1}, {"at_ms": 0, "event": 5},
    {"at_ms": 0, "signal": 5, "value": 1}, [], None, "tick",
])  # fmt: skip
def test_what_is_no_step_is_none_in_the_schema_either(step: Any) -> None:
    assert not is_one(step)
    assert not valid(step)


@pytest.mark.parametrize("key", ["a", {"agent": "a"}])
def test_a_key_is_a_text_or_names_the_field_in_the_schema_too(key: Any) -> None:
    assert valid({"at_ms": 0, "event": "restart", "key": key})
    assert not valid({"at_ms": 0, "event": "restart", "key": {"agent": "a", "b": "c"}})
    assert not valid({"at_ms": 0, "event": "restart", "key": 5})


def hosts() -> tuple[Policy, EdgePolicy]:
    return Policy(tables.table_bytes(POLICY)), EdgePolicy(MODULE)


def test_the_hosts_take_the_same_steps_and_say_the_same() -> None:
    given: list[Any] = [step | key for step in steps(3) for key in ({}, {"key": "a"})]
    given += [
        {"event": "restart", "key": "a", "at_ms": None},
        {"tick": False},
        {"tick": 1},
        [],
        None,
        "x",
    ]
    given += [{"event": 5, "key": "a"}, {"x" * 10**6: 1}, {"event": "x" * 10**6, "key": "a"}]
    table, module = hosts()
    job = {"trace": [{"observe": step} for step in given]}
    (told,) = js_host.ask([job | {"module": js_host.text(MODULE)}])
    found = [(said(table, step), said(module, step)) for step in given]
    for step, (by_table, by_module), script in zip(given, found, told, strict=True):
        refused = (script["code"], script["message"]) if isinstance(script, dict) else ()
        assert refused == by_module, step
        assert by_table[:1] == by_module[:1], step
        assert len("".join(by_module + by_table)) < 1_000
    assert {by_module[:1] for _, by_module in found} == {("GOV415",), ()}


def said(host: Policy | EdgePolicy, step: Any) -> tuple[str, ...]:
    """Code and message of a step that is refused."""
    try:
        host.observe(step)
    except TableError as error:
        return error.code, error.message
    return ()


def test_a_step_of_a_misspelt_time_is_not_one_of_now() -> None:
    for host in hosts():
        before = host.save(now_ms=0)
        with pytest.raises(TableError, match="GOV415: `at` is no part of a step"):
            host.observe({"event": "restart", "key": "a", "at": 5})
        with pytest.raises(TableError, match="GOV415: `at_ms` must be a whole number"):
            host.observe({"event": "restart", "key": "a", "at_ms": None})
        assert host.save(now_ms=0) == before
