"""The blocks of a scan: straight code before its loop, in it and behind it.

In: the checked instructions of `classify.F`.  Out: three stretches without blocks; a branch in them says
where it leads.  What always holds: they run in this order, the second again and again; a branch to
`REFUSED` returns -1, one to `DONE` goes on with the third, behind which the function returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from govlang.verifier.translation.wasm_bytes import refusal
from govlang.verifier.translation.wasm_instructions import Code, Instruction

REFUSED: Final = 0
DONE: Final = 1

SETS: Final = {Code.LOCAL_SET, Code.LOCAL_TEE}
"""What changes a local."""

_SHAPE: Final = (
    Code.BLOCK,  # to its end goes what is refused
    Code.BLOCK,  # to its end what is read to its end
    Code.LOOP,
    Code.BR,
    Code.END,
    Code.END,
    Code.RETURN,
    Code.END,
    Code.END,
)


def differs(at: int, why: str) -> NoReturn:
    """Refuses a function that is no scan."""
    raise refusal(at, f"this is not the scan of a text: {why}")


@dataclass(frozen=True, slots=True)
class Stretches:
    """The code before the loop, in it and behind it, each branch with what it leads to."""

    before: tuple[Instruction, ...]
    loop: tuple[Instruction, ...]
    after: tuple[Instruction, ...]
    loop_at: int
    after_at: int


def split(instructions: Sequence[Instruction]) -> Stretches:
    """The stretches of a scan.

    Raises:
        ArtefactError: GOV416, the blocks are not those of a scan.

    """
    marks = [i for i, one in enumerate(instructions) if one.code in _SHAPE]
    if tuple(instructions[i].code for i in marks) != _SHAPE:
        differs(instructions[0].at, "its blocks are others")
    blocks = [instructions[i] for i in (marks[0], marks[1], marks[2], marks[3])]
    if any(any(one.args) for one in blocks):
        differs(blocks[0].at, "its blocks have results, or its loop does not go on")
    *_, loop, again, _, done, leave, refused, last = marks
    if not (done == again + 2 and refused == leave + 1 and last == refused + 2):
        differs(instructions[again].at, "code stands where nothing comes")
    if instructions[last - 1].args != (-1,) or instructions[last - 1].code != Code.CONST32:
        differs(instructions[last - 1].at, "a refused text gives -1")
    targets = ((), (REFUSED,), (DONE, REFUSED), (None, DONE, REFUSED), (REFUSED,))
    ends = (marks[0], marks[1], loop, again, leave)
    starts = (-1, marks[0], marks[1], loop, done)
    one, two, three, inside, after = (
        tuple(_targeted(instructions[start + 1 : end], outlets))
        for start, end, outlets in zip(starts, ends, targets, strict=True)
    )
    return Stretches(one + two + three, inside, after, instructions[loop].at, instructions[done].at)


def _targeted(
    instructions: Sequence[Instruction], outlets: Sequence[int | None]
) -> Iterator[Instruction]:
    """Branches name what they lead to instead of counting blocks."""
    for instruction in instructions:
        if instruction.code != Code.BR_IF:
            yield instruction
            continue
        label = instruction.args[0]
        outlet = outlets[label] if label < len(outlets) else None
        if outlet is None:
            differs(instruction.at, "a branch leads elsewhere")
        yield Instruction(instruction.at, Code.BR_IF, (outlet,))
