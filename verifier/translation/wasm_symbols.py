"""Straight code of a scan as what it does: sums over what it reads, and its effects in their order.

In: the instructions of a stretch without blocks, and what its locals hold before.  Out: what they hold
after it, and its effects: exits, loads, stores, globals set.

What always holds: values are 32 bits, written as a sum of multiples modulo 2³²; two of them that are
equal as objects are equal as numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from govlang.verifier.translation.machine import Op, Test
from govlang.verifier.translation.wasm_bytes import refusal
from govlang.verifier.translation.wasm_instructions import (
    EQZ,
    LOADS,
    OPS,
    TESTS,
    Code,
    Instruction,
)

_MASK: Final = 0xFFFF_FFFF
_SIZE_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Held:
    """What a parameter holds, or a local at the head of the loop."""

    local: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """`size` bytes of the memory at `base` (modulo 2³²) and `offset` behind it."""

    size: int
    base: Sum
    offset: int


@dataclass(frozen=True, slots=True)
class Other:
    """The value of a global."""

    number: int


@dataclass(frozen=True, slots=True)
class Made:
    """An operation that is no sum; `what` is its name."""

    what: str
    parts: tuple[Sum, ...]


Atom = Held | Loaded | Other | Made


@dataclass(frozen=True, slots=True)
class Sum:
    """A constant and multiples of atoms, modulo 2³²."""

    terms: frozenset[tuple[Atom, int]] = frozenset()
    constant: int = 0
    size: int = field(default=1, compare=False)

    def times(self, factor: int) -> Sum:
        """A multiple."""
        return _summed([(atom, n * factor) for atom, n in self.terms], self.constant * factor)

    def plus(self, other: Sum) -> Sum:
        """The sum of both."""
        return _summed([*self.terms, *other.terms], self.constant + other.constant)

    @property
    def number(self) -> int | None:
        """The constant that it is, if it is one."""
        return None if self.terms else self.constant


def _summed(terms: Iterable[tuple[Atom, int]], constant: int) -> Sum:
    found: dict[Atom, int] = {}
    for atom, factor in terms:
        found[atom] = found.get(atom, 0) + factor & _MASK
    return _sum_of(frozenset((a, n) for a, n in found.items() if n), constant)


def _sum_of(terms: frozenset[tuple[Atom, int]], constant: int) -> Sum:
    return Sum(terms, constant & _MASK, 1 + sum(_size(atom) for atom, _ in terms))


def _size(atom: Atom) -> int:
    match atom:
        case Loaded(base=base):
            return base.size
        case Made(parts=parts):
            return sum(part.size for part in parts)
        case _:
            return 0


def constant(value: int) -> Sum:
    """A number."""
    return Sum(frozenset(), value & _MASK)


def one(atom: Atom) -> Sum:
    """An atom alone."""
    return _sum_of(frozenset({(atom, 1)}), 0)


# --- effects -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Exit:
    """The way leaves for the end of a block, so many blocks further out, if the condition is not 0."""

    condition: Sum
    label: int
    at: int


@dataclass(frozen=True, slots=True)
class Load:
    """The memory is read."""

    loaded: Loaded
    at: int


@dataclass(frozen=True, slots=True)
class Store:
    """A byte of the memory is written."""

    base: Sum
    offset: int
    value: Sum
    at: int


@dataclass(frozen=True, slots=True)
class Assign:
    """A global gets a value."""

    number: int
    value: Sum
    at: int


Effect = Exit | Load | Store | Assign


@dataclass(slots=True)
class Stretch:
    """A stretch of code: what the locals hold, operands, effects so far."""

    locals: dict[int, Sum]
    operands: list[Sum] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)

    def take(self, instructions: Iterable[Instruction]) -> None:
        """Run over instructions.

        Raises:
            ArtefactError: GOV416, one of them does not belong into a scan.

        """
        for instruction in instructions:
            if instruction.code in TESTS:
                test, width = TESTS[instruction.code]
                self._made(instruction, width, test, 2)
            elif instruction.code in OPS:
                op, width = OPS[instruction.code]
                self._arithmetic(instruction, op, width)
            else:
                self._other(instruction)
            if self.operands and self.operands[-1].size > _SIZE_MAX:
                raise refusal(instruction.at, "a scan works out nothing as large as this")

    def _other(self, instruction: Instruction) -> None:
        code, operands = instruction.code, self.operands
        if code in LOADS:
            loaded = Loaded(LOADS[code], operands.pop(), instruction.args[0])
            self.effects.append(Load(loaded, instruction.at))
            operands.append(one(loaded))
        elif EQZ.get(code) == 32:
            operands.append(one(Made(Test.EQ, (operands.pop(), constant(0)))))
        elif code in _SIMPLE:
            _SIMPLE[code](self, instruction)
        else:
            raise refusal(instruction.at, "this instruction does not belong into a scan")

    def _made(self, instruction: Instruction, width: int, what: str, count: int) -> None:
        if width != 32:
            raise refusal(instruction.at, "a scan has no 64 bits")
        parts = tuple(self.operands[-count:])
        del self.operands[-count:]
        self.operands.append(one(Made(what, parts)))

    def _arithmetic(self, instruction: Instruction, op: Op, width: int) -> None:
        left, right = self.operands[-2:]
        value = _computed(op, left, right) if width == 32 else None
        if value is None:
            self._made(instruction, width, op, 2)
        else:
            self.operands[-2:] = [value]

    # --- one instruction each -------------------------------------------------------------------

    def const(self, instruction: Instruction) -> None:
        """`i32.const`."""
        self.operands.append(constant(instruction.args[0]))

    def select(self, instruction: Instruction) -> None:
        """`select`."""
        self._made(instruction, 32, "select", 3)

    def local_get(self, instruction: Instruction) -> None:
        """`local.get`."""
        self.operands.append(self.locals[instruction.args[0]])

    def local_set(self, instruction: Instruction) -> None:
        """`local.set`."""
        self.locals[instruction.args[0]] = self.operands.pop()

    def local_tee(self, instruction: Instruction) -> None:
        """`local.tee`."""
        self.locals[instruction.args[0]] = self.operands[-1]

    def global_get(self, instruction: Instruction) -> None:
        """`global.get`."""
        self.operands.append(one(Other(instruction.args[0])))

    def global_set(self, instruction: Instruction) -> None:
        """`global.set`."""
        value = self.operands.pop()
        self.effects.append(Assign(instruction.args[0], value, instruction.at))

    def store(self, instruction: Instruction) -> None:
        """`i32.store8`."""
        value, base = self.operands.pop(), self.operands.pop()
        self.effects.append(Store(base, instruction.args[0], value, instruction.at))

    def leave(self, instruction: Instruction) -> None:
        """`br_if`."""
        self.effects.append(Exit(self.operands.pop(), instruction.args[0], instruction.at))


_SIMPLE: Final[Mapping[int, Callable[[Stretch, Instruction], None]]] = {
    Code.CONST32: Stretch.const,
    Code.SELECT: Stretch.select,
    Code.LOCAL_GET: Stretch.local_get,
    Code.LOCAL_SET: Stretch.local_set,
    Code.LOCAL_TEE: Stretch.local_tee,
    Code.GLOBAL_GET: Stretch.global_get,
    Code.GLOBAL_SET: Stretch.global_set,
    Code.STORE8: Stretch.store,
    Code.BR_IF: Stretch.leave,
}


def _computed(op: Op, left: Sum, right: Sum) -> Sum | None:
    """A sum that is again a sum; None if it is none."""
    match op:
        case Op.ADD:
            return left.plus(right)
        case Op.SUB:
            return left.plus(right.times(-1))
        case Op.SHL if right.number is not None:
            return left.times(1 << right.number % 32)
        case Op.MUL if right.number is not None:
            return left.times(right.number)
        case _:
            return None


def all_held(locals_: Mapping[int, Sum], changing: Iterable[int]) -> dict[int, Sum]:
    """The locals at the head of a loop that changes some of them."""
    return {**locals_, **{local: one(Held(local)) for local in changing}}


# --- what a value is -----------------------------------------------------------------------------


def comparison(condition: Sum) -> tuple[str, Sum, Sum] | None:
    """The test of a condition and its two sides."""
    match list(condition.terms):
        case [(Made(what=what, parts=(left, right)), 1)] if not condition.constant:
            return what, left, right
        case _:
            return None


def compared(condition: Sum, test: Test, right: Sum) -> Sum | None:
    """The left side of a condition with this test and right side."""
    match list(condition.terms):
        case [(Made(what=what, parts=(left, found)), 1)] if what == test and found == right:
            return None if condition.constant else left
        case _:
            return None


def loaded_of(value: Sum | None) -> Loaded | None:
    """The load that a value is."""
    match [] if value is None or value.constant else list(value.terms):
        case [(Loaded() as loaded, 1)]:
            return loaded
        case _:
            return None
