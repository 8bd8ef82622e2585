"""The operand stack of WebAssembly as expressions over locals and named cells.

In: instructions on values, one after another, and the strand where statements go.  Out: expressions.
What always holds: an operand keeps the value that it had when it was pushed: before a local is set,
operands that read it are put into locals of their own (`t0`, `t1` …), which are never set again; an
expression is at most `DEPTH_MAX` deep, and every instruction makes at most one node of one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from govlang.verifier.translation import machine
from govlang.verifier.translation.machine import Expr, Local
from govlang.verifier.translation.wasm_bytes import refusal
from govlang.verifier.translation.wasm_instructions import (
    CONSTANTS,
    EQZ,
    OPS,
    TESTS,
    Code,
    Instruction,
)
from govlang.verifier.translation.wasm_strands import Operand, Strand

DEPTH_MAX: Final = 64
"""How deep an expression may be; what is deeper is put into a local first."""


_LOCALS: Final = {Code.LOCAL_GET, Code.LOCAL_SET, Code.LOCAL_TEE}


@dataclass(frozen=True, slots=True)
class Cells:
    """The globals that `decide` may touch, by number: name and width."""

    variables: Mapping[int, tuple[str, int]]
    outcome: Mapping[int, tuple[str, int]]
    kept: frozenset[int] = frozenset()
    """The variables that it may set, too, and never reads behind that."""


class Operands:
    """The stack, and the locals that the function has so far."""

    def __init__(self, locals_: Sequence[int], cells: Cells) -> None:
        self.cells = cells
        self.widths = {local_name(i): width for i, width in enumerate(locals_)}
        self.stack: list[Operand] = []
        self.floor = 0  # operands below it belong to blocks further out
        self.offset = 0  # where the instruction stands that is taken in
        self.stored: set[int] = set()
        self._made = 0

    @property
    def at(self) -> str:
        """The place of a statement."""
        return f"offset {self.offset:#x}"

    # --- the stack ------------------------------------------------------------------------------

    def push(self, value: Expr, *of: Operand) -> None:
        """Push an expression made of these operands."""
        self.stack.append(Operand(value, 1 + max((one.depth for one in of), default=-1)))

    def pop(self, strand: Strand) -> Operand:
        """Pop an operand of which an expression is made."""
        found = self.stack.pop()
        if found.depth < DEPTH_MAX:
            return found
        return Operand(self.kept(strand, found.value), 0)

    def kept(self, strand: Strand, value: Expr) -> Expr:
        """A value that can be used more than once: in a local, unless it is no more than one."""
        if isinstance(value, machine.Const | machine.Cell | machine.Local):
            return value
        one = self.new("t", width_of(value))
        strand.statements.append(machine.Set(one.name, value, self.at))
        return one

    def new(self, kind: str, width: int) -> Local:
        """A new local."""
        one = Local(width, f"{kind}{self._made}")
        self._made += 1
        self.widths[one.name] = width
        return one

    def keep(self, strand: Strand, changing: Collection[str]) -> None:
        """Before locals change: operands of this block that read them get locals of their own."""
        for place in range(self.floor, len(self.stack)):
            value = self.stack[place].value
            if any(name in changing for name in _reads(value)):
                one = self.new("t", width_of(value))
                strand.statements.append(machine.Set(one.name, value, self.at))
                self.stack[place] = Operand(one, 0)

    # --- instructions ---------------------------------------------------------------------------

    def take(self, one: Instruction, strand: Strand) -> None:
        """An instruction on values."""
        if one.code in _LOCALS:
            self._local(one, strand)
        elif one.code in CONSTANTS:
            self.push(machine.Const(CONSTANTS[one.code], one.args[0]))
        elif one.code in TESTS:
            test, width = TESTS[one.code]
            right, left = self.pop(strand), self.pop(strand)
            self.push(machine.Compared(test, width, left.value, right.value), left, right)
        elif one.code in OPS:
            op, width = OPS[one.code]
            right, left = self.pop(strand), self.pop(strand)
            self.push(machine.Binary(op, width, left.value, right.value), left, right)
        elif one.code in EQZ:
            width, operand = EQZ[one.code], self.pop(strand)
            zero = machine.Const(width, 0)
            self.push(machine.Compared(machine.Test.EQ, width, operand.value, zero), operand)
        else:
            self._other(one, strand)

    def _other(self, one: Instruction, strand: Strand) -> None:
        match one.code:
            case Code.WRAP:
                operand = self.pop(strand)
                self.push(machine.Wrap(operand.value), operand)
            case Code.EXTEND_S | Code.EXTEND_U:
                operand = self.pop(strand)
                self.push(machine.Extend(operand.value, one.code == Code.EXTEND_S), operand)
            case Code.SELECT:
                condition, otherwise, then = (self.pop(strand) for _ in range(3))
                self.select(condition, then, otherwise)
            case Code.DROP:
                self.stack.pop()
            case _:
                self._cell(one, strand)

    def select(self, condition: Operand, then: Operand, otherwise: Operand) -> None:
        """Push the choice between two values."""
        width = width_of(then.value)
        value = machine.Select(width, condition.value, then.value, otherwise.value)
        self.push(value, condition, then, otherwise)

    def _cell(self, one: Instruction, strand: Strand) -> None:
        number = one.args[0]
        if one.code == Code.GLOBAL_SET:
            if number in self.cells.kept:
                self.stored.add(number)
                name, _ = self.cells.variables[number]
            elif number in self.cells.outcome:
                name, _ = self.cells.outcome[number]
            else:
                raise refusal(one.at, f"a step sets the global {number}, which is no outcome")
            strand.statements.append(machine.Store(name, self.stack.pop().value, self.at))
            return
        if number not in self.cells.variables:
            raise refusal(one.at, f"a step reads the global {number}, which is no variable")
        if number in self.stored:
            raise refusal(one.at, f"a step reads the global {number} behind where it sets it")
        name, width = self.cells.variables[number]
        self.push(machine.Cell(width, name))

    def _local(self, one: Instruction, strand: Strand) -> None:
        name = local_name(one.args[0])
        if one.code != Code.LOCAL_GET:
            value = self.stack.pop().value
            self.keep(strand, (name,))
            strand.statements.append(machine.Set(name, value, self.at))
        if one.code != Code.LOCAL_SET:
            self.push(machine.Local(self.widths[name], name))


# --- expressions ---------------------------------------------------------------------------------


def local_name(number: int) -> str:
    """The name of a local of the module."""
    return f"l{number}"


def width_of(value: Expr) -> int:
    """The width of a value."""
    match value:
        case machine.Compared() | machine.Wrap() | machine.Lowest():
            return 32
        case machine.Extend():
            return 64
        case _:
            return value.width


def _reads(value: Expr) -> Iterator[str]:
    """The locals that an expression reads."""
    match value:
        case machine.Local(name=name):
            yield name
        case machine.Binary(left=left, right=right) | machine.Compared(left=left, right=right):
            yield from _reads(left)
            yield from _reads(right)
        case machine.Select(condition=condition, then=then, otherwise=otherwise):
            for part in (condition, then, otherwise):
                yield from _reads(part)
        case machine.Wrap(operand=operand) | machine.Extend(operand=operand):
            yield from _reads(operand)
        case machine.Lowest(operand=operand):
            yield from _reads(operand)
        case machine.Const() | machine.Cell():
            pass
        case _:
            assert_never(value)
