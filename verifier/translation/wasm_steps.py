"""How many instructions a function runs at most, by its structure.

In: instructions that were checked.  Out: a `Bound`: a number, and one more a byte of the text that the
loop reads.  What always holds: no run of the function counts more.  `block`, `loop`, `else`, `end`,
`return`, `drop` do not count, as in an engine's fuel: they only say where things stand; to enter the
function counts one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from govlang.verifier.translation.wasm_instructions import Code, Instruction

_FREE: Final = {Code.BLOCK, Code.LOOP, Code.ELSE, Code.END, Code.RETURN, Code.DROP}
_JUMPS: Final = {Code.BR, Code.BR_IF, Code.BR_TABLE, Code.RETURN}
_CONTROL: Final = {Code.BLOCK, Code.LOOP, Code.IF, Code.ELSE, Code.END, *_JUMPS}
_ENTER: Final = 1


@dataclass(frozen=True, slots=True)
class Bound:
    """At most `once` instructions, and `each` more a byte of the text."""

    once: int
    each: int = 0


@dataclass(slots=True)
class _Block:
    """An open block: what the longest way to its end has cost, and to its `else`."""

    code: int
    begun: int
    reached: int | None = None
    otherwise: int | None = None


@dataclass(slots=True)
class _Counter:
    """The longest way to the place that is reached; None where no way leads.

    `read` is what a round costs, once that is known: behind the first branch of the loop, where the text
    is at its end or not, every way has a byte of its own, which pays for a whole round.
    """

    read: int = 0
    cost: int | None = _ENTER
    blocks: list[_Block] = field(default_factory=lambda: [_Block(Code.BLOCK, _ENTER)])
    each: int = 0
    asked: bool = False

    def take(self, one: Instruction) -> None:
        """Count an instruction."""
        if self.cost is not None and one.code not in _FREE:
            self.cost += 1
        if one.code not in _CONTROL:
            return
        match one.code:
            case Code.BLOCK | Code.LOOP | Code.IF:
                otherwise = self.cost if one.code == Code.IF else None
                self.blocks.append(_Block(one.code, self.cost or 0, None, otherwise))
            case Code.ELSE:
                self._reach(one, 0)
                block = self.blocks[-1]
                self.cost, block.otherwise = block.otherwise, None
            case Code.END:
                self._end()
            case Code.BR | Code.BR_IF | Code.BR_TABLE:
                for label in set(one.args):
                    self._reach(one, label)
                self._go_on(one)
            case _:
                self._reach(one, len(self.blocks) - 1)
                self.cost = None

    def _go_on(self, one: Instruction) -> None:
        if one.code != Code.BR_IF:
            self.cost = None
        elif self.cost is not None and not self.asked and self.blocks[-1].code == Code.LOOP:
            self.cost -= self.read
            self.asked = True

    def _reach(self, one: Instruction, label: int) -> None:
        block = self.blocks[-1 - label]
        if self.cost is None:
            return
        if block.code != Code.LOOP or one.code == Code.ELSE:
            block.reached = max(self.cost, block.reached or 0)
            return
        self.each = max(self.each, self.cost - block.begun)

    def _end(self) -> None:
        block = self.blocks.pop()
        ways = (self.cost, block.reached, block.otherwise)
        self.cost = max((cost for cost in ways if cost is not None), default=None)


def count_steps(instructions: Sequence[Instruction]) -> Bound:
    """The most instructions that a step or a scan runs."""
    first = _counted(instructions, 0)
    counter = _counted(instructions, first.each) if first.each else first
    return Bound(counter.cost or 0, first.each)


def _counted(instructions: Sequence[Instruction], read: int) -> _Counter:
    counter = _Counter(read)
    for one in instructions:
        counter.take(one)
    return counter
