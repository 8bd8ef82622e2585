"""Modules written by hand: an assembler of a few lines that shares nothing with the compiler.

A function is a text of instructions, one after another: `global.get 0 i32.const 5 i32.lt_s if i32 …`;
`br_table 0 1 ; 2` ends its labels with `;` and the default.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

WIDTHS = {"i32": b"\x7f", "i64": b"\x7e"}
STEP, SCAN = b"\x60\x00\x01\x7f", b"\x60\x02\x7f\x7f\x01\x7f"

_PLAIN = {
    "else": 0x05,
    "end": 0x0B,
    "return": 0x0F,
    "drop": 0x1A,
    "select": 0x1B,
    "i32.wrap_i64": 0xA7,
    "i64.extend_i32_s": 0xAC,
    "i64.extend_i32_u": 0xAD,
    "unreachable": 0x00,
    "nop": 0x01,
    "i32.clz": 0x67,
    "f32.add": 0x92,
}
_BLOCKS = {"block": 0x02, "loop": 0x03, "if": 0x04}
_INDEXED = {
    "br": 0x0C,
    "br_if": 0x0D,
    "call": 0x10,
    "local.get": 0x20,
    "local.set": 0x21,
    "local.tee": 0x22,
    "global.get": 0x23,
    "global.set": 0x24,
}
_MEMORY = {"i32.load8_u": (0x2D, 0), "i32.load16_u": (0x2F, 1), "i32.store8": (0x3A, 0)}
_TESTS = ["eqz", "eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"]
_OPS = [
    "add",
    "sub",
    "mul",
    "div_s",
    "div_u",
    "rem_s",
    "rem_u",
    "and",
    "or",
    "xor",
    "shl",
    "shr_s",
    "shr_u",
]
for _width, _first_test, _first_op in (("i32", 0x45, 0x6A), ("i64", 0x50, 0x7C)):
    _PLAIN |= {f"{_width}.{name}": _first_test + i for i, name in enumerate(_TESTS)}
    _PLAIN |= {f"{_width}.{name}": _first_op + i for i, name in enumerate(_OPS)}


def leb(value: int) -> bytes:
    """An unsigned number."""
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def sleb(value: int) -> bytes:
    """A signed number."""
    out = b""
    while not -64 <= value < 64:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value & 127])


def text(value: str) -> bytes:
    """A name."""
    return leb(len(value.encode())) + value.encode()


def vector(items: Sequence[bytes]) -> bytes:
    """Items behind their number."""
    return leb(len(items)) + b"".join(items)


def section(number: int, content: bytes) -> bytes:
    """A section."""
    return bytes([number]) + leb(len(content)) + content


def assemble(code: str) -> bytes:
    """Instructions, without the last `end`."""
    words = iter(code.split())
    return b"".join(_instruction(word, words) for word in words)


def _instruction(word: str, words: Iterator[str]) -> bytes:
    if word in _PLAIN:
        return bytes([_PLAIN[word]])
    if word in ("i32.const", "i64.const"):
        return bytes([0x41 + (word == "i64.const")]) + sleb(int(next(words)))
    if word == "br_table":
        labels = []
        while (label := next(words)) != ";":
            labels.append(leb(int(label)))
        return b"\x0e" + vector(labels) + leb(int(next(words)))
    if word in _MEMORY:
        code, align = _MEMORY[word]
        return bytes([code, align]) + leb(int(next(words)))
    if word in _INDEXED:
        return bytes([_INDEXED[word]]) + leb(int(next(words)))
    block, _, result = word.partition(":")
    return bytes([_BLOCKS[block]]) + (WIDTHS[result] if result else b"\x40")


@dataclass(frozen=True)
class Wasm:
    """The parts of a module; `globals_` without an export are lengths of texts."""

    variables: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    outcome: Mapping[str, str] = field(default_factory=lambda: {"out.decision": "i32"})
    decide: str = "i32.const 0"
    locals_: Sequence[str] = ()
    scans: Mapping[str, str] = field(default_factory=dict)
    scan_locals: int = 0
    lengths: int = 0
    pages: int = 0
    data: bytes = b""
    text: int = 0
    policy: str = "p"

    def sections(self) -> dict[int | str, bytes]:
        """The content of each section, custom ones by their names."""
        found: dict[int | str, bytes] = {
            1: vector([STEP, SCAN] if self.scans else [STEP]),
            3: vector([b"\0", *[b"\x01"] * len(self.scans)]),
            5: b"\x01\x01" + leb(self.pages) * 2,
            6: vector(list(self._globals())),
            7: vector(list(self._exports())),
            10: vector(list(self._bodies())),
            11: b"\x01\0\x41\0\x0b" + leb(len(self.data)) + self.data,
            "gov.schema": json.dumps({"policy": self.policy}).encode(),
            "name": self._names(),
        }
        if not self.pages:
            del found[5], found[11]
        return found

    def _globals(self) -> Iterator[bytes]:
        for kind, first in self.variables.values():
            yield WIDTHS[kind] + b"\x01" + assemble(f"{kind}.const {first} end")
        for name, kind in self.outcome.items():
            first = 4 if name == "out.decision" else 0
            yield WIDTHS[kind] + b"\x01" + assemble(f"{kind}.const {first} end")
        for _ in range(self.lengths):
            yield b"\x7f\x01" + assemble("i32.const -1 end")
        if self.pages:
            yield b"\x7f\x00" + assemble(f"i32.const {self.text} end")

    def _exports(self) -> Iterator[bytes]:
        names = [*self.variables, *self.outcome]
        for number, name in enumerate(names):
            yield text(name) + b"\x03" + leb(number)
        yield text("decide") + b"\0\0"
        yield text("commit") + b"\0\0"
        for number, name in enumerate(self.scans, 1):
            yield text(f"classify.{name}") + b"\0" + leb(number)
        if self.pages:
            yield text("text") + b"\x03" + leb(len(names) + self.lengths)
            yield text("memory") + b"\x02\0"

    def _bodies(self) -> Iterator[bytes]:
        groups = [b"\x01" + WIDTHS[kind] for kind in self.locals_]
        for declared, code in (
            (vector(groups), self.decide),
            *((b"\x01" + leb(self.scan_locals) + b"\x7f", code) for code in self.scans.values()),
        ):
            body = declared + assemble(code) + b"\x0b"
            yield leb(len(body)) + body

    def _names(self) -> bytes:
        names = ["decide", *(f"classify.{name}" for name in self.scans)]
        functions = vector([leb(i) + text(name) for i, name in enumerate(names)])
        return section(0, text(self.policy)) + section(1, functions)

    def bytes(self) -> bytes:
        """The module."""
        return module_of(self.sections())


def module_of(sections: Mapping[int | str, bytes]) -> bytes:
    """A module of these sections, in this order."""
    return b"\0asm\x01\0\0\0" + b"".join(
        section(key, content) if isinstance(key, int) else section(0, text(key) + content)
        for key, content in sections.items()
    )
