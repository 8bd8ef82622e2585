"""What the solver is told of bits that the boxes cannot follow."""

from __future__ import annotations

import pytest
from front import check
from wasm_policies import Module

from govlang.verifier.translation.cases import valid_case
from govlang.verifier.translation.guards import Guards
from govlang.verifier.translation.integers import const
from govlang.verifier.translation.machine_proof import artefact_interface
from govlang.verifier.translation.machine_run import signed
from govlang.verifier.translation.machine_solve import MachineSolver, Rules
from govlang.verifier.translation.scan_proof import prove_scans
from govlang.verifier.translation.solve import Answer
from govlang.verifier.translation.source import Layout
from govlang.verifier.translation.tree import Tree
from govlang.verifier.translation.wasm_read import read_wasm

A: Tree = ("load", 0)
B: Tree = ("load", 1)
UNION: Tree = ("union", A, B)
COMMON: Tree = ("common", A, B)


@pytest.fixture(scope="module")
def solver() -> MachineSolver:
    policy = check(
        "input { a : number in 0..9  b : number in 0..9 }\nrule r when a < b allow\n"
    ).policy
    artefact = read_wasm(Module(policy).data)
    interface = artefact_interface(policy, artefact)
    layout = Layout(
        policy,
        [one.column for one in interface.variables],
        prove_scans(policy, artefact).texts,
    )
    case = valid_case(interface, layout.domain.spans, layout.domain.members)
    guards = Guards(case.words, case.spans, case.members)
    return MachineSolver(layout, guards, 30.0, Rules.SPELT)


def answer(solver: MachineSolver, *claims: tuple[str, Tree, Tree]) -> Answer:
    """Whether some request makes all the comparisons true."""
    return solver.answer([solver.condition(claim) for claim in claims])


def test_the_bits_of_two_numbers_together_are_0_where_both_are(solver: MachineSolver) -> None:
    none, nothing = ("eq", UNION, const(0)), const(0)
    assert answer(solver, none, ("le", const(1), A)) is Answer.NONE
    assert answer(solver, none, ("le", const(1), B)) is Answer.NONE
    assert answer(solver, none, ("eq", A, nothing), ("eq", B, nothing)) is Answer.SOME
    some = ("le", const(1), UNION)
    assert answer(solver, some, ("eq", A, nothing), ("eq", B, nothing)) is Answer.NONE
    assert answer(solver, some, ("eq", A, const(3)), ("eq", B, nothing)) is Answer.SOME
    assert answer(solver, ("le", const(16), UNION)) is Answer.NONE


@pytest.mark.parametrize(("a", "b"), [(0, 0), (0, 1), (1, 0), (1, 1), (0, 6), (6, 0), (6, 6)])
def test_the_bits_of_two_numbers_are_known_where_one_is_0_or_they_are_the_same(
    solver: MachineSolver, a: int, b: int
) -> None:
    here = ("eq", A, const(a)), ("eq", B, const(b))
    for tree, value in ((UNION, a | b), (COMMON, a & b)):
        assert answer(solver, *here, ("eq", tree, const(value))) is Answer.SOME
        assert answer(solver, *here, ("lt", tree, const(value))) is Answer.NONE
        assert answer(solver, *here, ("lt", const(value), tree)) is Answer.NONE


def test_the_bits_of_other_numbers_may_be_anything_near(solver: MachineSolver) -> None:
    here = ("eq", A, const(6)), ("eq", B, const(3))
    for tree in (UNION, COMMON):
        for value in (1, 2, 7):
            assert answer(solver, *here, ("eq", tree, const(value))) is Answer.SOME


@pytest.mark.parametrize("width", [32, 64])
def test_a_constant_is_shifted_by_the_count_modulo_its_width(
    solver: MachineSolver, width: int
) -> None:
    mask = 0b1011 | 1 << (width - 1)
    for count in range(10):
        value = signed(mask >> count, width)
        for turns in (0, width):
            by: Tree = ("+", A, const(turns)) if turns else A
            window: Tree = ("window", width, mask, by, (turns, turns + 9))
            at = ("eq", A, const(count))
            assert answer(solver, at, ("eq", window, const(value))) is Answer.SOME
            assert answer(solver, at, ("lt", window, const(value))) is Answer.NONE
            assert answer(solver, at, ("lt", const(value), window)) is Answer.NONE


def test_a_choice_among_thousands_of_cases_is_asked(solver: MachineSolver) -> None:
    chosen: Tree = const(-1)
    for number in range(3_000):
        chosen = ("if", ("eq", A, const(number)), const(2 * number), chosen)
    assert answer(solver, ("eq", A, const(7)), ("eq", chosen, const(14))) is Answer.SOME
    assert answer(solver, ("lt", const(18), chosen)) is Answer.NONE
    assert answer(solver, ("lt", chosen, const(0))) is Answer.NONE
