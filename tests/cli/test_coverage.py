"""What tests exercise: against the definition of MC/DC, said as plainly as possible."""

from __future__ import annotations

from collections.abc import Mapping

from front import check
from hypothesis import given
from hypothesis import strategies as st

from govlang.cli.coverage import cover
from govlang.cli.generate import Generated, missing_tests
from govlang.cli.passage import measure
from govlang.compiler import ir
from govlang.compiler.interpret import Environment
from govlang.compiler.operators import parts

NAMES = ("a", "b", "c", "d")
FIELDS = tuple(ir.Field(name, ir.Kind.BOOL, hi=1) for name in NAMES)
ATOMS = st.sampled_from(NAMES).map(lambda name: ir.InRanges(name, ((1, 1),)))


def joined(parts: st.SearchStrategy[ir.BoolExpr]) -> st.SearchStrategy[ir.BoolExpr]:
    several = st.lists(parts, min_size=2, max_size=4).map(tuple)
    return several.map(ir.And) | several.map(ir.Or) | parts.map(ir.Not)


CONDITIONS = st.recursive(ATOMS, joined, max_leaves=8)
REQUESTS = st.fixed_dictionaries({name: st.integers(0, 1) for name in NAMES})


def policy_of(condition: ir.BoolExpr) -> ir.Policy:
    rule = ir.Rule("r", condition, ir.Effect.DENY)
    return ir.Policy("p", "1", 1, ir.Combine.STRICT, ir.Default.ALLOW, FIELDS, (rule,))


def with_constants(condition: ir.BoolExpr, values: list[bool]) -> ir.BoolExpr:
    """The condition with its atoms, left to right, replaced; takes them off `values`."""
    match condition:
        case ir.Not(operand=operand):
            return ir.Not(with_constants(operand, values))
        case ir.And(operands=operands):
            return ir.And(tuple(with_constants(one, values) for one in operands))
        case ir.Or(operands=operands):
            return ir.Or(tuple(with_constants(one, values) for one in operands))
        case _:
            return ir.BoolConst(values.pop(0))


def plainly_decided(
    policy: ir.Policy, condition: ir.BoolExpr, request: Mapping[str, int]
) -> set[tuple[int, bool]]:
    env = Environment(policy, {}, request)
    values = [env.holds(atom) for atom in parts(condition, ())]
    found = set()
    for i, value in enumerate(values):
        flipped = [*values[:i], not value, *values[i + 1 :]]
        if env.holds(with_constants(condition, flipped)) != env.holds(condition):
            found.add((i, value))
    return found


@given(CONDITIONS, st.lists(REQUESTS, max_size=4))
def test_an_atom_decides_where_its_flip_flips_the_rule(
    condition: ir.BoolExpr, requests: list[dict[str, int]]
) -> None:
    policy = policy_of(condition)
    coverage = cover(policy, [(request, {}) for request in requests])
    decided = [plainly_decided(policy, condition, request) for request in requests]
    missing = {(one.index, one.polarity) for one in coverage.mcdc.missing}
    wanted = {(i, p) for i in range(len([*parts(condition, ())])) for p in (True, False)}
    assert missing == wanted - set().union(*decided)
    assert coverage.mcdc.of == len(wanted)


def test_a_rule_of_very_many_conditions_is_measured_in_one_pass() -> None:
    atoms = tuple(ir.InRanges("a", ((i % 2, i % 2),)) for i in range(20_000))
    coverage = cover(policy_of(ir.Or(atoms)), [({"a": 1}, {}), ({"a": 0}, {})])
    assert coverage.conditions.covered == coverage.conditions.of == 40_000
    assert coverage.mcdc.covered == 0, "always another one holds"


OPTIONAL = """default deny
input {
  a : number in 0..5 optional
  b : bool
  c : one of x, y optional
}
rule high when has a and a > 2 and b allow
rule low when has c and (c is x or b) and has a and a < 2 deny because "low"
rule mixed when not has a or (b and a > 2) throttle retry 2 s
rule none when (has a implies a > 4) and (if has c and b then 1 else 0) == 1 throttle retry 1 s
"""


def test_what_is_generated_covers_optional_fields_too() -> None:
    bare = check(OPTIONAL)
    assert missing_tests(bare, measure(bare)).text
    tested = check(OPTIONAL + missing_tests(bare, measure(bare)).text)
    found = measure(tested)
    assert [found.rules.missing, found.conditions.missing, found.mcdc.missing] == [[], [], []]
    assert missing_tests(tested, found) == Generated("", 0, is_cut=False)


def test_generating_in_parts_says_so_and_comes_to_an_end() -> None:
    text, cuts = OPTIONAL, []
    while not cuts or cuts[-1]:
        found = missing_tests(checked := check(text), measure(checked), most=4)
        assert found.count <= 4
        text += found.text
        cuts.append(found.is_cut)
    assert len(cuts) > 2
    assert measure(check(text)).mcdc.missing == []


def test_a_field_that_is_not_there_makes_no_condition_true_or_false() -> None:
    policy = check(OPTIONAL).policy
    found = cover(policy, [({"b": 1}, {})], only="low")
    never = {(one.index, one.polarity) for one in found.conditions.missing}
    assert never == {(0, True), (1, True), (1, False), (2, False), (3, True), (4, True), (4, False)}
    found = cover(policy, [({"b": 1}, {})], only="high")
    assert (0, False) not in {(one.index, one.polarity) for one in found.mcdc.missing}


def test_what_an_implication_presupposes_is_counted_as_it_is_written() -> None:
    found = cover(check(OPTIONAL).policy, [({"b": 1}, {})], only="none")
    texts = [one.part.span.text for one in found.conditions.missing if one.part and one.part.span]
    never = list(zip(texts, (one.polarity for one in found.conditions.missing), strict=True))
    assert never[0] == ("has a", True)
