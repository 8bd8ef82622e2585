"""Values and conditions of a `program.Program` as WebAssembly.

In: a value or a condition, and the places of the slots.  Out: the instructions that leave it
on the stack: a value in its width; a condition as 0 or not 0, or as 0 or 1 where that is asked for.

What always holds: nothing traps (divisors are constants above 0) and nothing is written but scratch
locals, so both sides of a choice may be worked out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, assert_never

from govlang.compiler.ir import ArithOp, CompareOp, SetOp
from govlang.compiler.program import (
    Arith,
    Bit,
    Both,
    Choose,
    Compare,
    Condition,
    Either,
    Flag,
    FloorDiv,
    Grown,
    Inside,
    MaskTest,
    Negation,
    Number,
    Read,
    Slot,
    Truth,
    Unpacked,
    Value,
)
from govlang.compiler.wasm_code import Code, Place
from govlang.compiler.wasm_ranges import RangeTests
from govlang.compiler.wasm_reach import Reach

_CHEAP: Final = 16
"""Instructions up to which both sides of a choice are worked out."""

_CHEAP_PARTS: Final = 40
"""Instructions up to which all parts of a condition are worked out."""

_TRUTHS: Final = tuple((Number(1, width), Number(0, width)) for width in (32, 64))
"""What is chosen between where a value is the truth of a condition."""

_ARITH: Final = {ArithOp.ADD: "add", ArithOp.SUB: "sub", ArithOp.MUL: "mul"}
_LESS: Final = {ArithOp.LEAST: "lt_s", ArithOp.GREATEST: "gt_s"}
_COMPARE: Final = {  # the comparison, and its negation
    CompareOp.EQ: ("eq", "ne"),
    CompareOp.NE: ("ne", "eq"),
    CompareOp.LT: ("lt_s", "ge_s"),
    CompareOp.LE: ("le_s", "gt_s"),
}


class Expressions:
    """Writes values and conditions into a function."""

    def __init__(self, code: Code, places: Mapping[Slot, Place], reach: Reach) -> None:
        self.code = code
        self.places = places
        self.reach = reach
        self.ranges = RangeTests(code)
        self._scratch: dict[int, list[int]] = {32: [], 64: []}

    @contextmanager
    def scratch(self, width: int) -> Iterator[int]:
        """A local for a moment."""
        free = self._scratch[width]
        local = free.pop() if free else self.code.new_local(width)
        yield local
        free.append(local)

    # --- values ---------------------------------------------------------------------------------

    def value(self, value: Value, width: int) -> None:
        """Push a value; one of another width is widened with its sign, or cut."""
        match value:
            case Number(value=number):
                self.code.const(number, width)
            case Read(slot=slot):
                self.code.push(self.places[slot])
                self._resize(slot.width, width, signed=not slot.mask)
            case Choose():
                self._choose(value, width)
            case Arith():
                needed = self.reach.width(value)
                self._arith(value, needed)
                self._resize(needed, width)
            case FloorDiv():
                needed = self.reach.width(value)
                self._floor_div(value, needed)
                self._resize(needed, width)
            case Unpacked():
                self._unpacked(value)
                self._resize(32, width)
            case Grown(slot=slot):
                self._grown(value)
                self._resize(slot.width, width)
            case _:
                assert_never(value)

    def _resize(self, width: int, wanted: int, *, signed: bool = True) -> None:
        if width < wanted:
            self.code.op("i64.extend_i32_s" if signed else "i64.extend_i32_u")
        elif width > wanted:
            self.code.op("i32.wrap_i64")

    def _choose(self, value: Choose, width: int) -> None:
        if (value.then, value.otherwise) in _TRUTHS:
            self.condition(value.condition, strict=True)
            self._resize(32, width, signed=False)
            return
        if cost_of(value.then) + cost_of(value.otherwise) <= _CHEAP:
            self.value(value.then, width)
            self.value(value.otherwise, width)
            self.condition(value.condition)
            self.code.op("select")
            return
        self.condition(value.condition)
        with self.code.block("if", width):
            self.value(value.then, width)
            self.code.op("else")
            self.value(value.otherwise, width)

    def _arith(self, value: Arith, width: int) -> None:
        if value.op in _ARITH:
            self.value(value.left, width)
            self.value(value.right, width)
            self.code.op(f"i{width}.{_ARITH[value.op]}")
            return
        with self.scratch(width) as left, self.scratch(width) as right:
            self.value(value.left, width)
            self.code.tee(left)
            self.value(value.right, width)
            self.code.tee(right)
            self.code.get(left)
            self.code.get(right)
            self.code.op(f"i{width}.{_LESS[value.op]}")
            self.code.op("select")

    def _floor_div(self, value: FloorDiv, width: int) -> None:
        """The quotient rounded to zero, less 1 where the rest is below 0."""
        code, divisor = self.code, value.divisor
        with self.scratch(width) as dividend:
            self.value(value.dividend, width)
            code.tee(dividend)
            code.const(divisor, width)
            code.op(f"i{width}.div_s")
            code.get(dividend)
            code.const(divisor, width)
            code.op(f"i{width}.rem_s")
            code.const(0, width)
            code.op(f"i{width}.lt_s")
            self._resize(32, width, signed=False)
            code.op(f"i{width}.sub")

    def _grown(self, value: Grown) -> None:
        code, width = self.code, value.slot.width
        slot, since = self.places[value.slot], self.places[value.since]
        if value.still:
            code.push(slot)
        code.const(value.cap, width)
        code.push(slot)
        code.push(since)
        code.op(f"i{width}.add")
        code.push(since)
        code.const(value.cap, width)
        code.push(slot)
        code.op(f"i{width}.sub")
        code.op(f"i{width}.ge_s")
        code.op("select")
        if value.still:
            code.push(slot)
            code.const(0, width)
            code.op(f"i{width}.lt_s")
            code.op("select")

    def _unpacked(self, value: Unpacked) -> None:
        code = self.code
        if value.top is not None:
            code.const(value.top)
        code.push(self.places[value.slot])
        if value.shift:
            code.const(value.shift)
            code.op("i32.shr_u")
        if value.mask is not None:
            code.const(value.mask)
            code.op("i32.and")
        if value.top is not None:
            code.op("i32.sub")

    # --- conditions -----------------------------------------------------------------------------

    def condition(
        self, condition: Condition, *, negate: bool = False, strict: bool = False
    ) -> None:
        """Push whether the condition holds (or does not): not 0 or 0, and if `strict` 1 or 0."""
        match condition:
            case Truth(value=value):
                self.code.const(int(value != negate))
            case Flag(slot=slot):
                self.code.push(self.places[slot])
                self._negated(negate=negate)
            case Negation(part=part):
                self.condition(part, negate=not negate, strict=strict)
            case Both(parts=parts):
                self._joined(parts, all_of=not negate, negate=negate, strict=strict)
            case Either(parts=parts):
                self._joined(parts, all_of=negate, negate=negate, strict=strict)
            case Compare():
                self._compare(condition, negate=negate, strict=strict)
            case MaskTest(slot=slot, op=op, mask=mask):
                self._mask_test(slot, op, mask, negate=negate, strict=strict)
            case Bit(slot=slot, bit=bit):
                self._bit(slot, bit, negate=negate, strict=strict)
            case Inside(slot=slot, ranges=ranges, lo=lo, hi=hi):
                place = self.places[slot]
                self.ranges.inside(place, ranges, (lo, hi), negate=negate, strict=strict)
            case _:
                assert_never(condition)

    def _negated(self, *, negate: bool) -> None:
        if negate:
            self.code.op("i32.eqz")

    def _joined(
        self, parts: tuple[Condition, ...], *, all_of: bool, negate: bool, strict: bool
    ) -> None:
        """All or some of the parts; where they cost much, half of them may be jumped over."""
        code, exact = self.code, all_of or strict
        if sum(map(cost_of_condition, parts)) <= _CHEAP_PARTS or len(parts) == 1:
            for number, part in enumerate(parts):
                self.condition(part, negate=negate, strict=exact)
                if number:
                    code.op("i32.and" if all_of else "i32.or")
            return
        middle = len(parts) // 2
        self._joined(parts[:middle], all_of=all_of, negate=negate, strict=strict)
        if not all_of:
            code.op("i32.eqz")
        with code.block("if", 32):
            self._joined(parts[middle:], all_of=all_of, negate=negate, strict=strict)
            code.op("else")
            code.const(int(not all_of))

    def _compare(self, condition: Compare, *, negate: bool, strict: bool) -> None:
        width = max(self.reach.width(condition.left), self.reach.width(condition.right))
        self.value(condition.left, width)
        name = _COMPARE[condition.op][negate]
        if condition.right == Number(0, 32) or condition.right == Number(0, 64):
            if name == "eq":
                self.code.op(f"i{width}.eqz")
                return
            if name == "ne" and width == 32 and not strict:
                return
        self.value(condition.right, width)
        self.code.op(f"i{width}.{name}")

    def _mask_test(self, slot: Slot, op: SetOp, mask: int, *, negate: bool, strict: bool) -> None:
        code, width = self.code, slot.width
        if op is not SetOp.WITHIN and mask.bit_count() == 1:
            self._bit(slot, mask.bit_length() - 1, negate=negate, strict=strict)
            return
        code.push(self.places[slot])
        code.const(~mask if op is SetOp.WITHIN else mask, width)
        code.op(f"i{width}.and")
        if op is SetOp.ALL:
            code.const(mask, width)
            code.op(f"i{width}.{'ne' if negate else 'eq'}")
        elif negate != (op is SetOp.WITHIN):
            code.op(f"i{width}.eqz")
        elif strict or width == 64:
            code.const(0, width)
            code.op(f"i{width}.ne")

    def _bit(self, slot: Slot, bit: int, *, negate: bool, strict: bool) -> None:
        code, width = self.code, slot.width
        code.push(self.places[slot])
        if negate or (width == 32 and not strict):
            code.const(1 << bit, width)
            code.op(f"i{width}.and")
            if negate:
                code.op(f"i{width}.eqz")
            return
        if bit:
            code.const(bit, width)
            code.op(f"i{width}.shr_u")
        self._resize(width, 32)
        if bit < width - 1:
            code.const(1)
            code.op("i32.and")


# --- cost ----------------------------------------------------------------------------------------


def cost_of(value: Value) -> int:
    """About how many instructions a value takes."""
    match value:
        case Number() | Read():
            return 1
        case Unpacked():
            return 4
        case Grown(still=still):
            return 10 + 5 * still
        case Arith(left=left, right=right):
            return 2 + cost_of(left) + cost_of(right)
        case FloorDiv(dividend=dividend):
            return 10 + cost_of(dividend)
        case Choose(condition=condition, then=then, otherwise=otherwise):
            return 1 + cost_of_condition(condition) + cost_of(then) + cost_of(otherwise)
        case _:
            assert_never(value)


def cost_of_condition(condition: Condition) -> int:
    """About how many instructions a condition takes."""
    match condition:
        case Truth() | Flag():
            return 1
        case Negation(part=part):
            return cost_of_condition(part)
        case Both(parts=parts) | Either(parts=parts):
            return len(parts) + sum(map(cost_of_condition, parts))
        case Compare(left=left, right=right):
            return 1 + cost_of(left) + cost_of(right)
        case MaskTest() | Bit():
            return 3
        case Inside(ranges=ranges):
            return 4 * len(ranges)
        case _:
            assert_never(condition)
