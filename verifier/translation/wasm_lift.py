"""From the instructions of `decide` to statements over named cells.

In: instructions that were checked (`wasm_instructions.py`), the widths of the locals, and which global
is which variable or cell of the outcome.  Out: a `machine.Function` that does the same.

What always holds: the result is linear in the code; what would need more than `FLAGS_MAX` flags an
instruction is refused.  Statements nest as deep as the code has jumps (a step that may be refused at n
places is n deep), so whoever reads them must not recurse over them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final

from govlang.verifier.translation import machine
from govlang.verifier.translation.wasm_bytes import refusal
from govlang.verifier.translation.wasm_instructions import Code, Instruction
from govlang.verifier.translation.wasm_operands import Cells, Operands, local_name
from govlang.verifier.translation.wasm_strands import (
    Block,
    Branches,
    End,
    Operand,
    Strand,
    common,
)

FLAGS_MAX: Final = 4
"""How often, an instruction, a way may have to say where it leaves for (see `wasm_strands.py`)."""

_BLOCKS: Final = {Code.BLOCK, Code.IF}
_CONTROL: Final = {Code.ELSE, Code.END, Code.BR, Code.BR_IF, Code.BR_TABLE, Code.RETURN}


def lift(
    instructions: Sequence[Instruction], locals_: Sequence[int], cells: Cells
) -> machine.Function:
    """The function that the instructions of `decide` are.

    Raises:
        ArtefactError: GOV416, a global is used that `decide` may not use, or ways meet and part too often.

    """
    lifter = _Lifter(instructions, Operands(locals_, cells))
    for position, one in enumerate(instructions):
        lifter.take(position, one)
    lifter.branches.finish()
    widths = lifter.operands.widths
    return machine.Function(widths, dict.fromkeys(widths, 0), tuple(lifter.body.statements))


class _Lifter:
    def __init__(self, instructions: Sequence[Instruction], operands: Operands) -> None:
        self.operands = operands
        self.body = Strand()
        self.here: Strand | None = self.body  # None: nothing comes so far
        self.branches = Branches()
        self.blocks = [Block(32, 0, self.body)]
        self.skipped = 0  # open blocks that began where nothing comes
        self.closing = dict(_closing(instructions))
        self.settings = _settings(instructions)
        self.following = [one.code for one in instructions[1:]]
        self.flags_left = FLAGS_MAX * len(instructions)

    def take(self, position: int, one: Instruction) -> None:
        """Take in the next instruction."""
        here = self.here
        self.operands.offset = one.at
        if here is None:
            self._skip(position, one)
        elif one.code in _BLOCKS:
            self._open(position, one, here)
        elif one.code in _CONTROL:
            self._control(position, one, here)
        else:
            self.operands.take(one, here)

    def _skip(self, position: int, one: Instruction) -> None:
        """What no way leads to has no effect; only ends of blocks matter."""
        if one.code in _BLOCKS:
            self.skipped += 1
        elif one.code == Code.END and self.skipped:
            self.skipped -= 1
        elif one.code == Code.END:
            self._end(position)
        elif one.code == Code.ELSE and not self.skipped:
            self._else()

    def _control(self, position: int, one: Instruction, here: Strand) -> None:
        match one.code:
            case Code.ELSE:
                self._jump(0, here)
                self._else()
            case Code.END:
                self._jump(0, here)
                self._end(position)
            case Code.BR:
                self._jump(one.args[0], here)
            case Code.BR_IF:
                self._branch(one, here)
            case Code.BR_TABLE:
                self._table(one, here)
            case _:
                self._jump(len(self.blocks) - 1, here)

    # --- blocks ---------------------------------------------------------------------------------

    def _open(self, position: int, one: Instruction, here: Strand) -> None:
        """A block begins; what it sets must not change operands that stay below it."""
        operands = self.operands
        condition = operands.pop(here) if one.code == Code.IF else None
        if len(operands.stack) > operands.floor:
            operands.keep(here, self._set_within(position, self.closing[position]))
        operands.floor = len(operands.stack)
        block = Block(one.args[0], operands.floor, here, condition)
        if condition is not None:
            block.arms = self.branches.fork(here, condition.value, operands.at)
            self.here, block.otherwise = block.arms
        self.blocks.append(block)

    def _set_within(self, start: int, end: int) -> frozenset[str]:
        """The locals that are set between two places."""
        found = (
            name
            for name, places in self.settings.items()
            if bisect_left(places, start) < bisect_left(places, end)
        )
        return frozenset(found)

    def _else(self) -> None:
        block = self.blocks[-1]
        del self.operands.stack[block.height :]
        self.here, block.otherwise = block.otherwise, None

    def _end(self, position: int) -> None:
        """All ways that wait for the end of the block go on as one."""
        block, operands = self.blocks.pop(), self.operands
        if block.otherwise is not None:
            block.add(block.otherwise, None)
        del operands.stack[block.height :]
        operands.floor = self.blocks[-1].height if self.blocks else 0
        if block.chooses:
            self._choose(block)
        elif block.ends:
            self._meet(block, self.following[position])

    def _choose(self, block: Block) -> None:
        self.branches.undo()
        then, otherwise = (end.carried for end in block.take(block.start))
        assert block.condition is not None
        assert then is not None
        assert otherwise is not None
        self.operands.select(block.condition, then, otherwise)
        self.here = block.start

    def _meet(self, block: Block, following: int) -> None:
        """Ways meet behind a block; if it is the last in another one, they meet behind that."""
        top = common([end.strand for end in block.ends])
        ends = block.take(top)
        if top.waiting and following in (Code.END, Code.ELSE) and len(self.blocks) > 1:
            self._hand_on(block, ends)
            return
        carried = self._gathered(block, ends)
        if carried is not None:
            self.operands.stack.append(carried)
        if top.waiting:
            self.here = self._parted(top)
            return
        while top is not block.start and top.parent is not None and not top.parent.waiting:
            top = top.parent
        self.here = top

    def _hand_on(self, block: Block, ends: Sequence[End]) -> None:
        outer, stack = self.blocks[-1], self.operands.stack
        below = stack[-1] if outer.result and not block.result else None
        for end in ends:
            outer.add(end.strand, end.carried if block.result else below)

    def _gathered(self, block: Block, ends: Sequence[End]) -> Operand | None:
        """What the ways to the end of a block carry there, as one value."""
        if not block.result or len(ends) == 1:
            return ends[0].carried
        one = self.operands.new("t", block.result)
        for end in ends:
            assert end.carried is not None
            end.strand.statements.append(machine.Set(one.name, end.carried.value, self.operands.at))
        return Operand(one, 0)

    def _parted(self, top: Strand) -> Strand:
        """Below a strand some ways go on and others wait for blocks further out: a flag says which."""
        flag = self.operands.new("x", 32)
        leaving: list[tuple[Block, Operand | None]] = []
        for block in self.blocks:
            if ends := block.take(top):
                self._flag(len(ends))
                leaving.append((block, self._gathered(block, ends)))
                number = machine.Const(32, len(leaving))
                for end in ends:
                    end.strand.statements.append(machine.Set(flag.name, number, self.operands.at))
        numbers = [(number,) for number in range(1, len(leaving) + 1)]
        arms, here = self.branches.spread(top, flag, numbers, self.operands.at)
        for (block, carried), arm in zip(leaving, arms, strict=True):
            block.add(arm, carried)
        return here

    def _flag(self, count: int) -> None:
        self.flags_left -= count
        if self.flags_left < 0:
            raise refusal(self.operands.offset, "ways meet and part again too often")

    # --- jumps ----------------------------------------------------------------------------------

    def _jump(self, label: int, here: Strand) -> None:
        """The way goes on behind the end of a block."""
        carried = self.operands.stack[-1] if self.blocks[-1 - label].result else None
        self._leave(label, here, carried)
        self.here = None

    def _leave(self, label: int, strand: Strand, carried: Operand | None) -> None:
        if label < len(self.blocks) - 1:
            self.blocks[-1 - label].add(strand, carried)
            return
        assert carried is not None
        strand.statements.append(machine.Return(carried.value, self.operands.at))

    def _branch(self, one: Instruction, here: Strand) -> None:
        condition = self.operands.pop(here).value
        carried = self._shared(one.args[0], here)
        taken, self.here = self.branches.fork(here, condition, self.operands.at)
        self._leave(one.args[0], taken, carried)

    def _table(self, one: Instruction, here: Strand) -> None:
        subject = self.operands.pop(here).value
        *labels, default = one.args
        carried = self._shared(default, here)
        values: dict[int, list[int]] = {}
        for value, label in enumerate(labels):
            if label != default:
                values.setdefault(label, []).append(value)
        parts = [tuple(one) for one in values.values()]
        arms, otherwise = self.branches.spread(here, subject, parts, self.operands.at)
        for label, arm in zip((*values, default), (*arms, otherwise), strict=True):
            self._leave(label, arm, carried)
        self.here = None

    def _shared(self, label: int, here: Strand) -> Operand | None:
        """What is taken along to a block, if anything, as a value that may be used more than once."""
        if not self.blocks[-1 - label].result:
            return None
        stack = self.operands.stack
        stack[-1] = Operand(self.operands.kept(here, stack[-1].value), 0)
        return stack[-1]


def _closing(instructions: Sequence[Instruction]) -> Iterator[tuple[int, int]]:
    """Where each block begins and ends."""
    begun: list[int] = []
    for position, one in enumerate(instructions[:-1]):
        if one.code in _BLOCKS:
            begun.append(position)
        elif one.code == Code.END:
            yield begun.pop(), position


def _settings(instructions: Sequence[Instruction]) -> dict[str, list[int]]:
    """Where each local is set."""
    found: dict[str, list[int]] = {}
    for position, one in enumerate(instructions):
        if one.code in (Code.LOCAL_SET, Code.LOCAL_TEE):
            found.setdefault(local_name(one.args[0]), []).append(position)
    return found
