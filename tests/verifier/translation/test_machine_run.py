"""Decoded functions run with the integers of their target, and say where it leaves them undefined."""

from __future__ import annotations

import ctypes
import random
import sys

import pytest

from govlang.verifier.translation import machine
from govlang.verifier.translation.machine import (
    Binary,
    Cell,
    Compared,
    Const,
    Expr,
    Extend,
    Function,
    If,
    Local,
    Op,
    Return,
    Select,
    Set,
    Statement,
    Store,
    Switch,
    Wrap,
)
from govlang.verifier.translation.machine_run import UndefinedError, classify, run

LEAST = {32: -(2**31), 64: -(2**63)}
MOST = {32: 2**31 - 1, 64: 2**63 - 1}
WIDTHS = (32, 64)
X, Y = Cell(32, "x"), Cell(32, "y")


def number(value: int, width: int = 32) -> Const:
    return Const(width, value)


def returning(value: Expr) -> int:
    return run(Function({}, {}, (Return(value),)), {"x": 0})[0]


def binary(op: Op, width: int, left: int, right: int, *, exact: bool = False) -> int:
    return returning(Binary(op, width, Const(width, left), Const(width, right), exact))


C_INT = {32: ctypes.c_int32, 64: ctypes.c_int64}
C_UINT = {32: ctypes.c_uint32, 64: ctypes.c_uint64}


def test_the_lowest_bit_of_a_value_has_its_number() -> None:
    numbers = tuple(range(100, 132))

    def of(value: int) -> int:
        return returning(machine.Lowest(Const(32, value), numbers, 7))

    assert [of(1 << bit) for bit in range(31)] == list(range(100, 131))
    assert [of(value) for value in (0, 12, -1, LEAST[32], MOST[32], -8)] == [
        *(7, 102, 100, 131, 100, 103)
    ]


@pytest.mark.parametrize("width", WIDTHS)
def test_arithmetic_wraps_like_the_machine(width: int) -> None:
    rng = random.Random(width)
    for _ in range(500):
        a, b = (rng.choice((LEAST[width], MOST[width], rng.getrandbits(width) - 2 ** (width - 1)))
                for _ in range(2))  # fmt: skip
        wrap, uns = C_INT[width], C_UINT[width]
        assert binary(Op.ADD, width, a, b) == wrap(a + b).value
        assert binary(Op.SUB, width, a, b) == wrap(a - b).value
        assert binary(Op.MUL, width, a, b) == wrap(a * b).value
        assert binary(Op.SHL, width, a, b) == wrap(a << b % width).value
        assert binary(Op.SHR_S, width, a, b) == a >> b % width
        assert binary(Op.SHR_U, width, a, b) == wrap(uns(a).value >> b % width).value
        assert (binary(Op.AND, width, a, b), binary(Op.OR, width, a, b)) == (a & b, a | b)
        assert binary(Op.XOR, width, a, b) == a ^ b


@pytest.mark.parametrize(
    ("left", "right", "quotient", "rest"),
    [(7, 2, 3, 1), (-7, 2, -3, -1), (7, -2, -3, 1), (-7, -2, 3, -1), (0, 5, 0, 0), (-1, 5, 0, -1)],
)
def test_division_truncates(left: int, right: int, quotient: int, rest: int) -> None:
    for width in WIDTHS:
        assert binary(Op.DIV_S, width, left, right) == quotient
        assert binary(Op.REM_S, width, left, right) == rest


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("op", [Op.DIV_S, Op.REM_S])
def test_divisions_that_trap_are_named(op: Op, width: int, exact: bool) -> None:
    for left, right in ((1, 0), (LEAST[width], -1)):
        with pytest.raises(UndefinedError):
            binary(op, width, left, right, exact=exact)


@pytest.mark.parametrize("width", WIDTHS)
def test_what_c_leaves_undefined_is_named(width: int) -> None:
    least, most = LEAST[width], MOST[width]
    undefined = (
        (Op.ADD, most, 1),
        (Op.SUB, least, 1),
        (Op.MUL, most, 2),
        (Op.MUL, least, -1),
        (Op.SHL, 1, width),
        (Op.SHL, 1, -1),
        (Op.SHL, -1, 1),
        (Op.SHL, 1, width - 1),
        (Op.SHR_S, 1, width),
        (Op.SHR_U, 1, -1),
    )
    for op, left, right in undefined:
        with pytest.raises(UndefinedError):
            binary(op, width, left, right, exact=True)
        binary(op, width, left, right)
    assert binary(Op.ADD, width, most, 0, exact=True) == most
    assert binary(Op.SHL, width, 1, width - 2, exact=True) == 1 << (width - 2)
    assert binary(Op.SHR_U, width, -1, 1, exact=True) == most


