"""`gov.schema` held against the policy: the right bytes pass, every changed member is named."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
import rfc8785
from ir_strategies import random_policy
from tables import policy_of

from govlang.compiler import ir
from govlang.compiler.edge_schema import schema_json
from govlang.compiler.interface import classified
from govlang.compiler.text_classes import classify_fields
from govlang.verifier.translation.schema_read import (
    OddSchemaError,
    read_schema,
    schema_mismatches,
    schema_of,
)

SNAPSHOT = "sha256:" + "a" * 64
BATTERY = ir.Field("battery", ir.Kind.NUMBER, 0, 2500, 1, 100, "kg", rounding=ir.Rounding.UP)
ZONE = ir.Field("zone", ir.Kind.ENUM, 0, 1, members=("urban", "rural"), optional=True)
TOPIC = ir.Field("topic", ir.Kind.TEXT, max_bytes=64, private=True)
OWNER = ir.Field("owner", ir.Kind.TEXT, max_bytes=9)
APPROVED = ir.Field(
    "approved", ir.Kind.SET, 0, 3, members=("a", "b"), origin=ir.Origin.RUNTIME, implied=0
)
UNTIL = ir.Field("until", ir.Kind.TIME, 0, 2**62)
LIMIT = ir.Field("heavy", ir.Kind.NUMBER, -5, 5)
SPEED = ir.Field("speed", ir.Kind.NUMBER, 0, 9, unit="m/s")
TELL = ir.Action("tell", (ir.Field("who", ir.Kind.TEXT, max_bytes=9), SPEED, LIMIT))


def whole_policy() -> ir.Policy:
    do = ir.Do("tell", (ir.TextField("topic"), ir.IntConst(2**60), ir.FieldValue("battery")), 500)
    said = ir.Do("tell", (ir.TextConst("é"), ir.IntConst(1), ir.ParamValue("heavy")))
    remedy = ir.Remedy("land", (("battery", ir.IntConst(3)), ("until", ir.ParamValue("heavy"))))
    condition = ir.Or((ir.TextEqual("owner", "topic"), ir.Has("zone")))
    limits = (ir.Limit("speed", ir.IntConst(0), ir.IntConst(3)),)
    rules = (
        ir.Rule("a", condition, ir.Effect.DENY, dos=(do, said), because="too heavy"),
        ir.Rule("b", ir.TRUE, ir.Effect.LIMIT, limits=limits, dos=(said,), remedy=remedy),
    )
    fields = (BATTERY, ZONE, TOPIC, OWNER, APPROVED, UNTIL)
    assumed = (ir.Assumption("battery < 3", ir.InRanges("battery", ((0, 2),))),)
    return policy_of(
        *fields,
        rules=rules,
        outputs=(SPEED,),
        actions=(TELL, ir.Action("stop")),
        params=(ir.Param(LIMIT, -1),),
        assumptions=assumed,
        time_zone="Europe/Berlin",
    )


WHOLE: dict[str, Any] = {
    "schema": 1,
    "policy": "p",
    "version": "1.0.0",
    "language": 1,
    "snapshot": SNAPSHOT,
    "time_zone": "Europe/Berlin",
    "fields": [
        {"name": "battery", "hi": 2500, "step": [1, 100], "unit": "kg", "rounding": "up"},
        {"name": "zone", "kind": "enum", "members": ["urban", "rural"], "optional": True},
        {"name": "topic", "kind": "text", "max": 64, "private": True, "classes": 2},
        {"name": "owner", "kind": "text", "max": 9},
        {"name": "approved", "kind": "set", "members": ["a", "b"], "origin": "runtime", "implied": 0},
        {"name": "until", "kind": "time", "hi": "4611686018427387904"},
    ],
    "params": [{"name": "heavy", "lo": -5, "hi": 5, "default": -1}],
    "outputs": [{"name": "speed", "hi": 9, "unit": "m/s"}],
    "actions": [
        {
            "name": "tell",
            "args": [
                {"name": "who", "kind": "text", "max": 9},
                {"name": "speed", "hi": 9, "unit": "m/s"},
                {"name": "heavy", "lo": -5, "hi": 5},
            ],
        },
        {"name": "stop"},
    ],
    "rules": [["a", "too heavy"], "b"],
    "assumptions": ["battery < 3"],
    "limits": ["speed"],
    "dos": [
        {
            "do": "tell",
            "args": {"who": {"field": "topic"}, "speed": {"value": str(2**60)}, "heavy": {}},
            "for_ms": 500,
        },
        {"do": "tell", "args": {"who": {"text": "é"}, "speed": {"value": 1}, "heavy": {}}},
    ],
    "remedies": [{"text": "land", "with": {"battery": {"value": 3}, "until": {}}}],
    "same": [["owner", "topic"]],
}  # fmt: skip


def differences(schema: Any) -> list[str]:
    data = schema if isinstance(schema, bytes) else rfc8785.dumps(schema)
    found = schema_mismatches(data, whole_policy(), SNAPSHOT, {"topic": 2})
    return [mismatch.what for mismatch in found]


def test_the_schema_of_the_document_is_that_of_the_policy() -> None:
    assert differences(WHOLE) == []


# --- every member --------------------------------------------------------------------------------


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every member and of every part of a list."""
    steps = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for step in steps:
        yield (*path, step)
        yield from places(node[step], (*path, step))


