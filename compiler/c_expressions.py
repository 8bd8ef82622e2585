"""Conditions and values of a step as C expressions.

In: conditions and values of program.py, and the names of slots.  Out: text.

A condition is an `int` that is 0 or 1.  Cheap tests are joined by `&` and `|`, which cost no branch;
what is dearer stands behind `&&` and `||`.  What always holds: no operand can overflow or trap, so
neither order nor laziness changes a value; no function is called inside an expression; every operand
of an operator that is no name, number or call stands in brackets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from govlang.compiler.boxes import complement_ranges
from govlang.compiler.c_numbers import c_type, constant
from govlang.compiler.ir import ArithOp, Ranges, SetOp
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
from govlang.compiler.steps_terms import width

CHEAP: Final = 8
"""Comparisons that are made in one go rather than one after another."""

_SIMPLE: Final = re.compile(r"\w+|\w*\([^()]*\)")
_ARITHMETIC: Final = {ArithOp.ADD: "+", ArithOp.SUB: "-", ArithOp.MUL: "*"}
_HELPERS: Final = {ArithOp.LEAST: "least", ArithOp.GREATEST: "greatest"}


@dataclass(frozen=True, slots=True)
class Expressions:
    """Prints expressions.

    `call` has the value of a static function of the file, by its kind and its arguments, in a local.
    """

    names: Mapping[str, str]
    call: Callable[[str, str, str], str]

    # --- conditions --------------------------------------------------------------------------------

    def condition(self, condition: Condition) -> str:
        """A condition as an `int` that is 0 or 1."""
        match condition:
            case Truth(value=value):
                return "1" if value else "0"
            case Inside(slot=slot, ranges=ranges, lo=lo, hi=hi):
                return self._inside(slot, ranges, lo, hi)
            case MaskTest(slot=slot, op=op, mask=mask):
                return self._mask_test(slot, op, mask)
            case Compare(op=op, left=left, right=right):
                return f"{self._operand(left)} {op.value} {self._operand(right)}"
            case Flag(slot=slot):
                return self.names[slot.name]
            case Bit(slot=slot, bit=bit):
                one = constant(1 << bit, slot.width, mask=True)
                return f"({self.names[slot.name]} & {one}) != {_zero(slot)}"
            case Both(parts=parts):
                return self._joined(parts, "&")
            case Either(parts=parts):
                return self._joined(parts, "|")
            case Negation(part=part):
                return self._negated(part)
            case _:
                assert_never(condition)

    def test(self, condition: Condition) -> str:
        """A condition as it stands in `if` and before `?`."""
        if isinstance(condition, Flag):
            return f"{self.names[condition.slot.name]} != 0"
        text = self.condition(condition)
        return f"({text}) != 0" if _joins_bits(condition) else text

    def _joined(self, parts: Sequence[Condition], sign: str) -> str:
        cheap = [part for part in parts if cost(part) <= CHEAP]
        dear = sorted((part for part in parts if cost(part) > CHEAP), key=cost)
        groups: list[list[Condition]] = []
        room = 0
        for part in cheap:
            if not groups or cost(part) > room:
                groups.append([])
                room = CHEAP
            groups[-1].append(part)
            room -= cost(part)
        texts = [self._flat(group, sign) for group in groups]
        texts += [bracketed(self.condition(part)) for part in dear]
        if len(texts) == 1:
            return texts[0]
        return f" {sign}{sign} ".join(bracketed(text) for text in texts)

    def _flat(self, group: Sequence[Condition], sign: str) -> str:
        if len(group) == 1:
            return self.condition(group[0])
        return f" {sign} ".join(bracketed(self.condition(part)) for part in group)

    def _negated(self, part: Condition) -> str:
        match part:
            case Flag(slot=slot):
                return f"{self.names[slot.name]} == 0"
            case MaskTest(slot=slot, op=op, mask=mask):
                return self._mask_test(slot, op, mask, negated=True)
            case Bit(slot=slot, bit=bit):
                one = constant(1 << bit, slot.width, mask=True)
                return f"({self.names[slot.name]} & {one}) == {_zero(slot)}"
            case _:
                return f"!{bracketed(self.condition(part))}"

    def _inside(self, slot: Slot, ranges: Ranges, lo: int, hi: int) -> str:
        outside = _hole(ranges, lo, hi)
        if outside is not None:
            return f"{self.names[slot.name]} != {self._number(outside, slot)}"
        tests = [self._range(slot, one, lo, hi) for one in ranges]
        return " | ".join(map(bracketed, tests)) if len(tests) > 1 else tests[0]

    def _range(self, slot: Slot, one: tuple[int, int], lo: int, hi: int) -> str:
        name = self.names[slot.name]
        start, end = self._number(one[0], slot), self._number(one[1], slot)
        if one[0] == one[1]:
            return f"{name} == {start}"
        if one[0] == lo:
            return f"{name} <= {end}"
        if one[1] == hi:
            return f"{name} >= {start}"
        return f"({name} >= {start}) & ({name} <= {end})"

    def _number(self, value: int, slot: Slot) -> str:
        return constant(value, slot.width, mask=slot.mask)

    def _mask_test(self, slot: Slot, op: SetOp, mask: int, *, negated: bool = False) -> str:
        bits = (1 << slot.width) - 1
        tested = bits & ~mask if op is SetOp.WITHIN else mask
        shown = constant(tested, slot.width, mask=True)
        wanted = shown if op is SetOp.ALL else _zero(slot)
        sign = "==" if (op is SetOp.ANY) is negated else "!="
        return f"({self.names[slot.name]} & {shown}) {sign} {wanted}"

    # --- values ------------------------------------------------------------------------------------

    def value(self, value: Value, *, mask: bool = False) -> str:
        """A value; `mask`: it is wanted as a mask."""
        match value:
            case Number(value=number, width=bits):
                return constant(number, bits, mask=mask)
            case Read(slot=slot, width=bits):
                name = self.names[slot.name]
                if (slot.width, slot.mask) == (bits, mask):
                    return name
                return f"({c_type(bits, mask=mask)}){name}"
            case Arith(op=ArithOp.LEAST | ArithOp.GREATEST as op, left=left, right=right):
                return self.call(_HELPERS[op], self.value(left), self.value(right))
            case Arith(op=op, left=left, right=right):
                return f"{self._operand(left)} {_ARITHMETIC[op]} {self._operand(right)}"
            case FloorDiv(dividend=dividend, divisor=divisor):
                by = constant(divisor, 64, mask=False)
                return self.call("floor_div", self.value(dividend), by)
            case Choose(condition=condition, then=Number(value=0), otherwise=otherwise) if (
                _has_sure_bits(otherwise, mask=mask) and cost(condition) <= CHEAP
            ):
                return self._cleared(condition, otherwise, mask=mask)
            case Choose(condition=condition, then=then, otherwise=otherwise):
                return (
                    f"{bracketed(self.test(condition))} ? {self._operand(then, mask=mask)}"
                    f" : {self._operand(otherwise, mask=mask)}"
                )
            case Unpacked():
                return self._unpacked(value)
            case Grown():
                return self._grown(value)
            case _:
                assert_never(value)

    def _operand(self, value: Value, *, mask: bool = False) -> str:
        return bracketed(self.value(value, mask=mask))

    def _cleared(self, condition: Condition, value: Value, *, mask: bool) -> str:
        """0 where the condition holds, else the value: by its bits, of which no compiler makes a jump."""
        flag, bits = bracketed(self.condition(condition)), width(value)
        if mask:
            flag = f"({c_type(bits, mask=True)}){flag}"
        keep = f"{flag} - {constant(1, bits, mask=mask)}"
        return f"{self._operand(value, mask=mask)} & ({keep})"

    def _grown(self, value: Grown) -> str:
        name, since = self.names[value.slot.name], self.names[value.since.name]
        cap = constant(value.cap, value.slot.width, mask=False)
        grown = f"({since} >= ({cap} - {name})) ? {cap} : ({name} + {since})"
        return (
            f"({name} < {constant(0, value.slot.width, mask=False)}) ? {name} : ({grown})"
            if value.still
            else grown
        )

    def _unpacked(self, value: Unpacked) -> str:
        text = self.names[value.slot.name]
        if value.shift:
            text = f"{text} >> {value.shift}"
        if value.mask is not None:
            text = f"{bracketed(text)} & {value.mask}"
        return text if value.top is None else f"{value.top} - {bracketed(text)}"


def _has_sure_bits(value: Value, *, mask: bool) -> bool:
    """Whether a value is a mask, or a number of 32 bits that is none of a request's."""
    return isinstance(value, Unpacked) or (mask and isinstance(value, Read))


