"""The binary format of WebAssembly 1.0 (core), as far as policies need it.

In: numbers, names, instructions, and a `Module` of its parts.  Out: bytes.  Knows the format and
nothing about policies.  After the specification of WebAssembly 1.0, chapter 5.

What always holds: every LEB128 number has its shortest form, sections stand in the order of the
format, and those that are empty are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

HEADER: Final = b"\0asm\x01\0\0\0"
PAGE: Final = 65536

VALUE_TYPE: Final = {32: b"\x7f", 64: b"\x7e"}
"""The type of a value by its width."""

_FUNCTION_TYPE: Final = b"\x60"
_EXPORT_KIND: Final = {"function": b"\0", "memory": b"\x02", "global": b"\x03"}

_NO_WIDTH: Final = {
    "block": 0x02,
    "loop": 0x03,
    "if": 0x04,
    "else": 0x05,
    "end": 0x0B,
    "br": 0x0C,
    "br_if": 0x0D,
    "br_table": 0x0E,
    "return": 0x0F,
    "call": 0x10,
    "drop": 0x1A,
    "select": 0x1B,
    "local.get": 0x20,
    "local.set": 0x21,
    "local.tee": 0x22,
    "global.get": 0x23,
    "global.set": 0x24,
    "i32.load8_u": 0x2D,
    "i32.load16_u": 0x2F,
    "i32.store8": 0x3A,
    "i32.wrap_i64": 0xA7,
    "i64.extend_i32_s": 0xAC,
    "i64.extend_i32_u": 0xAD,
}
_TESTS: Final = (
    "eqz",
    "eq",
    "ne",
    *(f"{test}_{sign}" for test in ("lt", "gt", "le", "ge") for sign in "su"),
)
_ARITHMETIC: Final = (
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
)
_FIRST: Final = (  # the code of the first of a run, by width
    ("const", {32: 0x41, 64: 0x42}, ("",)),
    ("test", {32: 0x45, 64: 0x50}, _TESTS),
    ("arithmetic", {32: 0x6A, 64: 0x7C}, _ARITHMETIC),
)

OPCODE: Final[dict[str, int]] = _NO_WIDTH | {
    f"i{width}.{name or run}": first + i
    for run, firsts, names in _FIRST
    for width, first in firsts.items()
    for i, name in enumerate(names)
}
"""The code of each instruction by its name in the text format."""

NO_RESULT: Final = b"\x40"
"""The type of a block that leaves nothing on the stack."""


# --- numbers and names ---------------------------------------------------------------------------


def unsigned(value: int) -> bytes:
    """A number from 0, LEB128."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed(value: int) -> bytes:
    """A number with a sign, LEB128."""
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)


def as_signed(value: int, width: int) -> int:
    """The number whose two's complement has the low `width` bits of `value`."""
    low = value & (1 << width) - 1
    return low - (low >> width - 1 << width)


def name(text: str) -> bytes:
    """A name: its length in bytes, and its UTF-8."""
    encoded = text.encode()
    return unsigned(len(encoded)) + encoded


def vector(items: Sequence[bytes]) -> bytes:
    """Items behind their number."""
    return unsigned(len(items)) + b"".join(items)


def constant(value: int, width: int) -> bytes:
    """The instruction that pushes a constant; masks may be given without a sign."""
    return bytes([OPCODE[f"i{width}.const"]]) + signed(as_signed(value, width))


# --- a module ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Global:
    """A global with its first value; without `export` it is known to the module alone."""

    export: str | None
    width: int
    initial: int
    mutable: bool = True


@dataclass(frozen=True, slots=True)
class Function:
    """A function of so many i32 parameters and one i32 result.

    `locals` are the widths of its further locals; `code` its instructions with the last `end`.
    """

    name: str
    exports: tuple[str, ...]
    params: int
    locals: tuple[int, ...]
    code: bytes


@dataclass(frozen=True, slots=True)
class Memory:
    """A memory of fixed size, and the data that it starts with from address 0."""

    pages: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Module:
    """The parts of a module; functions of one signature share a type."""

    name: str
    functions: tuple[Function, ...]
    globals: tuple[Global, ...]
    memory: Memory | None
    customs: tuple[tuple[str, bytes], ...]


def module_bytes(module: Module) -> bytes:
    """The module in the binary format; the `name` section stands last."""
    signatures = sorted({function.params for function in module.functions})
    memory = module.memory
    limits = b"\x01" + unsigned(memory.pages) * 2 if memory else b""
    data = b"\0" + constant(0, 32) + _end() + _sized(memory.data) if memory else b""
    sections = (
        _section(1, [_signature(params) for params in signatures]),
        _section(3, [unsigned(signatures.index(f.params)) for f in module.functions]),
        _section(5, [limits] if memory else []),
        _section(6, [_global(one) for one in module.globals]),
        _section(7, list(_exports(module))),
        _section(10, [_sized(_body(function)) for function in module.functions]),
        _section(11, [data] if memory else []),
    )
    customs = (*module.customs, ("name", _names(module)))
    return HEADER + b"".join(sections) + b"".join(_custom(title, data) for title, data in customs)


def _end() -> bytes:
    return bytes([OPCODE["end"]])


def _sized(content: bytes) -> bytes:
    return unsigned(len(content)) + content


def _section(code: int, items: Sequence[bytes]) -> bytes:
    return bytes([code]) + _sized(vector(items)) if items else b""


def _custom(title: str, content: bytes) -> bytes:
    return b"\0" + _sized(name(title) + content)


def _signature(params: int) -> bytes:
    return _FUNCTION_TYPE + vector([VALUE_TYPE[32]] * params) + vector([VALUE_TYPE[32]])


def _global(one: Global) -> bytes:
    kind = VALUE_TYPE[one.width] + bytes([one.mutable])
    return kind + constant(one.initial, one.width) + _end()


def _exports(module: Module) -> Iterable[bytes]:
    for number, one in enumerate(module.globals):
        if one.export is not None:
            yield _export(one.export, "global", number)
    for number, function in enumerate(module.functions):
        for export in function.exports:
            yield _export(export, "function", number)
    if module.memory:
        yield _export("memory", "memory", 0)


def _export(title: str, kind: str, number: int) -> bytes:
    return name(title) + _EXPORT_KIND[kind] + unsigned(number)


def _body(function: Function) -> bytes:
    runs: list[list[int]] = []  # a run: how many, of which width
    for width in function.locals:
        if runs and runs[-1][1] == width:
            runs[-1][0] += 1
        else:
            runs.append([1, width])
    return vector([unsigned(n) + VALUE_TYPE[w] for n, w in runs]) + function.code


def _names(module: Module) -> bytes:
    functions = [unsigned(i) + name(f.name) for i, f in enumerate(module.functions)]
    return b"\0" + _sized(name(module.name)) + b"\x01" + _sized(vector(functions))