def changes(value: Any) -> Iterator[Any]:
    """Other values for a member."""
    match value:
        case bool():
            yield from (not value, int(value), None)
        case int():
            yield from (value + 1, -value - 1, str(value), bool(value), None, value + 0.5)
        case str():
            yield from (value + "x", value[:-1], 0, None, [])
        case list():
            yield from (value[::-1], value[:-1], [*value, value[0]], {}, None)
        case dict():
            yield from ({**value, "x": 0}, [], None)


def changed(path: tuple[Any, ...], value: Any) -> Any:
    schema = copy.deepcopy(WHOLE)
    holder = schema
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return schema


def without(path: tuple[Any, ...]) -> Any:
    schema = copy.deepcopy(WHOLE)
    holder = schema
    for step in path[:-1]:
        holder = holder[step]
    del holder[path[-1]]
    return schema


def test_every_changed_or_dropped_member_is_named() -> None:
    tried = 0
    for path in places(WHOLE):
        holder: Any = WHOLE
        for step in path:
            holder = holder[step]
        mutants = [changed(path, value) for value in changes(holder) if _other(value, holder)]
        for mutant in (*mutants, without(path)):
            assert differences(mutant), path
            tried += 1
    assert tried > 300


def _other(value: Any, old: Any) -> bool:
    return type(value) is not type(old) or value != old


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("fields", 0, "kind"), "number"),
        (("fields", 0, "lo"), 0),
        (("fields", 3, "classes"), 0),
        (("fields", 4, "hi"), 3),
        (("fields", 1, "private"), False),
        (("actions", 1, "args"), []),
        (("dos", 1, "for_ms"), None),
        (("cells",), []),
    ],
)
def test_a_member_that_has_its_default_must_not_be_there(path: tuple[Any, ...], value: Any) -> None:
    (what,) = differences(changed(path, value))
    assert what.endswith("must not be there")
    assert what.startswith(f"`{path[-1]}` of ")


def test_differences_are_said_in_the_words_of_the_policy() -> None:
    assert differences(changed(("fields", 0, "step", 1), 10)) == [
        "part 1 of `step` of field `battery` is 10, must be 100"
    ]
    assert differences(without(("params", 0, "default"))) == [
        "`default` of parameter `heavy` is missing, must be -1"
    ]
    assert differences(changed(("actions", 0, "args", 1, "hi"), 8)) == [
        "`hi` of argument `speed` of action `tell` is 8, must be 9"
    ]
    assert differences(changed(("dos", 1, "args", "who", "text"), "e")) == [
        '`text` of `who` of `args` of duty 1 is "e", must be "é"'
    ]
    assert differences(changed(("rules", 0, 1), "too light")) == [
        'part 1 of rule `a` is "too light", must be "too heavy"'
    ]
    assert differences(changed(("same", 0), ["topic", "owner"])) == [
        'part 0 of pair 0 is "topic", must be "owner"',
        'part 1 of pair 0 is "owner", must be "topic"',
    ]


# --- bytes ---------------------------------------------------------------------------------------

ODD = {
    "no JSON": b"{",
    "no UTF-8": b'{"a":"\xff"}',
    "half a surrogate pair": b'{"a":"\\ud800"}',
    "half a surrogate pair as a name": b'{"\\ud800":1}',
    "a name twice": b'{"a":1,"a":1}',
    "names in another order": b'{"b":1,"a":1}',
    "a space": b'{"a": 1}',
    "a line behind it": b'{"a":1}\n',
    "an escape that is not needed": b'{"a":"\\u0041"}',
    "a fraction of nothing": b'{"a":1.0}',
    "an exponent": b'{"a":1e2}',
    "an integer that a double does not hold": b'{"a":9007199254740993}',
    "an integer of many digits": b'{"a":' + b"9" * 5000 + b"}",
    "not a number": b'{"a":NaN}',
    "endless brackets": b"[" * 100_000,
    "a list": b"[]",
    "a text": b'"a"',
    "nothing": b"",
}


@pytest.mark.parametrize("name", ODD)
def test_bytes_that_are_not_the_canonical_json_of_an_object_are_refused(name: str) -> None:
    with pytest.raises(OddSchemaError):
        read_schema(ODD[name])
    (what,) = differences(ODD[name])
    assert what.startswith("the schema is not ")


def test_the_first_byte_that_is_not_canonical_is_told() -> None:
    with pytest.raises(OddSchemaError, match="is not canonical JSON at byte 5"):
        read_schema(b'{"a": 1}')


@pytest.mark.parametrize("seed", range(3))
def test_any_changed_byte_is_found(seed: int) -> None:
    rng = random.Random(seed)
    data = rfc8785.dumps(WHOLE)
    for _ in range(200):
        at = rng.randrange(len(data))
        other = rng.choice([data[at] ^ 1 << rng.randrange(8), rng.randrange(256), ord("0")])
        mutant = data[:at] + bytes([other]) + data[at + 1 :]
        if mutant != data:
            assert differences(mutant), mutant[max(0, at - 20) : at + 20]


@pytest.mark.parametrize("seed", range(40))
def test_the_emitter_and_the_document_give_a_random_policy_one_schema(seed: int) -> None:
    policy = random_policy(random.Random(seed))
    classes = classify_fields(policy)
    columns = {name: len(classes[name].columns) for name in classified(policy)}
    data = rfc8785.dumps(schema_of(policy, SNAPSHOT, columns))
    assert data == schema_json(policy, classes, SNAPSHOT)
    assert list(schema_mismatches(data, policy, SNAPSHOT, columns)) == []
    assert json.loads(data)["policy"] == policy.name
    other = json.loads(data) | {"snapshot": "sha256:" + "b" * 64}
    assert len(list(schema_mismatches(rfc8785.dumps(other), policy, SNAPSHOT, columns))) == 1
