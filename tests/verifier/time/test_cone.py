"""The cone of a question holds what it reads, and what that depends on."""

from __future__ import annotations

import pytest
import z3

from govlang.verifier.time.cone import Cone, variables


@pytest.fixture
def cone() -> Cone:
    kind, a, b, c, d = z3.Ints("kind a b c d")
    seen = z3.Int("seen")
    laws = [kind >= 0, z3.Implies(kind == 1, a >= 0), z3.Implies(kind == 2, d >= 0)]
    facts = [a <= 9, a <= b, b <= c, d <= 9]
    return Cone(laws, facts, [(seen, a + 1)], [kind])


def texts(terms: list[z3.BoolRef]) -> set[str]:
    return {str(term) for term in terms}


def test_variables_are_those_of_a_term() -> None:
    a, b = z3.Ints("a b")
    assert variables(a + 1 < a * 2) == {a.get_id()}
    assert variables(z3.And(a > b, z3.BoolVal(True))) == {a.get_id(), b.get_id()}


def test_what_is_near_speaks_of_nothing_else(cone: Cone) -> None:
    near = texts(cone.near([z3.Int("seen") > 3]))
    assert near == {"seen == a + 1", "a <= 9", "kind >= 0", "Implies(kind == 1, a >= 0)"}


def test_the_whole_cone_follows_facts_and_not_what_all_depend_on(cone: Cone) -> None:
    whole = texts(cone.whole([z3.Int("seen") > 3]))
    assert {"a <= b", "b <= c"} <= whole
    assert not {one for one in whole if "d" in one.replace("kind", "")}


def test_what_a_question_does_not_name_is_not_defined(cone: Cone) -> None:
    assert "seen == a + 1" not in texts(cone.whole([z3.Int("c") > 3]))
