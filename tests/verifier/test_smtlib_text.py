"""Z3's text becomes SMT-LIB that a second, strict solver reads, and means what it meant."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import z3

from govlang.compiler.frontend import compile_file
from govlang.verifier.policy_smtlib import policy_smtlib
from govlang.verifier.smtlib import second_answer
from govlang.verifier.smtlib_text import standard

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
POLICIES = [*sorted((EXAMPLES / "stateless").glob("*.gov")), EXAMPLES / "loan_desk" / "policy.gov"]


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("(assert (or a))", "(assert a)"),
        ("(assert (and\n (or (not a))))", "(assert (not a))"),
        ("(assert (> (+ x) (* (+ y))))", "(assert (> x y))"),
        ("(assert and)(assert (not or))", "(assert true)(assert (not false))"),
        ("(and (or a) or b)", "(and a false b)"),
        ("(let ((a!1 (or a))) (and a!1 b))", "(let ((a!1 a)) (and a!1 b))"),
        ("(- x)", "(- x)"),
        ("(not (or |and (or| b))", "(not (or |and (or| b))"),
        ('; (or a)\n(set-info :source "(and a)")', '; (or a)\n(set-info :source "(and a)")'),
    ],
)
def test_operators_have_two_operands_or_are_gone(printed: str, expected: str) -> None:
    assert standard(printed) == expected


def formula(rng: random.Random, depth: int) -> Any:
    """A formula whose operators often have no operand or one."""
    if depth == 0:
        return rng.choice([z3.Bool("a"), z3.Bool("and or"), z3.Int("n") > rng.randint(-1, 1)])
    parts = [formula(rng, depth - 1) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
    match rng.randrange(4):
        case 0:
            return z3.And(parts)
        case 1:
            return z3.Or(parts)
        case 2:
            return z3.Not(formula(rng, depth - 1))
        case _:
            terms = [z3.If(part, 1, -1) for part in parts]
            return (z3.Sum(terms) if terms else z3.IntVal(0)) > z3.Int("n")


@pytest.mark.parametrize("seed", range(60))
def test_a_formula_means_what_it_meant_and_a_strict_solver_reads_it(seed: int) -> None:
    meant = formula(random.Random(seed), 4)
    solver = z3.Solver()
    solver.add(meant)
    text = standard(solver.to_smt2())
    assert second_answer(text, 5).verdict == str(solver.check())
    read = z3.And(*z3.parse_smt2_string(text))
    assert z3.Solver().check(read != meant) == z3.unsat


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.name)
def test_a_whole_policy_is_read_by_another_solver(path: Path) -> None:
    text = policy_smtlib(compile_file(path).policy)
    head, _, rest = text.partition("\n")
    assert head == "(set-logic ALL)"
    assert second_answer(rest, 20).verdict == "sat"
