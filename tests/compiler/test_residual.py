"""Residual programs, run word by word: what of an entry stands beside its box, and conditions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from box_words import holds_word, set_holds
from hypothesis import given, settings
from hypothesis import strategies as st

from govlang.compiler import ir
from govlang.compiler.boxes import Axis, AxisKind, Clause, SetCube, make_cube, ranges_of
from govlang.compiler.residual import Code, Programs, _bits
from govlang.native.words import Op

SET, NUMBER = Axis(AxisKind.SET, "s"), Axis(AxisKind.VALUE, "n")
FIELDS = {
    "s": ir.Field("s", ir.Kind.SET, 0, 15, members=("a", "b", "c", "d")),
    "n": ir.Field("n", ir.Kind.NUMBER, -100, 300),
}
COLUMNS = {SET: 0, NUMBER: 1}
OPERATIONS: dict[Op, Callable[[int, int], int]] = {
    Op.ADD: lambda a, b: a + b,
    Op.SUB: lambda a, b: a - b,
    Op.LEAST: min,
    Op.GREATEST: max,
    Op.EQ: lambda a, b: a == b,
    Op.NE: lambda a, b: a != b,
    Op.LT: lambda a, b: a < b,
    Op.LE: lambda a, b: a <= b,
    Op.AND: lambda a, b: a & b,
    Op.OR: lambda a, b: a | b,
}
MASKS = st.integers(0, 15)
CLAUSES = st.lists(st.builds(Clause, MASKS, MASKS), max_size=3)


def run(code: Code, row: Sequence[int]) -> int:
    """The word that a program leaves; as `native/gov_table.h` describes the instructions."""
    stack: list[int] = []
    words = iter(code.words)
    deepest = 0
    for word in words:
        op, column, count = Op(word & 0xFFFF), word >> 16 & 0xFFFF, word >> 32
        match op:
            case Op.CONST:
                stack.append(signed(next(words)))
            case Op.LOAD:
                stack.append(row[column])
            case Op.IN_RANGE:
                lo, hi = signed(next(words)), signed(next(words))
                stack.append(lo <= row[column] <= hi)
            case Op.MEMBER:
                at = row[column] - signed(next(words))
                bits = [next(words) for _ in range(count)]
                stack.append(0 <= at < 64 * count and bits[at // 64] >> at % 64 & 1)
            case Op.ANY:
                stack.append(row[column] & next(words) != 0)
            case Op.ALL:
                mask = next(words)
                stack.append(row[column] & mask == mask)
            case Op.WITHIN:
                stack.append(row[column] & ~next(words) == 0)
            case Op.NOT:
                stack.append(not stack.pop())
            case Op.FLOORDIV:
                stack.append(stack.pop() // signed(next(words)))
            case Op.SELECT:
                condition, then, otherwise = (stack.pop(-3), stack.pop(-2), stack.pop(-1))
                stack.append(then if condition else otherwise)
            case _:
                right, left = stack.pop(), stack.pop()
                stack.append(OPERATIONS[op](left, right))
        deepest = max(deepest, len(stack))
    (found,) = stack
    assert deepest == code.depth
    return found


def signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word


def programs() -> Programs:
    return Programs(COLUMNS, {}, FIELDS, {})


@given(st.builds(make_cube, MASKS, MASKS, CLAUSES).filter(bool))
@settings(max_examples=300)
def test_a_set_beside_the_box_is_tested_in_full(cube: SetCube) -> None:
    parts = (cube.require, cube.forbid, *cube.clauses)
    if any(parts):
        code = programs()._axis(SET, cube)
        for word in range(16):
            assert run(code, (word, 0)) == set_holds(cube, word)


@given(st.sets(st.integers(-70, 140)))
@settings(max_examples=200)
def test_a_number_beside_the_box_is_tested_in_full(values: set[int]) -> None:
    ranges = ranges_of(values)
    code = programs()._axis(NUMBER, ranges)
    for word in range(-100, 300):
        assert run(code, (0, word)) == holds_word(ranges, word)


@given(st.sets(st.integers(-70, 140), min_size=1))
def test_a_bit_is_set_for_every_value_of_the_ranges(values: set[int]) -> None:
    lo = min(values)
    words = _bits(ranges_of(values), 4)
    assert all(0 <= word < 1 << 64 for word in words)
    found = {
        lo + 64 * i + bit for i, word in enumerate(words) for bit in range(64) if word >> bit & 1
    }
    assert found == values


def test_a_field_that_is_always_there_needs_no_column() -> None:
    assert run(programs()._bool(ir.Has("n")), (0, 0)) == 1


def test_the_deeper_way_of_a_choice_comes_first_and_means_the_same() -> None:
    n = ir.FieldValue("n")
    deep = ir.Arith(ir.ArithOp.SUB, ir.IntConst(1), ir.Arith(ir.ArithOp.SUB, ir.IntConst(2), n))
    positive = ir.Compare(ir.CompareOp.LT, ir.IntConst(0), n)
    one, other = (programs()._int(ir.Choose(positive, *ways)) for ways in ((deep, n), (n, deep)))
    for word in (-5, 0, 1, 7):
        assert run(one, (0, word)) == (word - 1 if word > 0 else word)
        assert run(other, (0, word)) == (word if word > 0 else word - 1)
    assert one.depth == other.depth
