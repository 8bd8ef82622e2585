"""The code of one function of a module, instruction by instruction.

In: calls, one an instruction.  Out: the instructions' bytes and the widths of the locals.

What always holds: labels are named, so that a branch is written without counting blocks; a value
that was just set into a local and is read back is kept with `local.tee`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from govlang.compiler.wasm_binary import NO_RESULT, OPCODE, VALUE_TYPE, constant, unsigned, vector

_SET: Final = OPCODE["local.set"]
_TEE: Final = OPCODE["local.tee"]


@dataclass(frozen=True, slots=True, eq=False)
class Label:
    """A block that branches may name; `level` blocks stand around it."""

    level: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a slot is: in a local, or in the global of a variable that is read as it stands."""

    number: int
    width: int
    is_global: bool = False


class Code:
    """Instructions of a function, and its locals: parameters first."""

    def __init__(self, params: int = 0) -> None:
        self.params = params
        self.locals: list[int] = []
        self._bytes = bytearray()
        self._level = 0
        self._last_set: tuple[int, int] | None = None
        """Where a `local.set` starts that ends here, and its local."""

    def __len__(self) -> int:
        return len(self._bytes)

    def finished(self) -> bytes:
        """The code with the `end` of the function."""
        assert self._level == 0
        return bytes(self._bytes) + bytes([OPCODE["end"]])

    # --- locals ---------------------------------------------------------------------------------

    def new_local(self, width: int) -> int:
        """One more local."""
        self.locals.append(width)
        return self.params + len(self.locals) - 1

    def push(self, place: Place) -> None:
        """Push what a place holds."""
        if place.is_global:
            self.op("global.get", place.number)
        else:
            self.get(place.number)

    def get(self, local: int) -> None:
        """Push a local."""
        if self._last_set is not None and self.ends_with_set(local):
            self._bytes[self._last_set[0]] = _TEE
            self._last_set = None
        else:
            self.op("local.get", local)

    def set(self, local: int) -> None:
        """Pop into a local."""
        start = len(self._bytes)
        self.op("local.set", local)
        self._last_set = (start, local)

    def ends_with_set(self, local: int) -> bool:
        """Whether the last instruction sets this local."""
        return self._last_set is not None and self._last_set[1] == local

    def take_back(self, local: int) -> None:
        """Leave on the stack what the last instruction would have set; the local is set again later."""
        assert self._last_set is not None
        assert self._last_set[1] == local
        del self._bytes[self._last_set[0] :]
        self._last_set = None

    def take(self, local: int) -> None:
        """Push a local that is set again before anybody reads it."""
        if self.ends_with_set(local):
            self.take_back(local)
        else:
            self.op("local.get", local)

    def tee(self, local: int) -> None:
        """Copy what is on top into a local."""
        self.op("local.tee", local)

    # --- instructions ---------------------------------------------------------------------------

    def op(self, name: str, *operands: int) -> None:
        """An instruction with its operands: numbers of locals and globals, alignment and offset."""
        self._last_set = None
        self._bytes.append(OPCODE[name])
        for operand in operands:
            self._bytes += unsigned(operand)

    def const(self, value: int, width: int = 32) -> None:
        """Push a constant."""
        self._last_set = None
        self._bytes += constant(value, width)

    # --- control --------------------------------------------------------------------------------

    def open(self, kind: str = "block", result: int | None = None) -> Label:
        """A `block`, `loop` or `if` that leaves nothing, or a value of width `result`."""
        self.op(kind)
        self._bytes += NO_RESULT if result is None else VALUE_TYPE[result]
        self._level += 1
        return Label(self._level - 1)

    def close(self) -> None:
        """The end of the innermost block."""
        self._level -= 1
        self.op("end")

    @contextmanager
    def block(self, kind: str = "block", result: int | None = None) -> Iterator[Label]:
        """A block round what is written inside."""
        yield self.open(kind, result)
        self.close()

    def branch(self, name: str, label: Label) -> None:
        """A `br` or `br_if` to a label."""
        self.op(name, self._depth(label))

    def table(self, labels: Sequence[Label], default: Label) -> None:
        """A `br_table`: the popped number says to which label."""
        self.op("br_table")
        depths = {label: unsigned(self._depth(label)) for label in {*labels, default}}
        self._bytes += vector([depths[label] for label in labels]) + depths[default]

    def _depth(self, label: Label) -> int:
        return self._level - 1 - label.level