def bracketed(text: str) -> str:
    """A text as an operand."""
    return text if _SIMPLE.fullmatch(text) else f"({text})"


def _hole(ranges: Ranges, lo: int, hi: int) -> int | None:
    """The one value that ranges leave out."""
    outside = complement_ranges(ranges, lo, hi)
    return outside[0][0] if len(outside) == 1 and outside[0][0] == outside[0][1] else None


def _joins_bits(condition: Condition) -> bool:
    """Whether a condition is printed with `&` or `|` outermost."""
    match condition:
        case Both(parts=parts) | Either(parts=parts):
            return sum(map(cost, parts)) <= CHEAP
        case Inside():
            return cost(condition) > 1
        case _:
            return False


def _zero(slot: Slot) -> str:
    return constant(0, slot.width, mask=True)


def cost(condition: Condition) -> int:
    """About how many comparisons a condition takes."""
    match condition:
        case Truth() | Flag():
            return 0
        case Inside(ranges=ranges, lo=lo, hi=hi):
            if _hole(ranges, lo, hi) is not None:
                return 1
            return sum(1 if a in (b, lo) or b == hi else 2 for a, b in ranges)
        case MaskTest() | Bit():
            return 1
        case Compare(left=left, right=right):
            return 1 + _work(left) + _work(right)
        case Both(parts=parts) | Either(parts=parts):
            return sum(map(cost, parts))
        case Negation(part=part):
            return cost(part)
        case _:
            assert_never(condition)


def _work(value: Value) -> int:
    """About the operations of a value where it stands; a call has its value already."""
    match value:
        case Number() | Read() | Unpacked() | Grown():
            return 0
        case Arith(op=op, left=left, right=right):
            return 0 if op in _HELPERS else 1 + _work(left) + _work(right)
        case FloorDiv():
            return 0
        case Choose(condition=condition, then=then, otherwise=otherwise):
            return 1 + cost(condition) + _work(then) + _work(otherwise)
        case _:
            assert_never(value)
