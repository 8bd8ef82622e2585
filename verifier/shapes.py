"""Conditions as boxes: what can be settled by interval arithmetic.

In: a condition.  Out: its terms; the condition holds only inside some term's box, and a term that is
exact holds everywhere in its box.

What always holds: the boxes together contain every row on which the condition is true.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Final, assert_never

from govlang.compiler import ir
from govlang.compiler.ir import Ranges
from govlang.verifier import ranges
from govlang.verifier.columns import OFF, ON, Columns

TERMS_MAX: Final = 8

Box = Mapping[int, Ranges]
"""Column → the values allowed; a column that is not there may have any value."""


@dataclass(frozen=True, slots=True)
class Term:
    """A box, and whether the condition holds everywhere in it."""

    box: Box
    exact: bool


Terms = tuple[Term, ...]
ALWAYS: Final[Terms] = (Term({}, exact=True),)
MAYBE: Final[Terms] = (Term({}, exact=False),)


def terms(columns: Columns, condition: ir.BoolExpr) -> Terms:
    """The terms of a condition; none if boxes show that it cannot hold."""
    return _terms(columns, condition, holds=True)


def _terms(columns: Columns, condition: ir.BoolExpr, *, holds: bool) -> Terms:
    match condition:
        case ir.BoolConst(value=value):
            return ALWAYS if value is holds else ()
        case ir.Not(operand=operand):
            return _terms(columns, operand, holds=not holds)
        case ir.And(operands=operands) | ir.Or(operands=operands):
            parts = [_terms(columns, one, holds=holds) for one in operands]
            together = isinstance(condition, ir.And) is holds
            return reduce(_both, parts) if together else reduce(_either, parts)
        case ir.InRanges(name=name, ranges=allowed):
            return _on(columns, columns.value[name], allowed, holds=holds)
        case ir.Has(name=name):
            found = columns.has.get(name)
            if found is None:
                return ALWAYS if holds else ()
            return _on(columns, found, ON, holds=holds)
        case ir.SetTest(name=name, op=op, mask=mask):
            return _set_terms(columns.members[name], op, mask, holds=holds)
        case ir.TextTest(name=name, patterns=patterns):
            return _text_terms(columns, name, patterns, holds=holds)
        case ir.TextEqual(left=left, right=right):
            return _on(columns, columns.equal[left, right], ON, holds=holds)
        case ir.Compare() | ir.DecisionIn():
            return MAYBE
        case _:
            assert_never(condition)


def _on(columns: Columns, column: int, allowed: Ranges, *, holds: bool) -> Terms:
    domain = columns.domain(column)
    left = ranges.meet(domain, allowed) if holds else ranges.minus(domain, allowed)
    if not left:
        return ()
    return ALWAYS if left == domain else (Term({column: left}, exact=True),)


def _set_terms(members: tuple[int, ...], op: ir.SetOp, mask: int, *, holds: bool) -> Terms:
    inside = [column for i, column in enumerate(members) if mask >> i & 1]
    outside = [column for i, column in enumerate(members) if not mask >> i & 1]
    match op:
        case ir.SetOp.ANY:
            return _some(inside, ON) if holds else _every(inside, OFF)
        case ir.SetOp.ALL:
            return _every(inside, ON) if holds else _some(inside, OFF)
        case ir.SetOp.WITHIN:
            return _every(outside, OFF) if holds else _some(outside, ON)
        case _:
            assert_never(op)


def _every(numbers: list[int], value: Ranges) -> Terms:
    return (Term(dict.fromkeys(numbers, value), exact=True),)


def _some(numbers: list[int], value: Ranges) -> Terms:
    if len(numbers) > TERMS_MAX:
        return MAYBE
    return tuple(Term({number: value}, exact=True) for number in numbers)


def _text_terms(
    columns: Columns, name: str, patterns: tuple[ir.Pattern, ...], *, holds: bool
) -> Terms:
    numbers = columns.classes[name]
    accepting = columns.texts.classes[name].accepting(patterns)
    found = {numbers[i]: ranges.of_values(classes) for i, classes in accepting.items()}
    if not holds:
        parts = [_on(columns, number, allowed, holds=False) for number, allowed in found.items()]
        return reduce(_both, parts)
    parts = [_on(columns, number, allowed, holds=True) for number, allowed in found.items()]
    either = reduce(_either, parts)
    if len(numbers) == 1 or any(p.kind is not ir.PatternKind.LITERAL for p in patterns):
        return either
    return _both(either, (Term(_literal_box(columns, name, patterns), exact=True),))


def _literal_box(columns: Columns, name: str, patterns: tuple[ir.Pattern, ...]) -> Box:
    """What the other columns of a split field say of these literals."""
    rows = [columns.texts.classes[name].class_of(p.text.encode()) for p in patterns]
    numbers = columns.classes[name]
    return {number: ranges.of_values(row[i] for row in rows) for i, number in enumerate(numbers)}


def intersection(a: Box, b: Box) -> Box | None:
    """The box of what both hold; `None` if a column is left without a value."""
    if len(a) < len(b):
        a, b = b, a
    found = dict(a)
    for column, allowed in b.items():
        own = found.get(column)
        if own is None:
            found[column] = allowed
        else:
            both = ranges.meet(own, allowed)
            if not both:
                return None
            found[column] = both
    return found


def overlap(a: Box, b: Box) -> bool:
    """Whether two boxes have a row in common, as far as their columns show."""
    if len(a) > len(b):
        a, b = b, a
    for column, allowed in a.items():
        own = b.get(column)
        if own is not None and not ranges.overlap(own, allowed):
            return False
    return True


def contains(box: Box, row: list[int]) -> bool:
    """Whether a row lies in a box."""
    for column, allowed in box.items():
        value = row[column]
        if len(allowed) == 1:
            if not allowed[0][0] <= value <= allowed[0][1]:
                return False
        elif not ranges.holds(allowed, value):
            return False
    return True


def hull(boxes: list[Box]) -> Box:
    """The smallest box round some boxes (at least one)."""
    shared = set(boxes[0]).intersection(*boxes[1:])
    return {column: reduce(ranges.join, (box[column] for box in boxes)) for column in shared}


def _both(a: Terms, b: Terms) -> Terms:
    if a is ALWAYS:
        return b
    if b is ALWAYS:
        return a
    if len(a) * len(b) > TERMS_MAX:
        a, b = (_hulled(a), b) if len(a) >= len(b) else (a, _hulled(b))
    found = [
        Term(box, x.exact and y.exact)
        for x in a
        for y in b
        if (box := intersection(x.box, y.box)) is not None
    ]
    return _capped(tuple(found))


def _either(a: Terms, b: Terms) -> Terms:
    if a is ALWAYS or b is ALWAYS:
        return ALWAYS
    one, two = _single(a), _single(b)
    if one and two and one[0] == two[0]:
        return (Term({one[0]: ranges.join(one[1], two[1])}, exact=True),)
    return _capped((*a, *b))


def _single(some: Terms) -> tuple[int, Ranges] | None:
    """The column and values of a single exact term on a single column."""
    if len(some) == 1 and some[0].exact and len(some[0].box) == 1:
        return next(iter(some[0].box.items()))
    return None


def _hulled(some: Terms) -> Terms:
    return some if len(some) < 2 else (Term(hull([t.box for t in some]), exact=False),)


def _capped(some: Terms) -> Terms:
    return some if len(some) <= TERMS_MAX else _hulled(some)
