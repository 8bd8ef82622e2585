"""Random expressions of C over the four types, and what C99 says that they come to.

In: a seeded generator.  Out: expressions as trees and as text; their value, for an `int` of 32 or of 64
bits, or that C leaves it undefined (`undefined`) or to the compiler (`chosen`).

The rules stand here once more, in another form than in the reader: C's integer types are triples of
width, sign and rank, and values are plain integers.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

TYPES: Final = ("int32_t", "uint32_t", "int64_t", "uint64_t")
SIGNS: Final = ("+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>")
TESTS: Final = ("==", "!=", "<", "<=", ">", ">=")
POINTS: Final = (
    0,
    1,
    2,
    3,
    5,
    7,
    31,
    32,
    33,
    63,
    64,
    100,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    2**62,
)


class NoValueError(Exception):
    """C says nothing of the value; or it is the compiler's choice."""


class CType(NamedTuple):
    """An integer type: bits, whether it has a sign, its rank."""

    bits: int
    signed: bool
    rank: int

    def holds(self, value: int) -> bool:
        """Whether a value is one of the type."""
        least = -(1 << (self.bits - 1)) if self.signed else 0
        return least <= value < least + (1 << self.bits)


Node = tuple[object, ...]
"""`("number", text, type name, value)`, `("name", name)`, `("cast", type name, a)`, `(sign, a)`,
`(sign, a, b)`, `("?", a, b, c)`."""


# --- making ----------------------------------------------------------------------------------------


def variables() -> dict[str, str]:
    """The members that expressions read: three of each type."""
    return {f"{kind[0]}{kind[-4:-2]}_{n}": kind for kind in TYPES for n in range(3)}


