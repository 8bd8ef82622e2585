"""`classify.F` of the texts of a policy as WebAssembly, and the memory that it reads.

In: what each text's scan needs (`edge_automata.TextScan`) and the numbers of the globals.  Out: the
memory with its data, where a host may put a text, and one function a text.

What always holds: whatever a host passes and whatever the memory holds, no access leaves the memory:
the text is held against its end, a state is checked before it is used, a byte is below 256.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from govlang.compiler.edge_automata import Automaton, TextScan, automaton_bytes
from govlang.compiler.program import Variable
from govlang.compiler.wasm_binary import PAGE, Function, Memory
from govlang.compiler.wasm_code import Code, Label

UNSET_PAIR: Final = 2
UNSET_LENGTH: Final = -1

_REFUSED: Final = -1
_SYMBOLS: Final = 256
_TEXT, _LENGTH = 0, 1  # the parameters
_BYTE_ALIGNED, _U16_ALIGNED = 0, 1


@dataclass(slots=True)
class Layout:
    """Where everything stands in the memory: automata, copies of compared texts, the text area."""

    automata: dict[Automaton, int] = field(default_factory=dict)
    copies: dict[str, int] = field(default_factory=dict)
    text: int = 0
    pages: int = 0

    @property
    def size(self) -> int:
        """The bytes of the memory."""
        return self.pages * PAGE


def lay_out(scans: Sequence[TextScan]) -> Layout:
    """The layout for these scans, of which there is at least one."""
    layout, at = Layout(), 0
    for scan in scans:
        for one in (scan.validity, *scan.columns):
            if one not in layout.automata:
                layout.automata[one] = at
                at += len(automaton_bytes(one))
    copied = [scan for scan in scans if scan.others]
    for scan in copied:
        layout.copies[scan.field.name] = at
        at += max(one.field.max_bytes for one in copied)
    layout.text = -(-at // 8) * 8
    layout.pages = -(-(layout.text + max(scan.field.max_bytes for scan in scans)) // PAGE)
    return layout


def memory(layout: Layout) -> Memory:
    """The memory with the automata."""
    return Memory(layout.pages, b"".join(map(automaton_bytes, layout.automata)))


def length_name(name: str) -> str:
    """The global with the length of a compared text."""
    return f"length.{name}"


def classify_function(
    scan: TextScan, layout: Layout, number: Mapping[str, int], variables: Sequence[Variable]
) -> Function:
    """The scan of one text: 0 and its variables set, or −1 and they are unset."""
    name = f"classify.{scan.field.name}"
    unset = {one.name: one.unset for one in variables}
    code = _Scan(scan, layout, number, unset).written()
    return Function(name, (name,), 2, tuple(code.locals), code.finished())


class _Scan:
    """The code of a scan while it is written; see docs/edge.md for what it is."""

    def __init__(
        self,
        scan: TextScan,
        layout: Layout,
        number: Mapping[str, int],
        unset: Mapping[str, int],
    ) -> None:
        self.scan = scan
        self.layout = layout
        self.number = number
        self.unset = unset
        self.name = scan.field.name
        self.code = Code(params=2)
        self.at, self.byte, self.valid = (self.code.new_local(32) for _ in range(3))
        self.states = [self.code.new_local(32) for _ in scan.columns]
        self.differ = [self.code.new_local(32) for _ in scan.others]
        self.classes = [f"class.{self.name}.{k}" for k in range(len(scan.columns))]
        self.same = ["same.{}.{}".format(*sorted((self.name, other))) for other in scan.others]

    def written(self) -> Code:
        """The whole function but its last `end`."""
        code = self.code
        self._forget()
        with code.block() as refused:
            self._check_place(refused)
            with code.block() as done, code.block("loop") as again:
                self._check_end(done)
                self._read_byte()
                self._advance(self.valid, self.scan.validity, refused)
                for state, automaton in zip(self.states, self.scan.columns, strict=True):
                    self._advance(state, automaton, refused)
                self._compare()
                self._count()
                code.branch("br", again)
            self._class_of(self.valid, self.scan.validity)
            code.op("i32.eqz")
            code.branch("br_if", refused)
            self._remember()
            code.const(0)
            code.op("return")
        code.const(_REFUSED)
        return code

    # --- before and after -----------------------------------------------------------------------

    def _assign(self, name: str, value: int) -> None:
        self.code.const(value)
        self.code.op("global.set", self.number[name])

    def _forget(self) -> None:
        for name in self.classes:
            self._assign(name, self.unset[name])
        for name in self.same:
            self._assign(name, UNSET_PAIR)
        if self.same:
            self._assign(length_name(self.name), UNSET_LENGTH)

    def _remember(self) -> None:
        code = self.code
        for name, state, one in zip(self.classes, self.states, self.scan.columns, strict=True):
            self._class_of(state, one)
            code.op("global.set", self.number[name])
        if self.same:
            code.get(_LENGTH)
            code.op("global.set", self.number[length_name(self.name)])
        for name, differ, other in zip(self.same, self.differ, self.scan.others, strict=True):
            length = self.number[length_name(other)]
            code.const(UNSET_PAIR)
            code.get(differ)
            code.op("i32.eqz")
            code.op("global.get", length)
            code.get(_LENGTH)
            code.op("i32.eq")
            code.op("i32.and")
            code.op("global.get", length)
            code.const(UNSET_LENGTH)
            code.op("i32.eq")
            code.op("select")
            code.op("global.set", self.number[name])

    def _check_place(self, refused: Label) -> None:
        """The text is no longer than it may be, and ends inside the memory."""
        code = self.code
        code.get(_LENGTH)
        code.const(self.scan.field.max_bytes)
        code.op("i32.gt_u")
        code.branch("br_if", refused)
        code.get(_TEXT)
        code.const(self.layout.size)
        code.get(_LENGTH)
        code.op("i32.sub")
        code.op("i32.gt_u")
        code.branch("br_if", refused)

    # --- the loop -------------------------------------------------------------------------------

    def _check_end(self, done: Label) -> None:
        self.code.get(self.at)
        self.code.get(_LENGTH)
        self.code.op("i32.ge_u")
        self.code.branch("br_if", done)

    def _read_byte(self) -> None:
        code = self.code
        code.get(_TEXT)
        code.get(self.at)
        code.op("i32.add")
        code.op("i32.load8_u", _BYTE_ALIGNED, 0)
        code.set(self.byte)

    def _advance(self, state: int, one: Automaton, refused: Label) -> None:
        """The next state; one that the automaton does not have is refused."""
        code, start = self.code, self.layout.automata[one]
        code.get(state)
        code.const(one.shift)
        code.op("i32.shl")
        code.op("local.get", self.byte)
        code.op("i32.load8_u", _BYTE_ALIGNED, start)
        code.op("i32.add")
        self._load_u16(start + _SYMBOLS)
        code.tee(state)
        code.const(one.states)
        code.op("i32.ge_u")
        code.branch("br_if", refused)

    def _class_of(self, state: int, one: Automaton) -> None:
        self.code.get(state)
        self._load_u16(self.layout.automata[one] + _SYMBOLS + 2 * len(one.next))

    def _load_u16(self, start: int) -> None:
        """The number on top chooses from an array."""
        self.code.const(1)
        self.code.op("i32.shl")
        self.code.op("i32.load16_u", _U16_ALIGNED, start)

    def _compare(self) -> None:
        """Where the bytes differ from those of the other texts, and a copy for when those come."""
        code = self.code
        for differ, other in zip(self.differ, self.scan.others, strict=True):
            code.get(differ)
            code.get(self.at)
            code.op("i32.load8_u", _BYTE_ALIGNED, self.layout.copies[other])
            code.get(self.byte)
            code.op("i32.xor")
            code.op("i32.or")
            code.set(differ)
        if self.same:
            code.get(self.at)
            code.get(self.byte)
            code.op("i32.store8", _BYTE_ALIGNED, self.layout.copies[self.name])

    def _count(self) -> None:
        self.code.get(self.at)
        self.code.const(1)
        self.code.op("i32.add")
        self.code.set(self.at)
