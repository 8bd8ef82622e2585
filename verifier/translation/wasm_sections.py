"""A module as its sections: what docs/edge.md lets stand in each, and nothing else.

In: the bytes of a module.  Out: `Module`, its parts with their offsets; the instructions of functions
are still bytes.  What always holds: every section is read to its end, and every index that stands
outside of functions names something.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, TypeVar

from govlang.verifier.translation.wasm_bytes import Reader, refusal

PAGE: Final = 65_536
"""Bytes of a page of memory."""

LOCALS_MAX: Final = 50_000
"""Locals of a function: what engines take."""

_MAGIC: Final = b"\0asm\x01\0\0\0"
_WIDTHS: Final = {0x7F: 32, 0x7E: 64}
_CONST: Final = {32: 0x41, 64: 0x42}
_END: Final = 0x0B

Part = TypeVar("Part")


class Section(IntEnum):
    """The sections in their order; custom ones stand behind them."""

    TYPE = 1
    FUNCTION = 3
    MEMORY = 5
    GLOBAL = 6
    EXPORT = 7
    CODE = 10
    DATA = 11


class External(IntEnum):
    """What an export is."""

    FUNCTION = 0
    MEMORY = 2
    GLOBAL = 3


@dataclass(frozen=True, slots=True)
class Type:
    """A function's type; parameters and result as widths."""

    params: tuple[int, ...]
    result: int


STEP: Final = Type((), 32)
SCAN: Final = Type((32, 32), 32)
TIMED_STEP: Final = SCAN
"""The step of a policy over time takes the kind of a sample, and whether it writes."""


@dataclass(frozen=True, slots=True)
class Global:
    """A global and its first value."""

    width: int
    mutable: bool
    initial: int
    at: int


@dataclass(frozen=True, slots=True)
class Export:
    """A name under which a host finds something."""

    name: str
    kind: External
    index: int
    at: int


@dataclass(frozen=True, slots=True)
class Body:
    """A function: the widths of its locals, parameters first; its instructions stand at `at` to `end`."""

    type: Type
    locals: tuple[int, ...]
    data: bytes
    at: int
    end: int


@dataclass(slots=True)
class Module:
    """The parts of a module; `pages` is 0 without a memory."""

    types: tuple[Type, ...] = ()
    functions: tuple[int, ...] = ()
    pages: int = 0
    globals: tuple[Global, ...] = ()
    exports: tuple[Export, ...] = ()
    bodies: tuple[Body, ...] = ()
    data: bytes = b""
    data_at: int = 0
    schema: bytes = b""
    schema_at: int = 0
    module_name: str = ""
    function_names: tuple[str, ...] = ()
    names_at: int = 0
    seen: set[Section] = field(default_factory=set)


def read_module(data: bytes) -> Module:
    """The parts of a module.

    Raises:
        ArtefactError: GOV416, something stands in it that docs/edge.md does not have.

    """
    reader, module, last = Reader(data, 0, len(data)), Module(), 0
    reader.expect(_MAGIC, "the beginning")
    while reader.at < reader.end and data[reader.at]:
        last = _section(reader, module, last)
    for number in (Section.TYPE, Section.FUNCTION, Section.GLOBAL, Section.EXPORT, Section.CODE):
        if number not in module.seen:
            raise refusal(reader.at, f"there is no {number.name.lower()} section")
    if (Section.MEMORY in module.seen) != (Section.DATA in module.seen):
        raise refusal(reader.at, "memory and data stand or fall together")
    _schema(_custom(reader, "gov.schema"), module)
    _names(_custom(reader, "name"), module)
    reader.finish()
    return module


def _section(reader: Reader, module: Module, last: int) -> int:
    start = reader.at
    number = reader.byte()
    if number not in set(Section):
        raise refusal(start, f"a module has no section {number}")
    section = Section(number)
    if number <= last:
        raise refusal(start, f"the {section.name.lower()} section stands in the wrong place")
    part = reader.part_of(reader.unsigned(), f"{section.name.lower()} section")
    _SECTIONS[section](part, module)
    part.finish()
    module.seen.add(section)
    return number


def _several(reader: Reader, read: Callable[[Reader], Part]) -> tuple[Part, ...]:
    """A section's elements, at least one."""
    start, count = reader.at, reader.unsigned()
    if not count:
        raise refusal(start, f"the {reader.part} is empty")
    return tuple(read(reader) for _ in range(count))


def _width(reader: Reader) -> int:
    start, code = reader.at, reader.byte()
    if code not in _WIDTHS:
        raise refusal(start, f"{code:#x} is no type of integers")
    return _WIDTHS[code]


# --- what stands before the code -----------------------------------------------------------------


def _types(reader: Reader, module: Module) -> None:
    start = reader.at
    module.types = _several(reader, _type)
    if len(set(module.types)) < len(module.types):
        raise refusal(start, "a type stands twice")