def values(rng: random.Random) -> dict[str, int]:
    """Values of the members, often at the ends of their types."""
    found = {}
    for name, kind in variables().items():
        bits = int(kind[-4:-2])
        pick = rng.choice((*POINTS, rng.getrandbits(6), rng.getrandbits(bits)))
        value = pick if rng.random() < 0.6 else -pick
        wrapped = value % (1 << bits)
        found[name] = wrapped - (1 << bits) if kind[0] == "i" and wrapped >> (bits - 1) else wrapped
    return found


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes expressions: anything that the grammar has, or such as a careful writer casts."""

    rng: random.Random
    careful: bool

    def expression(self, depth: int) -> Node:
        """An expression of at most this depth."""
        rng = self.rng
        if depth == 0 or rng.random() < 0.1:
            return self.leaf()
        pick = rng.random()
        if pick < 0.2:
            return ("cast", rng.choice(TYPES), self.expression(depth - 1))
        if pick < 0.3:
            return (rng.choice(("-", "~", "!")), self.expression(depth - 1))
        if pick < 0.4:
            return (
                rng.choice(("&&", "||")),
                self.expression(depth - 1),
                self.expression(depth - 1),
            )
        if pick < 0.47:
            parts = (self.expression(depth - 1) for _ in range(3))
            return ("?", *parts)
        if pick < 0.6:
            return self.pair(rng.choice(TESTS), depth)
        return self.pair(rng.choice(SIGNS), depth)

    def pair(self, sign: str, depth: int) -> Node:
        """An operator with operands that mostly fit together."""
        rng, left = self.rng, self.expression(depth - 1)
        right = self.expression(depth - 1)
        if sign in ("<<", ">>") and rng.random() < 0.8:
            right = number(str(rng.choice((0, 1, 2, 7, 15, 31))), "int")
            left = ("cast", "uint64_t", left) if rng.random() < 0.3 else left
        if sign in ("/", "%") and rng.random() < 0.7:
            right = number(str(rng.choice((1, 2, 7, 60))), "int")
        if self.careful:
            kind = rng.choice(TYPES)
            left = ("cast", kind, left)
            right = right if sign in ("<<", ">>") else ("cast", kind, right)
            made: Node = (sign, left, right)
            return ("cast", kind, made) if kind == "uint32_t" and sign not in TESTS else made
        return (sign, left, right)

    def leaf(self) -> Node:
        """A constant or a member."""
        rng = self.rng
        if rng.random() < 0.65:
            return ("name", rng.choice(tuple(variables())))
        suffix, most = rng.choice((("", 31), ("u", 32), ("ll", 63), ("ull", 64)))
        value = min(rng.choice((*POINTS, rng.getrandbits(most))), (1 << most) - 1)
        text = hex(value) if rng.random() < 0.3 else str(value)
        return number(text + rng.choice((suffix, suffix.upper())), _KINDS[suffix])


_KINDS: Final = {"": "int", "u": "unsigned", "ll": "int64_t", "ull": "uint64_t"}


def number(text: str, kind: str) -> Node:
    """A constant."""
    return ("number", text, kind, int(text.rstrip("uUlL"), 0))


def text_of(node: Node) -> str:
    """An expression as C has it, in brackets where it is no word."""
    match node:
        case ("number", str(text), _, _):
            return text
        case ("name", str(name)):
            return f"request->{name}"
        case ("cast", str(kind), tuple(inner)):
            return f"({kind}){text_of(inner)}" if inner[0] != "-" else f"({kind})({text_of(inner)})"
        case ("?", tuple(a), tuple(b), tuple(c)):
            return f"({text_of(a)} ? {text_of(b)} : {text_of(c)})"
        case (sign, tuple(a)):
            return f"({sign}{text_of(a)})"
        case (sign, tuple(a), tuple(b)):
            return f"({text_of(a)} {sign} {text_of(b)})"
        case _:
            raise AssertionError(node)


def parts_of(node: Node) -> Iterator[Node]:
    """A node and all in it."""
    yield node
    for part in node[1:]:
        if isinstance(part, tuple):
            yield from parts_of(part)


# --- meaning ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Meaning:
    """C with an `int` of so many bits, and the values of the members."""

    int_bits: int
    values: Mapping[str, int]

    def type(self, name: str) -> CType:
        """A type by its name; the ranks are those of an implementation with such an `int`."""
        if name in ("int", "unsigned"):
            return CType(self.int_bits, name == "int", 3)
        bits = int(name[-4:-2])
        rank = {32: 3 if self.int_bits == 32 else 2, 64: 4}[bits]
        return CType(bits, name[0] == "i", rank)

    def value(self, node: Node) -> tuple[CType, int]:
        """The type and the value of an expression.

        Raises:
            NoValueError: C does not say what it comes to.

        """
        match node:
            case ("number", _, str(kind), int(value)):
                return self.type(kind), value
            case ("name", str(name)):
                return self.type(variables()[name]), self.values[name]
            case ("cast", str(kind), tuple(a)):
                return self.type(kind), converted(self.value(a)[1], self.type(kind))
            case ("?", tuple(a), tuple(b), tuple(c)):
                to = self.usual(self.type_of(b), self.type_of(c))
                chosen = b if self.value(a)[1] else c
                return to, converted(self.value(chosen)[1], to)
            case ("&&" | "||" as sign, tuple(a), tuple(b)):
                first = self.value(a)[1] != 0
                return self.type("int"), int(
                    first if first == (sign == "||") else self.value(b)[1] != 0
                )
            case (str(sign), tuple(a)):
                return self.unary(sign, *self.value(a))
            case ("<<" | ">>" as sign, tuple(a), tuple(b)):
                return self.shifted(sign, *self.value(a), self.value(b)[1])
            case (str(sign), tuple(a), tuple(b)):
                return self.binary(sign, *self.value(a), *self.value(b))
            case _:
                raise AssertionError(node)

    def type_of(self, node: Node) -> CType:
        """The type of an expression, which does not depend on values."""
        match node:
            case ("number", _, str(kind), _):
                return self.type(kind)
            case ("name", str(name)):
                return self.type(variables()[name])
            case ("cast", str(kind), _):
                return self.type(kind)
            case ("?", _, tuple(b), tuple(c)):
                return self.usual(self.type_of(b), self.type_of(c))
            case ("!", _) | ("&&" | "||", _, _):
                return self.type("int")
            case (str(sign), _, _) if sign in TESTS:
                return self.type("int")
            case (_, tuple(a)) | ("<<" | ">>", tuple(a), _):
                return self.promoted(self.type_of(a))
            case (_, tuple(a), tuple(b)):
                return self.usual(self.type_of(a), self.type_of(b))
            case _:
                raise AssertionError(node)

    def promoted(self, kind: CType) -> CType:
        """6.3.1.1: what is below `int` becomes `int`; all values of ours fit."""
        return self.type("int") if kind.rank < 3 else kind

    def usual(self, one: CType, other: CType) -> CType:
        """6.3.1.8."""
        one, other = self.promoted(one), self.promoted(other)
        if one.signed == other.signed:
            return max(one, other, key=lambda kind: kind.rank)
        with_, without = (one, other) if one.signed else (other, one)
        if without.rank >= with_.rank:
            return without
        return with_ if with_.bits > without.bits else CType(with_.bits, False, with_.rank)

    def unary(self, sign: str, kind: CType, value: int) -> tuple[CType, int]:
        """`-`, `~`, `!`."""
        if sign == "!":
            return self.type("int"), int(value == 0)
        to = self.promoted(kind)
        return to, computed(-value if sign == "-" else ~value, to)

    def shifted(self, sign: str, kind: CType, value: int, count: int) -> tuple[CType, int]:
        """6.5.7."""
        to = self.promoted(kind)
        if not 0 <= count < to.bits:
            raise NoValueError("undefined")
        if value < 0:
            raise NoValueError("undefined" if sign == "<<" else "chosen")
        return to, computed(value << count, to) if sign == "<<" else value >> count

    def binary(self, sign: str, one: CType, a: int, other: CType, b: int) -> tuple[CType, int]:
        """All other operators."""
        to = self.usual(one, other)
        a, b = converted(a, to), converted(b, to)
        if sign in TESTS:
            return self.type("int"), int(_TESTED[sign](a, b))
        if sign in ("/", "%"):
            return to, _divided(sign, a, b, to)
        return to, computed(_DONE[sign](a, b), to)


_TESTED: Final = {
    "==": int.__eq__,
    "!=": int.__ne__,
    "<": int.__lt__,
    "<=": int.__le__,
    ">": int.__gt__,
    ">=": int.__ge__,
}
_DONE: Final = {
    "+": int.__add__,
    "-": int.__sub__,
    "*": int.__mul__,
    "&": int.__and__,
    "|": int.__or__,
    "^": int.__xor__,
}


def _divided(sign: str, a: int, b: int, to: CType) -> int:
    if b == 0:
        raise NoValueError("undefined")
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    if not to.holds(quotient):
        raise NoValueError("undefined")
    return quotient if sign == "/" else a - b * quotient


def computed(value: int, to: CType) -> int:
    """What an operator gives: unsigned numbers wrap, others stay inside."""
    if to.signed and not to.holds(value):
        raise NoValueError("undefined")
    return value if to.signed else value % (1 << to.bits)


def converted(value: int, to: CType) -> int:
    """6.3.1.3: what a signed type cannot hold is the compiler's choice."""
    if to.signed and not to.holds(value):
        raise NoValueError("chosen")
    return value if to.signed else value % (1 << to.bits)
