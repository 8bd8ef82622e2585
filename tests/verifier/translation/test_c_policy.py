from __future__ import annotations

import random
import re
from dataclasses import replace

import pytest
from c_policies import Emitted, emitted
from ir_strategies import random_policy

from govlang.compiler import ir
from govlang.native.errors import ArtefactError
from govlang.verifier.translation.c_policy import constant_mismatches, names_of
from govlang.verifier.translation.c_read import read_c
from govlang.verifier.translation.machine import Artefact


def read(one: Emitted) -> Artefact:
    return read_c(one.header, one.source, names_of(one.policy))


@pytest.mark.parametrize("seed", range(20))
def test_the_constants_of_a_header_are_those_of_its_policy(seed: int) -> None:
    one = emitted(random_policy(random.Random(seed)))
    artefact = read(one)
    assert [*constant_mismatches(one.policy, artefact)] == []
    assert [*artefact.variables] == [variable.name for variable in one.program.variables]
    assert [*artefact.cells] == [cell.name for cell in one.program.cells]


def field(name: str, *, optional: bool = False) -> ir.Field:
    return ir.Field(name, ir.Kind.NUMBER, 0, 9, optional=optional)


def text(name: str) -> ir.Field:
    return ir.Field(name, ir.Kind.KEY, max_bytes=9)


ODD = {
    "fields called as others are asked for": (field("has_x"), field("x"), field("unused")),
    "an optional field beside such a one": (field("has_x"), field("x", optional=True)),
    "words of C": (field("int"), field("register", optional=True), field("near")),
    "what meets only in C": (field("a-b"), field("a_b"), field("a.b")),
    "no letters": (field("9"), field("日本"), field("_x")),
    "texts like their columns": (text("t"), field("class_t_0"), text("t_length"), text("has_t")),
    "nothing": (),
    "one that is called unused": (field("unused"),),
}


@pytest.mark.parametrize("name", ODD)
def test_the_policy_says_what_members_stand_for(name: str) -> None:
    fields = ODD[name]
    texts = [one.name for one in fields if one.is_text]
    tests = (
        tuple(ir.TextTest(one, (ir.Pattern(ir.PatternKind.LITERAL, "a"),)) for one in texts)
        if texts
        else ()
    )
    rules = tuple(
        ir.Rule(f"r{number}", condition, ir.Effect.DENY) for number, condition in enumerate(tests)
    )
    policy = ir.Policy("odd", "1", 1, ir.Combine.STRICT, ir.Default.ALLOW, fields, rules)
    one = emitted(policy)
    artefact = read(one)
    assert [*artefact.variables] == [variable.name for variable in one.program.variables]
    assert [*artefact.scans] == [scan.field.name for scan in one.scans]


def test_another_policy_is_another_name() -> None:
    one = emitted(random_policy(random.Random(4)))
    with pytest.raises(ArtefactError, match="the policy `random`"):
        read_c(one.header, one.source, names_of(replace(one.policy, name="other")))


def test_another_value_of_a_constant_is_found() -> None:
    one = emitted(random_policy(random.Random(4)))
    names = re.findall(r"^ {4}(RANDOM_\w+) = \d+", one.header, re.MULTILINE)
    assert len(names) > 10
    for name in names:
        header = re.sub(rf"\b{name} = (\d+)", rf"{name} = 1\1", one.header)
        found = [*constant_mismatches(one.policy, read_c(header, one.source))]
        assert any(re.fullmatch(rf"the constant `{name}` is 1(\d+), must be \1", m) for m in found)


def test_another_name_of_a_constant_is_found() -> None:
    one = emitted(random_policy(random.Random(4)))
    header = one.header.replace("RANDOM_RULE_DEFAULT", "RANDOM_RULE_FAULT")
    assert [*constant_mismatches(one.policy, read_c(header, one.source))] == [
        "the constant `RANDOM_RULE_DEFAULT` is missing",
        "the constant `RANDOM_RULE_FAULT` is one too many",
    ]


def test_another_sign_of_a_type_is_found() -> None:
    one = emitted(random_policy(random.Random(5)))
    pattern = r"^ {4}(u?)int(\d+)_t (\w+);"
    outcome = re.compile(pattern, re.MULTILINE)
    members = [*outcome.finditer(one.header, one.header.rindex("typedef struct"))]
    assert {match[1] for match in members} == {"", "u"}
    for match in members:
        kind = f"    {'' if match[1] else 'u'}int{match[2]}_t {match[3]};"
        header = one.header[: match.start()] + kind + one.header[match.end() :]
        found = [*constant_mismatches(one.policy, read_c(header, one.source, names_of(one.policy)))]
        ending = f"must have a type {'without' if match[1] else 'with'} a sign"
        assert [message.endswith(ending) for message in found] == [True], kind


def test_another_rule_after_a_null_pointer_is_found() -> None:
    one = emitted(random_policy(random.Random(4)))
    artefact = read(one)
    changed = replace(artefact, null={**artefact.null, "out.rule": 0})
    assert [*constant_mismatches(one.policy, changed)] == [
        f"a null pointer leaves 0 in the cell `out.rule`, must leave {len(one.policy.rules) + 1}"
    ]
