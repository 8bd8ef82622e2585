"""Operations of a machine on trees: bits, wrap-around, and what its language leaves undefined.

In: the operations and tests of `machine.py` on trees.  Out: trees, and beside them the condition under
which the operation is undefined, which must be proved never to hold.  Further integers: `("wrap",
width, a)`, which is a modulo 2^width with a sign; `("trunc" | "rem", a, divisor)`, rounded towards 0;
`("window", width, mask, a, near)`, a mask that is shifted right by a, which lies near; `("union", a, b)` and
`("common", a, b)`, the bits that one of them has and those that both have, of which is only told what they are
where one of them is 0 or both are the same: all that there is to say of flags.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from govlang.verifier.translation.conditions import Conditions
from govlang.verifier.translation.integers import FAR, ZERO, const
from govlang.verifier.translation.machine import Op, Test
from govlang.verifier.translation.machine_run import signed
from govlang.verifier.translation.spans import Span, full
from govlang.verifier.translation.tree import FALSE, TRUE, Spans, Tree, spans_of, unite


class OddCodeError(ValueError):
    """Code whose meaning this proof does not follow; the emitters print none such."""


@dataclass(slots=True)
class Words(Conditions):
    """The operations of a machine over the columns of a domain."""

    def operate(self, op: Op, width: int, a: Tree, b: Tree, *, exact: bool) -> tuple[Tree, Tree]:
        """`a op b` and when it is undefined."""
        match op:
            case Op.ADD | Op.SUB | Op.MUL:
                return self._summed(_SIGNS[op], width, a, b, exact=exact)
            case Op.DIV_S | Op.REM_S:
                return self._divided(op, a, b), FALSE
            case Op.AND | Op.OR | Op.XOR:
                return self._bitwise(op, width, a, b), FALSE
            case _:
                return self._shifted(op, width, a, b, exact=exact)

    def _summed(self, op: str, width: int, a: Tree, b: Tree, *, exact: bool) -> tuple[Tree, Tree]:
        joined = self._of_bits(op, width, a, b)
        if joined is not None:
            return joined, FALSE
        if exact:
            found = self.exact(op, a, b)
            return found, self.domain.neg(self.within(found, (full(width),)))
        whole = self.exact(op, _unwrapped(width, a), _unwrapped(width, b))
        return self.wrapped(width, whole), FALSE

    def _of_bits(self, op: str, width: int, a: Tree, b: Tree) -> Tree | None:
        """Twice a word, and a bit put below one, as words; None where it is neither, or may reach the sign."""
        known = a[0] in ("word", "if") or (a[0], b[0]) == ("const", "load")
        bits = self.bits(a, width) if known else None
        if bits is None or max(bits, default=0) >= width - 2:
            return None
        if (op, a[0], b) == ("*", "word", const(2)):
            return self.word(width, {bit + 1: condition for bit, condition in bits.items()})
        low = self.bits(b, width) if (a[0], b[0]) != ("if", "const") else None
        if op == "+" and low is not None and low.keys() == {0} and 0 not in bits:
            return self.word(width, {**low, **bits})
        return None

    def wrapped(self, width: int, tree: Tree) -> Tree:
        """The signed integer of the low bits."""
        lo, hi = full(width)
        least, largest = self.span(tree)
        if lo <= least and largest <= hi:
            return tree
        if tree[0] == "word" or (tree[0] == "load" and self.domain.spans[tree[1]] is None):
            return self.word(width, self.bits(tree, width) or {})
        plain = self.pointwise(signed, tree, const(width))
        return (
            plain if plain is not None else self.domain.node("wrap", width, _unwrapped(width, tree))
        )

    def extended(self, tree: Tree, *, keeps_sign: bool) -> Tree:
        """A 32-bit value in 64 bits."""
        if keeps_sign or self.span(tree)[0] >= 0:
            return tree
        if tree[0] == "word" or (tree[0] == "load" and self.domain.spans[tree[1]] is None):
            return self.word(64, self.bits(tree, 32) or {})
        negative = self.within(tree, ((-FAR, -1),))
        return self.chosen(negative, self.exact("+", tree, const(2**32)), tree)

    def _divided(self, op: Op, a: Tree, b: Tree) -> Tree:
        if b[0] != "const" or b[1] <= 0:
            raise OddCodeError("a division by something else than a constant above 0")
        divisor: int = b[1]
        lo, hi = self.span(a)
        if op is Op.DIV_S:
            return (
                self.floor(a, divisor)
                if lo >= 0 or divisor == 1
                else self.domain.node("trunc", a, divisor)
            )
        if divisor == 1 or (a[0] == "const" and a[1] % divisor == 0):
            return ZERO
        if lo >= 0:
            return self._modulo(a, divisor) if hi >= divisor else a
        return a if hi < divisor and -divisor < lo else self.domain.node("rem", a, divisor)

    def _modulo(self, a: Tree, divisor: int) -> Tree:
        """What floor division leaves."""
        return self.exact("-", a, self.exact("*", self.floor(a, divisor), const(divisor)))

    # --- bits ------------------------------------------------------------------------------------

    def word(self, width: int, bits: Mapping[int, Tree]) -> Tree:
        """The value of bits; those beyond the width are lost."""
        kept = {bit: c for bit, c in sorted(bits.items()) if bit < width and c != FALSE}
        if not kept:
            return ZERO
        if all(condition == TRUE for condition in kept.values()):
            return const(sum(_weight(bit, width) for bit in kept))
        while kept.get(width - 1) == kept.get(width - 2) and width > 1:
            kept.pop(width - 1, None)  # the sign, repeated
            width -= 1
        if kept.keys() == {0} and width > 1:
            return self.number(kept[0])
        first = next(iter(kept.values()))
        if first[0] == "bit" and self.widths[first[1]] <= width:
            members = self.domain.members[first[1]]
            if kept == {bit: ("bit", first[1], bit) for bit in range(members)}:
                return ("load", first[1])
        return self.domain.node("word", tuple((_weight(bit, width), c) for bit, c in kept.items()))

    def lowest(self, tree: Tree) -> list[tuple[int, Tree]]:
        """The bits of a value of 32 bits, the lowest first, each with the condition that it is set."""
        found = self.bits(tree, 32)
        if found is None:
            raise OddCodeError("the lowest bit of a number")
        return sorted(found.items())

    def _bitwise(self, op: Op, width: int, a: Tree, b: Tree) -> Tree:
        found = self.pointwise(_BITS[op], a, b)
        if found is not None:
            return found
        for one, other in ((a, b), (b, a)):
            if op is Op.AND and one[0] == "window" and other[0] == "const":
                wanted = (bit for bit in range(width) if other[1] >> bit & 1)
                return self.word(width, {bit: self._in_window(one, bit) for bit in wanted})
        left, right = self.bits(a, width), self.bits(b, width)
        if left is None or right is None:
            return self.domain.node("union", a, b) if op is Op.OR else self._masked(op, a, b)
        joined = {
            bit: self._joined(op, left.get(bit, FALSE), right.get(bit, FALSE))
            for bit in sorted({*left, *right})
        }
        return self.word(width, joined)

    def _masked(self, op: Op, a: Tree, b: Tree) -> Tree:
        """A number or 0, or its low bits, of which a flag keeps the lowest."""
        for one, other in ((a, b), (b, a)) if op is Op.AND else ():
            lo, hi = self.span(one)
            if lo >= -1 and hi <= 0:
                return self.chosen(self.within(one, ((0, 0),)), ZERO, other)
            if lo >= 0 and hi <= 1:
                both = [self.truth(one), self.truth(self._low_bits(other, 1))]
                return self.number(self.domain.conj(both))
            if other[0] == "const" and other[1] >= 0 and not other[1] & other[1] + 1:
                return self._low_bits(one, other[1])
        if op is Op.XOR:
            raise OddCodeError("bits of a number")
        return self.domain.node("common", a, b)

    def _low_bits(self, tree: Tree, mask: int) -> Tree:
        """What is left of a number modulo a power of two, be it below 0 or not, for floor division rounds down."""
        lo, hi = self.span(tree)
        return tree if lo >= 0 and hi <= mask else self._modulo(tree, mask + 1)

    def window(
        self, width: int, mask: int, count: Tree, near: Span, *, exact: bool
    ) -> tuple[Tree, Tree]:
        """A constant shifted right, without its sign, by a count that lies near here; when that is undefined."""
        if near[1] - near[0] > _TURNS_MAX * width:
            raise OddCodeError("a shift by a number that may be anything")
        bad = self.domain.neg(self.within(count, ((0, width - 1),))) if exact else FALSE
        return self.domain.node("window", width, mask & (1 << width) - 1, count, near), bad

    def _in_window(self, window: Tree, bit: int) -> Tree:
        """A bit of a constant that was shifted to the right; the count is taken modulo the width."""
        _, width, mask, count, (lo, hi) = window
        held = (
            n for n in range(lo, hi + 1) if n % width + bit < width and mask >> n % width + bit & 1
        )
        return self.within(count, spans_of(held))

    def _joined(self, op: Op, a: Tree, b: Tree) -> Tree:
        match op:
            case Op.AND:
                return self.domain.conj([a, b])
            case Op.OR:
                return self.domain.disj([a, b])
            case _:
                return self.either(a, self.domain.neg(b), b)

    def _shifted(self, op: Op, width: int, a: Tree, b: Tree, *, exact: bool) -> tuple[Tree, Tree]:
        if b[0] != "const":
            raise OddCodeError("a shift by something else than a constant")
        if exact and not 0 <= b[1] < width:
            return ZERO, TRUE
        count = b[1] % width
        if op is Op.SHL:
            fits = self.within(a, ((0, full(width)[1] >> count),)) if exact else TRUE
            return self._shifted_left(width, a, count), self.domain.neg(fits)
        if op is Op.SHR_U and a[0] == "const":
            return const(signed((a[1] & (1 << width) - 1) >> count, width)), FALSE
        bits = self._bits_of_mask(a, width)
        if bits is not None and (op is Op.SHR_U or width - 1 not in bits):
            left = {bit - count: c for bit, c in bits.items() if bit >= count}
            return self.word(width, left), FALSE
        if op is Op.SHR_U and self.span(a)[0] < 0:
            raise OddCodeError("a logical shift of a negative number")
        return self.floor(a, 1 << count), FALSE

    def _bits_of_mask(self, tree: Tree, width: int) -> dict[int, Tree] | None:
        """The bits of what is a mask by its form."""
        return self.bits(tree, width) if tree[0] in ("truth", "word", "load") else None

    def _shifted_left(self, width: int, a: Tree, count: int) -> Tree:
        bits = self._bits_of_mask(a, width)
        if bits is None:
            return self.wrapped(width, self.exact("*", a, const(1 << count)))
        return self.word(width, {bit + count: c for bit, c in bits.items()})

    # --- tests -----------------------------------------------------------------------------------

    def tested(self, test: Test, width: int, a: Tree, b: Tree) -> Tree:
        """`a test b`: a condition."""
        if test in _TURNED:
            return self.tested(_TURNED[test], width, b, a)
        match test:
            case Test.NE:
                return self.domain.neg(self.compared("eq", a, b))
            case Test.LT_U | Test.LE_U:
                return self._unsigned("lt" if test is Test.LT_U else "le", width, a, b)
            case _:
                return self.compared(_WORDS[test], a, b)

    def _unsigned(self, op: str, width: int, a: Tree, b: Tree) -> Tree:
        if b[0] == "const":
            end = (b[1] & (1 << width) - 1) - (op == "lt")
            return self.within(a, _from_zero(width, end)) if end >= 0 else FALSE
        if a[0] == "const":
            return self.domain.neg(self._unsigned("le" if op == "lt" else "lt", width, b, a))
        below = ((-FAR, -1),)
        a_below, b_below = self.within(a, below), self.within(b, below)
        apart = self.domain.conj([self.domain.neg(a_below), b_below])
        alike = self.domain.neg(self.either(a_below, self.domain.neg(b_below), b_below))
        return self.domain.disj([apart, self.domain.conj([alike, self.compared(op, a, b)])])


_TURNS_MAX: Final = 64
_SIGNS: Final = {Op.ADD: "+", Op.SUB: "-", Op.MUL: "*"}
_BITS: Final[Mapping[Op, Callable[[int, int], int]]] = {
    Op.AND: lambda a, b: a & b,
    Op.OR: lambda a, b: a | b,
    Op.XOR: lambda a, b: a ^ b,
}
_WORDS: Final = {Test.EQ: "eq", Test.LT_S: "lt", Test.LE_S: "le"}
_TURNED: Final = {
    Test.GT_S: Test.LT_S,
    Test.GE_S: Test.LE_S,
    Test.GT_U: Test.LT_U,
    Test.GE_U: Test.LE_U,
}


def _weight(bit: int, width: int) -> int:
    return -(1 << bit) if bit == width - 1 else 1 << bit


def _unwrapped(width: int, tree: Tree) -> Tree:
    """A value that is the same modulo 2^width."""
    return tree[2] if tree[0] == "wrap" and tree[1] >= width else tree


def _from_zero(width: int, end: int) -> Spans:
    """0 … end, counted without sign, as signed integers."""
    half = 1 << (width - 1)
    if end < half:
        return ((0, end),)
    return unite(((0, half - 1),), ((-half, end - 2 * half),))