def test_comparisons_know_both_orders() -> None:
    held = {
        test for test in machine.Test if returning(Compared(test, 64, Const(64, -1), Const(64, 1)))
    }
    assert held == {
        machine.Test.NE,
        machine.Test.LT_S,
        machine.Test.LE_S,
        machine.Test.GT_U,
        machine.Test.GE_U,
    }
    held = {test for test in machine.Test if returning(Compared(test, 32, number(3), number(3)))}
    assert held == {
        machine.Test.EQ,
        machine.Test.LE_S,
        machine.Test.LE_U,
        machine.Test.GE_S,
        machine.Test.GE_U,
    }


def test_widths_change_as_told() -> None:
    assert returning(Wrap(Const(64, 2**31))) == -(2**31)
    assert returning(Wrap(Const(64, 2**32 + 5))) == 5
    assert returning(Wrap(Extend(number(-3), signed=True))) == -3
    minus = Compared(machine.Test.EQ, 64, Extend(number(-3), signed=True), Const(64, -3))
    plus = Compared(machine.Test.EQ, 64, Extend(number(-3), signed=False), Const(64, 2**32 - 3))
    assert returning(minus) == returning(plus) == 1


def test_only_the_chosen_value_is_evaluated() -> None:
    bad = Binary(Op.DIV_S, 32, number(1), number(0))
    assert returning(Select(32, number(2), number(7), bad)) == 7
    assert returning(Select(32, number(0), bad, number(8))) == 8


def test_a_step_stores_chooses_and_returns() -> None:
    body: tuple[Statement, ...] = (
        Set("a", Binary(Op.ADD, 32, X, number(1))),
        If(
            Compared(machine.Test.GT_S, 32, Local(32, "a"), number(10)),
            (Store("big", Local(32, "a")),),
        ),
        Switch(
            Y,
            (((0, 1), (Store("part", number(1)),)), ((5,), (Return(number(-1)),))),
            (Store("part", number(9)),),
        ),
        Return(number(0)),
        Store("never", number(1)),
    )
    function = Function({"a": 32}, {}, body)
    assert run(function, {"x": 10, "y": 1}) == (0, {"big": 11, "part": 1})
    assert run(function, {"x": 3, "y": 4}) == (0, {"part": 9})
    assert run(function, {"x": 3, "y": 5}) == (-1, {})


def test_a_local_has_its_initial_value_or_none() -> None:
    body = (If(X, (Set("a", number(4)),)), Return(Local(32, "a"), "line 7"))
    assert run(Function({"a": 32}, {"a": 0}, body), {"x": 0}) == (0, {})
    assert run(Function({"a": 32}, {}, body), {"x": 1}) == (4, {})
    with pytest.raises(UndefinedError) as caught:
        run(Function({"a": 32}, {}, body), {"x": 0})
    assert (caught.value.at, caught.value.why) == ("line 7", "`a` is read before it is set")


def test_a_function_that_returns_nothing_is_undefined() -> None:
    with pytest.raises(UndefinedError, match="without a value"):
        run(Function({}, {}, (If(X, (Return(number(0)),)),)), {"x": 0})


def test_deep_nesting_runs() -> None:
    body: tuple[Statement, ...] = (Return(number(5)),)
    for _ in range(2 * sys.getrecursionlimit()):
        body = (If(X, body, (Return(number(6)),)),)
    assert run(Function({}, {}, body), {"x": 1}) == (5, {})


# --- texts ---------------------------------------------------------------------------------------


def automaton(classes: tuple[int, ...], moves: dict[tuple[int, str], int]) -> machine.Automaton:
    """States over the letters `a` and `b`, all other bytes being a third; no move: the last state."""
    symbol = [2] * 256
    symbol[ord("a")], symbol[ord("b")] = 0, 1
    table = [len(classes) - 1] * (len(classes) << 2) + [0] * 256
    for (state, letter), target in moves.items():
        table[(state << 2) + "ab".index(letter)] = target
    return machine.Automaton(tuple(symbol), tuple(table), classes, 2, len(classes))


ANY = automaton((1, 0), {(0, "a"): 0, (0, "b"): 0})
ENDS_IN_B = automaton((0, 1, 0), {(0, "a"): 0, (0, "b"): 1, (1, "a"): 0, (1, "b"): 1})


def test_a_text_gets_its_class_in_every_column() -> None:
    scan = machine.Scan("f", 3, ANY, (ENDS_IN_B, ANY), ())
    assert classify(scan, b"ab") == (1, 1)
    assert classify(scan, b"") == (0, 1)
    assert classify(scan, b"aab") == (1, 1)


def test_texts_that_are_too_long_or_not_valid_have_no_class() -> None:
    scan = machine.Scan("f", 3, ANY, (ENDS_IN_B,), ())
    assert classify(scan, b"abab") is None
    assert classify(scan, b"ac") is None


def test_a_table_that_leaves_its_states_refuses() -> None:
    wild = automaton((1, 1), {(0, "a"): 2})
    assert classify(machine.Scan("f", 9, ANY, (wild,), ()), b"a") is None
    assert classify(machine.Scan("f", 9, wild, (), ()), b"a") is None
    assert classify(machine.Scan("f", 9, wild, (), ()), b"b") == ()