def _type(reader: Reader) -> Type:
    start = reader.at
    reader.expect(b"\x60", "a function type")
    params = tuple(_width(reader) for _ in range(reader.unsigned()))
    reader.expect(b"\x01", "the number of results")
    found = Type(params, _width(reader))
    if found not in (STEP, SCAN):
        raise refusal(start, "a function has neither the type of a step nor of a scan")
    return found


def _functions(reader: Reader, module: Module) -> None:
    start = reader.at
    module.functions = _several(reader, Reader.unsigned)
    if set(module.functions) != set(range(len(module.types))):
        raise refusal(start, "functions and types do not fit")


def _memory(reader: Reader, module: Module) -> None:
    reader.expect(b"\x01\x01", "one memory with a maximum")
    start = reader.at
    module.pages, maximum = reader.unsigned(), reader.unsigned()
    if module.pages != maximum or not 0 < maximum <= PAGE:
        raise refusal(start, "minimum and maximum of the memory must be one number of pages")


def _globals(reader: Reader, module: Module) -> None:
    module.globals = _several(reader, _global)


def _global(reader: Reader) -> Global:
    start, width = reader.at, _width(reader)
    at, mutable = reader.at, reader.byte()
    if mutable > 1:
        raise refusal(at, "a global is mutable (1) or not (0)")
    return Global(width, bool(mutable), _constant(reader, width), start)


def _constant(reader: Reader, width: int) -> int:
    reader.expect(bytes([_CONST[width]]), f"a constant of {width} bits")
    value = reader.signed(width)
    reader.expect(bytes([_END]), "the end of a constant")
    return value


def _exports(reader: Reader, module: Module) -> None:
    module.exports = _several(reader, _export)
    taken: set[str] = set()
    sizes = {
        External.FUNCTION: len(module.functions),
        External.MEMORY: int(module.pages > 0),
        External.GLOBAL: len(module.globals),
    }
    for one in module.exports:
        if one.name in taken:
            raise refusal(one.at, f"`{one.name}` is exported twice")
        if one.index >= sizes[one.kind]:
            raise refusal(one.at, f"`{one.name}` exports what is not there")
        taken.add(one.name)


def _export(reader: Reader) -> Export:
    start, name = reader.at, reader.name()
    at, kind = reader.at, reader.byte()
    if kind not in set(External):
        raise refusal(at, f"`{name}` is no function, memory or global")
    return Export(name, External(kind), reader.unsigned(), start)


# --- code and data -------------------------------------------------------------------------------


def _code(reader: Reader, module: Module) -> None:
    start, count = reader.at, reader.unsigned()
    if count != len(module.functions):
        raise refusal(start, f"the number of bodies is {count}, must be {len(module.functions)}")
    module.bodies = tuple(_body(reader, module.types[number]) for number in module.functions)


def _body(reader: Reader, kind: Type) -> Body:
    part = reader.part_of(reader.unsigned(), "function")
    widths = list(kind.params)
    for _ in range(part.unsigned()):
        start, count = part.at, part.unsigned()
        if not 0 < count <= LOCALS_MAX - len(widths):
            raise refusal(
                start, f"a function has at most {LOCALS_MAX} locals, a group at least one"
            )
        widths += [_width(part)] * count
    start = part.at
    part.take(part.end - start)
    return Body(kind, tuple(widths), part.data, start, part.end)


def _data(reader: Reader, module: Module) -> None:
    reader.expect(b"\x01\x00\x41\x00\x0b", "one data segment at address 0")
    size, module.data_at = reader.unsigned(), reader.at
    module.data = reader.take(size)
    if not 0 < size <= module.pages * PAGE:
        raise refusal(module.data_at, "the data segment is empty or does not fit into the memory")


_SECTIONS: Final[Mapping[Section, Callable[[Reader, Module], None]]] = {
    Section.TYPE: _types,
    Section.FUNCTION: _functions,
    Section.MEMORY: _memory,
    Section.GLOBAL: _globals,
    Section.EXPORT: _exports,
    Section.CODE: _code,
    Section.DATA: _data,
}


# --- custom sections -----------------------------------------------------------------------------


def _custom(reader: Reader, name: str) -> Reader:
    start = reader.at
    reader.expect(b"\0", f"the custom section `{name}`")
    part = reader.part_of(reader.unsigned(), f"`{name}` section")
    if part.name() != name:
        raise refusal(start, f"the custom section `{name}` is missing")
    return part


def _schema(part: Reader, module: Module) -> None:
    module.schema_at = part.at
    module.schema = part.take(part.end - part.at)


def _names(part: Reader, module: Module) -> None:
    module.names_at = part.at
    part.expect(b"\0", "the module's name")
    name = part.part_of(part.unsigned(), "module's name")
    module.module_name = name.name()
    name.finish()
    part.expect(b"\x01", "the functions' names")
    functions = part.part_of(part.unsigned(), "functions' names")
    found = _several(functions, lambda one: (one.unsigned(), one.name()))
    functions.finish()
    part.finish()
    if [index for index, _ in found] != list(range(len(module.functions))):
        raise refusal(module.names_at, "the names are not those of the functions in their order")
    module.function_names = tuple(text for _, text in found)
