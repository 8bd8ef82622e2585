"""The longest path through a compiled function: no decision can take more instructions.

In: a linked image for the Cortex-M3, as objdump lists it, and a function.  Out: the instructions of the
longest path from its first one to a return, called functions included.

What always holds: a loop, a recursion, a jump to a computed place and a call of what is not in the
image are errors, never a smaller figure.  An instruction that its condition skips counts.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LINE: Final = re.compile(r"^ *([0-9a-f]+):\t(\S+)(?:\t([^@;<\n]*))?", re.MULTILINE)
SYMBOL: Final = re.compile(r"^([0-9a-f]+) <(\S+)>:$", re.MULTILINE)
CONDITION: Final = "(?:eq|ne|cs|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)"
JUMP: Final = re.compile(r"ldr pc, \[(\w+), (\w+), lsl #2\]")
GUARD: Final = 8
"""Instructions among which the comparison stands that keeps the index of a jump inside its table."""
DATA: Final = {".byte": 1, ".short": 2, ".word": 4}


class PathError(Exception):
    """The paths of a function have no longest one that can be read off."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """An instruction (or data) at an address, and where the next one stands."""

    address: int
    name: str
    operands: str
    next: int


@dataclass(frozen=True, slots=True)
class Step:
    """What comes after an instruction: instructions of the same function, and a function called."""

    then: tuple[int, ...]
    called: int | None = None


def longest_path(image: Path, function: str) -> int:
    """Instructions of the longest path through a function of an image.

    Raises:
        PathError: there is none, and why.
    """
    command = ["arm-none-eabi-objdump", "-d", "--no-show-raw-insn", str(image)]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Listing(listing).longest(function)


class Listing:
    """What objdump printed of an image."""

    def __init__(self, text: str) -> None:
        self._symbols = {name: int(address, 16) for address, name in SYMBOL.findall(text)}
        self._code = _instructions(text)
        self._before = {one.next: one.address for one in self._code.values()}
        self._known: dict[int, int] = {}
        self._open: set[int] = set()

    def longest(self, function: str) -> int:
        """The instructions of a function's longest path."""
        return self._from(self._symbols[function])

    def _from(self, start: int) -> int:
        """Depth first without recursion, for functions of thousands of instructions; calls recur."""
        stack = [start]
        while stack:
            address = stack[-1]
            if address in self._known:
                stack.pop()
                continue
            self._open.add(address)
            step = self._step(address)
            missing = [one for one in step.then if one not in self._known]
            if any(one in self._open for one in missing):
                raise PathError(f"a loop goes through {address:#x}")
            if missing:
                stack += missing
                continue
            self._known[address] = self._counted(step)
            self._open.discard(address)
            stack.pop()
        return self._known[start]

    def _counted(self, step: Step) -> int:
        below = max((self._known[one] for one in step.then), default=0)
        if step.called is None:
            return 1 + below
        if step.called in self._open:
            raise PathError(f"the function at {step.called:#x} calls itself")
        return 1 + self._from(step.called) + below

    def _step(self, address: int) -> Step:
        one = self._code.get(address)
        if one is None or one.name in DATA:
            raise PathError(f"there is no instruction at {address:#x}")
        if one.name == "bl":
            return Step((one.next,), int(one.operands, 16))
        return Step(tuple(self._next(one)))

    def _next(self, one: Instruction) -> Iterator[int]:
        name = re.sub(r"\.[nw]$", "", one.name)
        last = one.operands.replace("#", "").split(",")[-1].strip()
        if name in {"tbb", "tbh"}:
            yield from self._offsets(one, 1 if name == "tbb" else 2)
        elif jump := JUMP.match(f"{name} {one.operands}"):
            yield from self._addresses(one, jump[1], jump[2])
        elif name in {"cbz", "cbnz"} or re.fullmatch(f"b{CONDITION}?", name):
            yield int(last, 16)
            if name != "b":
                yield one.next
        elif re.search(r"\bpc\b", one.operands) or name.startswith(("bx", "blx")):
            yield from self._after_return(one, name)
        else:
            yield one.next

    def _after_return(self, one: Instruction, name: str) -> Iterator[int]:
        pops = re.match(r"(pop|ldmia)", name) and "{" in one.operands
        loads = name.startswith("ldr") and one.operands.replace(" ", "").startswith("pc,[sp],#")
        returns = re.fullmatch(f"bx{CONDITION}?", name) and one.operands.strip() == "lr"
        if re.match(r"(ldr|add|adr)", name) and not re.match(r"pc,", one.operands.strip()):
            yield one.next  # reads the program counter: a constant beside the code
        elif not (pops or loads or returns):
            raise PathError(f"`{one.name} {one.operands.strip()}` leads nobody knows where")
        elif re.fullmatch(f"(pop|ldmia|ldr|bx){CONDITION}", name):
            yield one.next

    def _offsets(self, one: Instruction, size: int) -> Iterator[int]:
        """The targets of a table of offsets behind the jump."""
        index = one.operands.replace(",", " ").replace("]", " ").split()[1]
        offsets = self._data(one.next, size)
        yield from self._targets(one, index, [one.address + 4 + 2 * offset for offset in offsets])

    def _addresses(self, one: Instruction, table: str, index: str) -> Iterator[int]:
        """The targets of a table of addresses, to which the instruction before the jump points."""
        before = next(self._backwards(one), one)
        pointed = re.fullmatch(rf"{table}, pc, #(\d+)", before.operands.strip())
        if before.name not in {"add", "add.w"} or pointed is None:
            raise PathError(f"the jump at {one.address:#x} has a table that nobody knows")
        start = (before.address + 4 & ~3) + int(pointed[1])
        yield from self._targets(one, index, [address & ~1 for address in self._data(start, 4)])

    def _targets(self, jump: Instruction, index: str, found: list[int]) -> list[int]:
        """Where a jump can go: as far into its table as the comparison before it lets the index be.

        Constants may stand behind a table.  Where no comparison is found they count as targets, if they
        lead to an instruction: too many ways, never too few.
        """
        guarded = False
        for one, _ in zip(self._backwards(jump), range(GUARD), strict=False):
            guarded = guarded or one.name.startswith("bhi")
            limit = re.fullmatch(rf"{index}, #(\d+)", one.operands.strip())
            if guarded and one.name.startswith("cmp") and limit:
                return found[: int(limit[1]) + 1]
        known = (self._code.get(address) for address in found)
        return [one.address for one in known if one is not None and one.name not in DATA]

    def _backwards(self, one: Instruction) -> Iterator[Instruction]:
        """The instructions that stand before one, the nearest first."""
        while (before := self._before.get(one.address)) is not None:
            one = self._code[before]
            yield one

    def _data(self, start: int, size: int) -> list[int]:
        """The numbers of `size` bytes that stand from an address on."""
        data = bytearray()
        line = self._code.get(start)
        while line is not None and line.name in DATA:
            data += int(line.operands, 16).to_bytes(DATA[line.name], "little")
            line = self._code.get(line.next)
        return [int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size)]


def _instructions(text: str) -> Mapping[int, Instruction]:
    lines = [(int(a, 16), name, operands) for a, name, operands in LINE.findall(text)]
    ends = [*(address for address, _, _ in lines[1:]), -1]
    return {
        address: Instruction(address, name, operands, end)
        for (address, name, operands), end in zip(lines, ends, strict=True)
    }
