"""Whether a local lies in ranges, as WebAssembly.

In: a local, ranges that are sorted and disjoint, and the domain in which the local surely lies.
Out: the instructions that leave the answer on the stack: 0 or not 0, or 0 or 1 where that is asked for.

What always holds: nothing branches but an `if` with a result, and those are as deep as the logarithm
of the number of ranges.
"""

from __future__ import annotations

from collections.abc import Iterator

from govlang.compiler.ir import Ranges
from govlang.compiler.wasm_code import Code, Place

Range = tuple[int, int]


class RangeTests:
    """Writes tests of ranges into a function."""

    def __init__(self, code: Code) -> None:
        self.code = code

    def inside(
        self, place: Place, ranges: Ranges, domain: Range, *, negate: bool, strict: bool
    ) -> None:
        """Whether a slot lies in one of the ranges."""
        beside = tuple(_beside(ranges, *domain))
        if len(beside) < len(ranges):
            ranges, negate = beside, not negate
        if not ranges:
            self.code.const(int(negate))
        elif len(ranges) == 1:
            self._in_range(place, ranges[0], domain, negate=negate, strict=strict)
        elif domain[1] - domain[0] < place.width:
            self._in_window(place, ranges, domain, negate=negate)
        elif len(ranges) == 2:
            for one in ranges:
                self._in_range(place, one, domain, negate=negate, strict=True)
            self.code.op("i32.and" if negate else "i32.or")
        else:
            self._in_halves(place, ranges, domain, negate=negate, strict=strict)

    def _in_range(
        self, place: Place, one: Range, domain: Range, *, negate: bool, strict: bool
    ) -> None:
        code, width = self.code, place.width
        if one == domain:
            code.const(int(not negate))
            return
        code.push(place)
        if width == 32 and domain == (0, 1):
            if (one == (0, 0)) != negate:
                code.op("i32.eqz")
            return
        if one == (0, 0) and not negate:
            code.op(f"i{width}.eqz")
            return
        if one == (0, 0) and width == 32 and not strict:
            return
        number, names = _test_of(one, domain)
        if number is None:
            code.const(one[0], width)
            code.op(f"i{width}.sub")
            number = one[1] - one[0]
        code.const(number, width)
        code.op(f"i{width}.{names[negate]}")

    def _in_window(self, place: Place, ranges: Ranges, domain: Range, *, negate: bool) -> None:
        """A domain of no more values than a word has bits: a constant has the answers."""
        code, width = self.code, place.width
        answers = sum((1 << hi - domain[0] + 1) - (1 << lo - domain[0]) for lo, hi in ranges)
        code.const(~answers if negate else answers, width)
        code.push(place)
        if domain[0]:
            code.const(domain[0], width)
            code.op(f"i{width}.sub")
        code.op(f"i{width}.shr_u")
        if width == 64:
            code.op("i32.wrap_i64")
        code.const(1)
        code.op("i32.and")

    def _in_halves(
        self, place: Place, ranges: Ranges, domain: Range, *, negate: bool, strict: bool
    ) -> None:
        code, width = self.code, place.width
        middle = len(ranges) // 2
        border = ranges[middle][0]
        lower, upper = (domain[0], border - 1), (border, domain[1])
        code.push(place)
        code.const(border, width)
        code.op(f"i{width}.lt_s")
        with code.block("if", 32):
            self.inside(place, ranges[:middle], lower, negate=negate, strict=strict)
            code.op("else")
            self.inside(place, ranges[middle:], upper, negate=negate, strict=strict)


def _test_of(one: Range, domain: Range) -> tuple[int | None, tuple[str, str]]:
    """The constant and the comparison (and its negation) that find a range in a domain.

    No constant: the distance from the start of the range is to be compared.
    """
    lo, hi = one
    if lo == hi:
        return lo, ("eq", "ne")
    if lo == domain[0]:
        return hi, ("le_s", "gt_s")
    if hi == domain[1]:
        return lo, ("ge_s", "lt_s")
    return None, ("le_u", "gt_u")


def _beside(ranges: Ranges, lo: int, hi: int) -> Iterator[tuple[int, int]]:
    """What a domain has beside the ranges."""
    for first, last in ranges:
        if lo < first:
            yield lo, first - 1
        lo = last + 1
    if lo <= hi:
        yield lo, hi
