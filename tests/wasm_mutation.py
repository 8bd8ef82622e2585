"""Modules with one thing changed, sizes mended: an instruction, a constant, a global, a name, data.

The changes are made on instructions, so that most mutants are still WebAssembly; what they do is for
an engine to say.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from wasm_assembler import leb, module_of, sleb

from govlang.verifier.translation.wasm_instructions import (
    CONSTANTS,
    EQZ,
    OPS,
    TESTS,
    Code,
    Instruction,
    read_instructions,
)
from govlang.verifier.translation.wasm_sections import Body, read_module

_BLOCKS = (Code.BLOCK, Code.LOOP, Code.IF)
_MEMORY = {Code.LOAD8: 0, Code.LOAD16: 1, Code.STORE8: 0}
_RESULTS = {0: b"\x40", 32: b"\x7f", 64: b"\x7e"}
_INDEXED = (
    Code.BR,
    Code.BR_IF,
    Code.LOCAL_GET,
    Code.LOCAL_SET,
    Code.LOCAL_TEE,
    Code.GLOBAL_GET,
    Code.GLOBAL_SET,
)
_ALIKE = [
    [code for code, (_, width) in table.items() if width == wide]
    for table in (TESTS, OPS)
    for wide in (32, 64)
] + [[Code.EXTEND_S, Code.EXTEND_U], [Code.LOCAL_SET, Code.LOCAL_TEE], [Code.BR, Code.BR_IF]]


def sections_of(data: bytes) -> dict[int | str, bytes]:
    """The sections of a module, custom ones by their names."""
    found: dict[int | str, bytes] = {}
    at = 8
    while at < len(data):
        number = data[at]
        size, at = _number(data, at + 1)
        content = data[at : at + size]
        if number:
            found[number] = content
        else:
            length, begin = _number(content, 0)
            found[content[begin : begin + length].decode()] = content[begin + length :]
        at += size
    return found


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at


def encoded(one: Instruction) -> bytes:
    """An instruction as bytes."""
    code = bytes([one.code])
    if one.code in CONSTANTS:
        return code + sleb(one.args[0])
    if one.code in _BLOCKS:
        return code + _RESULTS[one.args[0]]
    if one.code == Code.BR_TABLE:
        return code + leb(len(one.args) - 1) + b"".join(map(leb, one.args))
    if one.code in _MEMORY:
        return code + bytes([_MEMORY[Code(one.code)]]) + leb(one.args[0])
    return code + b"".join(map(leb, one.args))


@dataclass(frozen=True)
class Mutant:
    """A changed module, and what was changed."""

    data: bytes
    what: str


class Mutator:
    """Changes one module in many ways."""

    def __init__(self, data: bytes, rng: random.Random) -> None:
        self.rng = rng
        self.data = data
        self.sections = sections_of(data)
        module = read_module(data)
        self.bodies = module.bodies
        self.code = [
            list(read_instructions(body, module.globals, scan=True)) for body in module.bodies
        ]
        self.globals = len(module.globals)

    def mutants(self, count: int) -> Iterator[Mutant]:
        """So many mutants, all of them unlike the module."""
        while count:
            mutant = self._one()
            if mutant.data != self.data:
                count -= 1
                yield mutant

    def _one(self) -> Mutant:
        choice = self.rng.random()
        if choice < 0.85:
            return self._code()
        key = self.rng.choice([key for key in self.sections if key not in (10, "gov.schema")])
        content = bytearray(self.sections[key])
        place = self.rng.randrange(len(content))
        content[place] ^= 1 << self.rng.randrange(8)
        return Mutant(module_of({**self.sections, key: bytes(content)}), f"section {key} +{place}")

    def _code(self) -> Mutant:
        number = 0 if self.rng.random() < 0.6 else self.rng.randrange(len(self.code))
        code = list(self.code[number])
        place = self.rng.randrange(len(code) - 1)
        before = code[place]
        kind = self.rng.random()
        if kind < 0.08:
            del code[place]
            what = "deleted"
        elif kind < 0.16:
            code.insert(place, before)
            what = "twice"
        elif kind < 0.26:
            code[place], code[place - 1] = code[place - 1], before
            what = "swapped with the one before"
        else:
            code[place] = self._changed(before)
            what = f"now {code[place].code:#x} {code[place].args}"
        name = f"function {number}, {before.code:#x} {before.args} at {before.at:#x}: {what}"
        return Mutant(self._module(number, code), name)

    def _changed(self, one: Instruction) -> Instruction:
        rng = self.rng
        if one.code in CONSTANTS:
            return replace(one, args=(self._constant(one.args[0], CONSTANTS[one.code]),))
        if one.code == Code.BR_TABLE:
            labels = list(one.args)
            place = rng.randrange(len(labels))
            labels[place] = rng.choice((*labels, max(0, labels[place] - 1), labels[place] + 1))
            return replace(one, args=tuple(labels))
        if one.code in _INDEXED and rng.random() < 0.8:
            index = one.args[0] + rng.choice((-1, 1, -2, 2, 3))
            return replace(one, args=(max(0, index),))
        if one.code in _MEMORY:
            return replace(one, args=(max(0, one.args[0] + rng.choice((-256, -2, -1, 1, 2, 256))),))
        if one.code in _BLOCKS and rng.random() < 0.3:
            return replace(one, args=(rng.choice((0, 32, 64)),))
        alike = [other for codes in _ALIKE if one.code in codes for other in codes]
        if alike:
            return replace(one, code=rng.choice(alike))
        if one.code in EQZ:
            return replace(one, code=0x45 + 0x50 - one.code)
        return replace(
            one, code=rng.choice((Code.DROP, Code.RETURN, Code.SELECT, Code.END)), args=()
        )

    def _constant(self, value: int, width: int) -> int:
        rng = self.rng
        bit = 1 << rng.randrange(width - 1)
        return rng.choice((value + 1, value - 1, 0, 1, -value, value ^ bit, ~value))

    def _module(self, number: int, code: Sequence[Instruction]) -> bytes:
        bodies = []
        for i, body in enumerate(self.bodies):
            instructions = b"".join(map(encoded, code if i == number else self.code[i]))
            content = _locals(body) + instructions
            bodies.append(leb(len(content)) + content)
        content = leb(len(bodies)) + b"".join(bodies)
        return module_of({**self.sections, 10: content})


def _locals(body: Body) -> bytes:
    declared = body.locals[len(body.type.params) :]
    groups: list[tuple[int, int]] = []
    for width in declared:
        if groups and groups[-1][1] == width:
            groups[-1] = (groups[-1][0] + 1, width)
        else:
            groups.append((1, width))
    return leb(len(groups)) + b"".join(leb(n) + _RESULTS[width] for n, width in groups)
