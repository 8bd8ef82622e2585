"""Slots that gather, as WebAssembly: the best of several values, the bits of a mask.

In: a slot, when it takes something, and what.  Out: instructions; and what slots surely hold, which is kept here.

What always holds: a local is 0 before it is set, so that a slot which starts at 0 costs nothing.
"""

from __future__ import annotations

from typing import Final, assert_never

from govlang.compiler.ir import CompareOp
from govlang.compiler.program import Both, Compare, Condition, Read, Slot, Truth, Value, Way
from govlang.compiler.program_walk import condition_reads, value_reads
from govlang.compiler.wasm_values import Expressions, cost_of

_CHEAP: Final = 10
"""Instructions up to which a value is worked out rather than jumped over."""


class Gathers:
    """Writes what slots gather into a function; `known` is what slots surely hold."""

    def __init__(self, expressions: Expressions, known: dict[Slot, int]) -> None:
        self.expressions = expressions
        self.code = expressions.code
        self.places = expressions.places
        self.known = known

    def set(self, slot: Slot) -> None:
        """Pop into a slot."""
        self.code.set(self.places[slot].number)
        self.known.pop(slot, None)

    def gather(self, slot: Slot, condition: Condition, value: Value, way: Way) -> None:
        """A `select` keeps the new value or the old one; a value that costs much is jumped over."""
        code = self.code
        alone = condition == Truth(True) or cost_of(value) == 1
        if not alone and (way is not Way.LAST or cost_of(value) > _CHEAP):
            self.expressions.condition(condition)
            with code.block("if"):
                self.gather(slot, Truth(True), value, way)
            return
        if way is not Way.LAST and cost_of(value) > 1:
            self.expressions.value(value, slot.width)
            self._better(slot, way)
        else:
            self._select(slot, _when_better(slot, condition, value, way), value)
        self.set(slot)

    def _select(self, slot: Slot, condition: Condition, value: Value) -> None:
        """The value where the condition holds, else what the slot holds."""
        code, local = self.code, self.places[slot].number
        if condition == Truth(True):
            self.expressions.value(value, slot.width)
            return
        chained = slot not in (*condition_reads(condition), *value_reads(value))
        if chained and code.ends_with_set(local):
            code.take_back(local)
            self.expressions.value(value, slot.width)
            self.expressions.condition(condition, negate=True)
        else:
            self.expressions.value(value, slot.width)
            code.get(local)
            self.expressions.condition(condition)
        code.op("select")

    def _better(self, slot: Slot, way: Way) -> None:
        """The better one of what is on top and what the slot holds."""
        code, local = self.code, self.places[slot].number
        with self.expressions.scratch(slot.width) as found:
            code.tee(found)
            code.get(local)
            code.get(found)
            code.get(local)
            code.op(f"i{slot.width}.{'lt_s' if way is Way.LEAST else 'gt_s'}")
            code.op("select")

    def mark(self, slot: Slot, condition: Condition, mask: int) -> None:
        """A slot gets the bits of a mask where the condition holds."""
        code = self.code
        fresh = self.known.get(slot) == 0
        if not fresh and slot not in condition_reads(condition):
            code.take(self.places[slot].number)
        elif not fresh:
            code.push(self.places[slot])
        self._bits(slot.width, condition, mask)
        if not fresh:
            code.op(f"i{slot.width}.or")
        self.set(slot)

    def _bits(self, width: int, condition: Condition, mask: int) -> None:
        """`mask` where the condition holds, else 0."""
        code = self.code
        if condition == Truth(True):
            code.const(mask, width)
        elif mask.bit_count() > 1:
            code.const(mask, width)
            code.const(0, width)
            self.expressions.condition(condition)
            code.op("select")
        else:
            self.expressions.condition(condition, strict=True)
            if width == 64:
                code.op("i64.extend_i32_u")
            if mask > 1:
                code.const(mask.bit_length() - 1, width)
                code.op(f"i{width}.shl")


def _when_better(slot: Slot, condition: Condition, value: Value, way: Way) -> Condition:
    """When a slot takes a value that costs nothing to look at twice."""
    old = Read(slot, slot.width)
    match way:
        case Way.LAST:
            return condition
        case Way.LEAST:
            better = Compare(CompareOp.LT, value, old)
        case Way.GREATEST:
            better = Compare(CompareOp.LT, old, value)
        case _:
            assert_never(way)
    return better if condition == Truth(True) else Both((condition, better))
