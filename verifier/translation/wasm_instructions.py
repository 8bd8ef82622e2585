"""The instructions of a function, decoded and held against the types of their operands.

In: the body of a function and the module's globals.  Out: its instructions in their order.  What always
holds: they are among those of docs/edge.md; operands have the types that WebAssembly 1.0 asks for (the
validation algorithm of its appendix); labels and indexes name something; a divisor is a constant above 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from govlang.verifier.translation.machine import Op, Test
from govlang.verifier.translation.wasm_bytes import Reader, refusal
from govlang.verifier.translation.wasm_sections import Body, Global


class Code(IntEnum):
    """The instructions that are more than an operation on values."""

    BLOCK = 0x02
    LOOP = 0x03
    IF = 0x04
    ELSE = 0x05
    END = 0x0B
    BR = 0x0C
    BR_IF = 0x0D
    BR_TABLE = 0x0E
    RETURN = 0x0F
    DROP = 0x1A
    SELECT = 0x1B
    LOCAL_GET = 0x20
    LOCAL_SET = 0x21
    LOCAL_TEE = 0x22
    GLOBAL_GET = 0x23
    GLOBAL_SET = 0x24
    LOAD8 = 0x2D
    LOAD16 = 0x2F
    STORE8 = 0x3A
    CONST32 = 0x41
    CONST64 = 0x42
    WRAP = 0xA7
    EXTEND_S = 0xAC
    EXTEND_U = 0xAD


EQZ: Final = {0x45: 32, 0x50: 64}
CONSTANTS: Final[Mapping[int, int]] = {Code.CONST32: 32, Code.CONST64: 64}
LOADS: Final[Mapping[int, int]] = {Code.LOAD8: 1, Code.LOAD16: 2}

_TEST_ORDER: Final = (
    Test.EQ,
    Test.NE,
    Test.LT_S,
    Test.LT_U,
    Test.GT_S,
    Test.GT_U,
    Test.LE_S,
    Test.LE_U,
    Test.GE_S,
    Test.GE_U,
)
_OP_ORDER: Final = (
    Op.ADD,
    Op.SUB,
    Op.MUL,
    Op.DIV_S,
    None,  # div_u
    Op.REM_S,
    None,  # rem_u
    Op.AND,
    Op.OR,
    Op.XOR,
    Op.SHL,
    Op.SHR_S,
    Op.SHR_U,
)
TESTS: Final[Mapping[int, tuple[Test, int]]] = {
    first + i: (test, width)
    for width, first in ((32, 0x46), (64, 0x51))
    for i, test in enumerate(_TEST_ORDER)
}
OPS: Final[Mapping[int, tuple[Op, int]]] = {
    first + i: (op, width)
    for width, first in ((32, 0x6A), (64, 0x7C))
    for i, op in enumerate(_OP_ORDER)
    if op is not None
}

_SIGNATURES: Final[Mapping[int, tuple[tuple[int, ...], int]]] = {
    **{code: ((width, width), 32) for code, (_, width) in TESTS.items()},
    **{code: ((width, width), width) for code, (_, width) in OPS.items()},
    **{code: ((width,), 32) for code, width in EQZ.items()},
    **{code: ((), width) for code, width in CONSTANTS.items()},
    **dict.fromkeys(LOADS, ((32,), 32)),
    Code.STORE8: ((32, 32), 0),
    Code.WRAP: ((64,), 32),
    Code.EXTEND_S: ((32,), 64),
    Code.EXTEND_U: ((32,), 64),
}
"""What operations take and give, as widths; 0 is nothing."""

_BLOCK_TYPES: Final = {0x40: 0, 0x7F: 32, 0x7E: 64}
_SCAN_ONLY: Final = {Code.LOOP, Code.LOAD8, Code.LOAD16, Code.STORE8}
_KNOWN: Final = {*Code, *_SIGNATURES}
_BRANCHES: Final = {Code.BR, Code.BR_IF}
_LOCALS: Final = {Code.LOCAL_GET, Code.LOCAL_SET, Code.LOCAL_TEE}
_GLOBALS: Final = {Code.GLOBAL_GET, Code.GLOBAL_SET}
_INDEXED: Final = _BRANCHES | _LOCALS | _GLOBALS


@dataclass(frozen=True, slots=True)
class Instruction:
    """An instruction: what follows its code (width of a block's result, index, labels, constant)."""

    at: int
    code: int
    args: tuple[int, ...] = ()


def read_instructions(
    body: Body, globals_: Sequence[Global], *, scan: bool = False
) -> tuple[Instruction, ...]:
    """The instructions of a function, its last `end` included; only the `scan` of a text has a loop and memory.

    Raises:
        ArtefactError: GOV416, an instruction that docs/edge.md does not have, or that does not fit.

    """
    reader = Reader(body.data, body.at, body.end, "function")
    checker = _Checker(body, globals_)
    found: list[Instruction] = []
    while checker.frames:
        one = _instruction(reader, scan=scan)
        checker.take(one, found[-1] if found else None)
        found.append(one)
    reader.finish()
    return tuple(found)


def _instruction(reader: Reader, *, scan: bool) -> Instruction:
    start, code = reader.at, reader.byte()
    if code not in _KNOWN or (code in _SCAN_ONLY and not scan):
        raise refusal(start, f"the instruction {code:#04x} does not belong there")
    return Instruction(start, code, _arguments(reader, code))


def _arguments(reader: Reader, code: int) -> tuple[int, ...]:
    if code in _INDEXED:
        return (reader.unsigned(),)
    if code in CONSTANTS:
        return (reader.signed(CONSTANTS[code]),)
    if code in (Code.BLOCK, Code.LOOP, Code.IF):
        return (_block_type(reader, code),)
    if code == Code.BR_TABLE:
        return tuple(reader.unsigned() for _ in range(reader.unsigned() + 1))
    if code in LOADS or code == Code.STORE8:
        reader.expect(bytes([LOADS.get(code, 1) // 2]), "the alignment")
        return (reader.unsigned(),)
    return ()


def _block_type(reader: Reader, code: int) -> int:
    start, found = reader.at, reader.byte()
    if found not in _BLOCK_TYPES or (code == Code.LOOP and _BLOCK_TYPES[found]):
        raise refusal(start, f"{found:#x} is no result of a block")
    return _BLOCK_TYPES[found]


# --- types ---------------------------------------------------------------------------------------

_ANY: Final = 0
"""The type of an operand that is never there, because nothing comes so far."""


@dataclass(slots=True)
class _Frame:
    """An open block: its code, its result, the operands below it; `dead` behind a jump."""

    code: int
    result: int
    height: int
    dead: bool = False


@dataclass(slots=True)
class _Checker:
    """Operands and open blocks as types, instruction by instruction."""

    body: Body
    globals: Sequence[Global]
    operands: list[int] = field(default_factory=list)
    frames: list[_Frame] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.frames.append(_Frame(Code.BLOCK, self.body.type.result, 0))

    def take(self, one: Instruction, before: Instruction | None) -> None:
        """Take in one instruction; `before` is the one before it."""
        if one.code in _SIGNATURES:
            self._operation(one, before)
        else:
            _CHECKS[one.code](self, one)

    def _operation(self, one: Instruction, before: Instruction | None) -> None:
        if one.code in OPS and OPS[one.code][0] in (Op.DIV_S, Op.REM_S):
            constant = before is not None and before.code in CONSTANTS
            if before is None or not constant or before.args[0] <= 0:
                raise refusal(one.at, "a divisor must be a constant above 0")
        takes, gives = _SIGNATURES[one.code]
        for width in reversed(takes):
            self._pop(one.at, width)
        self._push(gives)

    def _push(self, width: int) -> None:
        if width:
            self.operands.append(width)

    def _pop(self, at: int, wanted: int) -> int:
        """Pops an operand; `wanted` is `_ANY` where its type does not matter."""
        frame = self.frames[-1]
        if len(self.operands) == frame.height:
            if not frame.dead:
                raise refusal(at, "an operand is missing")
            return wanted
        found = self.operands.pop()
        if _ANY not in (found, wanted) and found != wanted:
            raise refusal(at, f"an operand has {found} bits and must have {wanted}")
        return found or wanted

    def _carried(self, at: int, label: int) -> int:
        """The width of what a branch to a label takes along."""
        if label >= len(self.frames):
            raise refusal(at, f"there is no block {label} further out")
        frame = self.frames[-1 - label]
        return 0 if frame.code == Code.LOOP else frame.result

    def _take_along(self, at: int, width: int) -> None:
        if width:
            self._pop(at, width)

    def _die(self) -> None:
        frame = self.frames[-1]
        del self.operands[frame.height :]
        frame.dead = True

    # --- blocks ---------------------------------------------------------------------------------

    def open(self, one: Instruction) -> None:
        """`block`, `loop`, `if`."""
        if one.code == Code.IF:
            self._pop(one.at, 32)
        self.frames.append(_Frame(one.code, one.args[0], len(self.operands)))

    def otherwise(self, one: Instruction) -> None:
        """`else`."""
        frame = self._close(one)
        if frame.code != Code.IF:
            raise refusal(one.at, "an `else` without its `if`")
        self.frames.append(_Frame(Code.ELSE, frame.result, len(self.operands)))

    def end(self, one: Instruction) -> None:
        """`end`."""
        frame = self._close(one)
        if frame.code == Code.IF and frame.result:
            raise refusal(one.at, "an `if` with a result needs an `else`")
        self._push(frame.result)

    def _close(self, one: Instruction) -> _Frame:
        frame = self.frames[-1]
        self._take_along(one.at, frame.result)
        if len(self.operands) != frame.height:
            raise refusal(one.at, "a block leaves more operands than its result")
        return self.frames.pop()

    # --- jumps ----------------------------------------------------------------------------------

    def branch(self, one: Instruction) -> None:
        """`br` and `br_if`."""
        if one.code == Code.BR_IF:
            self._pop(one.at, 32)
        carried = self._carried(one.at, one.args[0])
        self._take_along(one.at, carried)
        if one.code == Code.BR:
            self._die()
        else:
            self._push(carried)

    def table(self, one: Instruction) -> None:
        """`br_table`."""
        self._pop(one.at, 32)
        carried = {self._carried(one.at, label) for label in set(one.args)}
        if len(carried) > 1:
            raise refusal(one.at, "the blocks of a `br_table` have different results")
        self._take_along(one.at, carried.pop())
        self._die()

    def leave(self, one: Instruction) -> None:
        """`return`."""
        self._pop(one.at, self.body.type.result)
        self._die()

    # --- values ---------------------------------------------------------------------------------

    def drop(self, one: Instruction) -> None:
        """`drop`."""
        self._pop(one.at, _ANY)

    def select(self, one: Instruction) -> None:
        """`select`."""
        self._pop(one.at, 32)
        self.operands.append(self._pop(one.at, self._pop(one.at, _ANY)))

    def local(self, one: Instruction) -> None:
        """`local.get`, `local.set`, `local.tee`."""
        if one.args[0] >= len(self.body.locals):
            raise refusal(one.at, f"there is no local {one.args[0]}")
        width = self.body.locals[one.args[0]]
        if one.code != Code.LOCAL_GET:
            self._pop(one.at, width)
        if one.code != Code.LOCAL_SET:
            self._push(width)

    def cell(self, one: Instruction) -> None:
        """`global.get`, `global.set`."""
        if one.args[0] >= len(self.globals):
            raise refusal(one.at, f"there is no global {one.args[0]}")
        found = self.globals[one.args[0]]
        if one.code == Code.GLOBAL_GET:
            self._push(found.width)
            return
        self._pop(one.at, found.width)
        if not found.mutable:
            raise refusal(one.at, f"the global {one.args[0]} cannot be set")


_CHECKS: Final[Mapping[int, Callable[[_Checker, Instruction], None]]] = {
    **dict.fromkeys((Code.BLOCK, Code.LOOP, Code.IF), _Checker.open),
    Code.ELSE: _Checker.otherwise,
    Code.END: _Checker.end,
    **dict.fromkeys(_BRANCHES, _Checker.branch),
    Code.BR_TABLE: _Checker.table,
    Code.RETURN: _Checker.leave,
    Code.DROP: _Checker.drop,
    Code.SELECT: _Checker.select,
    **dict.fromkeys(_LOCALS, _Checker.local),
    **dict.fromkeys(_GLOBALS, _Checker.cell),
}
