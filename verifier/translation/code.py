"""Programs of a table: as trees for the proof, and run on words for a witness.

In: the words of a program.  Out: its tree, or its value.  What always holds: the stack is kept to,
the arithmetic wraps as the engine's does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from govlang.native.layout import STACK_MAX
from govlang.native.words import MASK64, Op, signed
from govlang.verifier.translation.tree import Domain, Spans, Tree, unite

_ARITHMETIC: Final = {
    Op.ADD: "+",
    Op.SUB: "-",
    Op.MUL: "*",
    Op.LEAST: "least",
    Op.GREATEST: "greatest",
}
_COMPARISON: Final = {Op.EQ: "eq", Op.NE: "ne", Op.LT: "lt", Op.LE: "le"}
_TAKES: Final = {Op.FLOORDIV: 1, Op.NOT: 1, Op.SELECT: 3} | dict.fromkeys(
    (*_ARITHMETIC, *_COMPARISON, Op.AND, Op.OR), 2
)
_OPERANDS: Final = {
    Op.CONST: 1,
    Op.FLOORDIV: 1,
    Op.IN_RANGE: 2,
    Op.ANY: 1,
    Op.ALL: 1,
    Op.WITHIN: 1,
}


class BadProgramError(ValueError):
    """A program that the engine must not run."""


def instructions(words: Sequence[int]) -> Iterator[tuple[Op, int, Sequence[int]]]:
    """The instructions: operation, column, operands."""
    at = 0
    while at < len(words):
        op, column, count = Op(words[at] & 0xFF), words[at] >> 16 & 0xFFFF, words[at] >> 32
        size = count + 1 if op is Op.MEMBER else _OPERANDS.get(op, 0)
        yield op, column, words[at + 1 : at + 1 + size]
        at += 1 + size


def bits_of(lo: int, words: Sequence[int]) -> Spans:
    """The values of a MEMBER instruction."""
    found: list[tuple[int, int]] = []
    bits = sum(word << 64 * i for i, word in enumerate(words))
    at = lo
    while bits:
        gap = (bits & -bits).bit_length() - 1
        bits >>= gap
        run = (bits + 1 & ~bits).bit_length() - 1
        found.append((at + gap, at + gap + run - 1))
        bits >>= run
        at += gap + run
    return unite((), tuple(found))


def program_tree(words: Sequence[int], domain: Domain) -> Tree:
    """What a program computes, in normal form.

    Raises:
        BadProgramError: it does not keep to its stack.
    """
    stack: list[Tree] = []
    for op, column, operands in instructions(words):
        takes = _TAKES.get(op, 0)
        if len(stack) < takes or len(stack) - takes + 1 > STACK_MAX:
            raise BadProgramError("a program leaves its stack")
        taken = stack[len(stack) - takes :]
        del stack[len(stack) - takes :]
        stack.append(_tree(op, column, operands, taken, domain))
    if len(stack) != 1:
        raise BadProgramError("a program does not leave one value")
    return stack[0]


def _tree(
    op: Op, column: int, operands: Sequence[int], taken: Sequence[Tree], domain: Domain
) -> Tree:
    match op:
        case Op.CONST:
            return ("const", signed(operands[0]))
        case Op.LOAD:
            return ("load", column)
        case Op.FLOORDIV:
            return domain.node("floor", domain.integer(taken[0]), signed(operands[0]))
        case Op.IN_RANGE:
            lo, hi = signed(operands[0]), signed(operands[1])
            return domain.inside(column, ((lo, hi),) if lo <= hi else ())
        case Op.MEMBER:
            return domain.inside(column, bits_of(signed(operands[0]), operands[1:]))
        case Op.ANY:
            return domain.any_of(column, operands[0])
        case Op.ALL:
            return domain.all_of(column, operands[0])
        case Op.WITHIN:
            return domain.within(column, operands[0])
        case Op.AND:
            return domain.conj([domain.truth(part) for part in taken])
        case Op.OR:
            return domain.disj([domain.truth(part) for part in taken])
        case Op.NOT:
            return domain.neg(domain.truth(taken[0]))
        case Op.SELECT:
            a, b = domain.integer(taken[1]), domain.integer(taken[2])
            return domain.chosen(domain.truth(taken[0]), a, b)
        case _ if op in _COMPARISON:
            return domain.compared(_COMPARISON[op], *map(domain.integer, taken))
        case _:
            return domain.arithmetic(_ARITHMETIC[op], *map(domain.integer, taken))


_RUN: Final[dict[Op, Callable[[int, int], int]]] = {
    Op.ADD: lambda a, b: a + b,
    Op.SUB: lambda a, b: a - b,
    Op.MUL: lambda a, b: a * b,
    Op.LEAST: min,
    Op.GREATEST: max,
    Op.EQ: lambda a, b: int(a == b),
    Op.NE: lambda a, b: int(a != b),
    Op.LT: lambda a, b: int(a < b),
    Op.LE: lambda a, b: int(a <= b),
    Op.AND: lambda a, b: int(bool(a) and bool(b)),
    Op.OR: lambda a, b: int(bool(a) or bool(b)),
}


def run_program(words: Sequence[int], request: Sequence[int]) -> int:
    """The value of a program on the words of a request."""
    stack: list[int] = []
    for op, column, operands in instructions(words):
        takes = _TAKES.get(op, 0)
        taken = stack[len(stack) - takes :]
        del stack[len(stack) - takes :]
        stack.append(signed(_value(op, column, operands, taken, request) & MASK64))
    return stack[0]


def _value(
    op: Op, column: int, operands: Sequence[int], taken: Sequence[int], request: Sequence[int]
) -> int:
    match op:
        case Op.CONST:
            return operands[0]
        case Op.LOAD:
            return request[column]
        case Op.FLOORDIV:
            return taken[0] // signed(operands[0])
        case Op.IN_RANGE:
            return int(signed(operands[0]) <= request[column] <= signed(operands[1]))
        case Op.MEMBER:
            at = request[column] - signed(operands[0])
            inside = 0 <= at < 64 * (len(operands) - 1)
            return operands[1 + at // 64] >> at % 64 & 1 if inside else 0
        case Op.ANY | Op.ALL | Op.WITHIN:
            return int(set_passes(op, request[column] & MASK64, operands[0]))
        case Op.NOT:
            return int(taken[0] == 0)
        case Op.SELECT:
            return taken[1] if taken[0] else taken[2]
        case _:
            return _RUN[op](taken[0], taken[1])


def set_passes(op: Op, word: int, mask: int) -> bool:
    """Whether a set passes ANY, ALL or WITHIN."""
    if op is Op.ANY:
        return word & mask != 0
    return word & mask == mask if op is Op.ALL else word & ~mask == 0
