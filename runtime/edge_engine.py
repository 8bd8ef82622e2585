"""An instance of a policy's module in wasmtime: its variables by name, its functions.

In: the bytes of a module and its schema.  Out: `Engine`, which sets variables, takes texts in, decides
and reads cells.

What always holds: a module whose exports are not those that its schema promises (docs/edge.md), or that
imports anything, is refused with GOV416 before it is asked; so is one that traps.  An engine keeps the
request in its globals: one decision at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

from govlang.native.errors import ArtefactError
from govlang.runtime.edge_schema import TEXT_KINDS, Argument, EdgeField, EdgeSchema
from govlang.runtime.edge_schema_time import EdgeTime

NOTHING: Final = -1
"""What `out.retry` and `out.expires` hold where there is none."""

_WORD: Final = 32
_NARROW: Final = (-(2**31), 2**31 - 2)
_MEMBERS_32: Final = 31
_TAKEN: Final = frozenset({"decide", "commit", "memory", "text"})
_TAKEN_OVER_TIME: Final = _TAKEN | {"tick", "state_ok", "next_deadline"}
_OPTIONAL: Final = (("out.roles", 64), ("out.expires", 64), ("out.retry", 64))
"""Cells that stand there if some rule has a use for them, which the schema does not tell."""


# --- what a module of a schema exports -----------------------------------------------------------


def export_name(schema: EdgeSchema, field: str) -> str:
    """The name under which a field's variable is exported."""
    taken = _TAKEN if schema.time is None else _TAKEN_OVER_TIME
    return f"field.{field}" if field in taken else field


def scanned(schema: EdgeSchema) -> tuple[EdgeField, ...]:
    """The texts whose bytes the module wants to see."""
    compared = {name for pair in schema.same for name in pair}
    return tuple(one for one in schema.fields if one.classes > 0 or one.name in compared)


def variables(schema: EdgeSchema) -> Iterator[tuple[str, int]]:
    """Every variable, in order, with its width."""
    for one in schema.fields:
        if one.optional:
            yield f"has.{one.name}", 32
        if one.kind not in TEXT_KINDS:
            yield export_name(schema, one.name), _width(one)
        yield from ((f"class.{one.name}.{part}", 32) for part in range(one.classes))
    yield from ((f"same.{a}.{b}", 32) for a, b in schema.same)
    yield from ((f"param.{one.name}", _width(one)) for one in schema.params)
    if schema.time is not None:
        yield from _over_time(schema.time)


def _over_time(time: EdgeTime) -> Iterator[tuple[str, int]]:
    """The variables of samples and of the state."""
    yield "clock.now", 64
    for sample in time.samples:
        own = (one for one in sample.fields if one.kind not in TEXT_KINDS)
        yield from ((sample.variable(one), _width(one)) for one in own)
    for scope in time.scopes:
        yield f"clock.{scope}", 64
        own_cells = (cell for cell in time.cells if cell.scope == scope)
        yield from ((cell.name, _width(cell.field)) for cell in own_cells)


def cells(schema: EdgeSchema) -> Iterator[tuple[str, int]]:
    """Every cell of the outcome with its width; those of `_OPTIONAL` among them."""
    yield from ((f"out.{name}", 32) for name in ("decision", "rule", "invalid"))
    yield from _words("out.limited", len(schema.targets))
    for one in schema.targets:
        yield f"out.lo.{one.name}", _width(one)
        yield f"out.hi.{one.name}", _width(one)
    yield from _words("out.dos", len(schema.duties))
    for number, duty in enumerate(schema.duties):
        yield from _computed(f"out.do.{number}", duty.arguments)
    yield from _OPTIONAL
    yield from _words("out.remedies", len(schema.remedies))
    for number, remedy in enumerate(schema.remedies):
        yield from _computed(f"out.remedy.{number}", remedy.values)
    if schema.time is not None:
        yield "out.deadline", 64


def functions(time: EdgeTime) -> tuple[str, ...]:
    """What a module over time exports beside `decide`."""
    samples = (one.function for one in time.samples)
    return ("commit", "tick", *samples, "state_ok", "next_deadline")


def _width(one: EdgeField) -> int:
    if one.kind == "set":
        return 32 if len(one.members) <= _MEMBERS_32 else 64
    return 32 if _NARROW[0] <= one.lo and one.hi <= _NARROW[1] else 64


def _words(name: str, bits: int) -> Iterator[tuple[str, int]]:
    yield from ((f"{name}.{word}", _WORD) for word in range(-(-bits // _WORD)))


def _computed(prefix: str, arguments: tuple[Argument, ...]) -> Iterator[tuple[str, int]]:
    yield from ((f"{prefix}.{one.field.name}", 64) for one in arguments if one.is_computed)


# --- an instance ---------------------------------------------------------------------------------


class Engine:
    """A module that runs."""

    def __init__(self, module: bytes, schema: EdgeSchema) -> None:
        """Load a module.

        Raises:
            ArtefactError: GOV416 it cannot run, or does not export what its schema promises.
            ModuleNotFoundError: wasmtime is not installed.
        """
        import wasmtime

        self._faults: Final = (wasmtime.WasmtimeError, wasmtime.Trap)
        engine = wasmtime.Engine()
        self._store: Final = wasmtime.Store(engine)
        try:
            exports = wasmtime.Instance(self._store, wasmtime.Module(engine, module), []).exports(
                self._store
            )
        except self._faults as error:
            raise ArtefactError("module", _first_line(error)) from None
        self._globals: Final = dict(_only(exports, wasmtime.Global))
        self._functions: Final = dict(_only(exports, wasmtime.Func))
        self._memories: Final = dict(_only(exports, wasmtime.Memory))
        self._widths: Final = {name: self._width(one) for name, one in self._globals.items()}
        self._check_globals(schema)
        self._check_functions(schema)
        self.variables: Final = tuple(name for name, _ in variables(schema))

    def write(self, name: str, value: int) -> None:
        """Set a variable; a mask of 64 members is given as its bits."""
        bits = self._widths[name]
        low = value & (1 << bits) - 1
        self._globals[name].set_value(self._store, low - (low >> bits - 1 << bits))

    def read(self, name: str) -> int:
        """A variable or a cell of the outcome; `NOTHING` where the policy has no use for it."""
        one = self._globals.get(name)
        value: int = NOTHING if one is None else one.value(self._store)
        return value

    def classify(self, field: str, text: bytes) -> int:
        """Take a text in: 0, or −1 if it is not valid."""
        at = self.read("text")
        self._memories["memory"].write(self._store, text, at)
        return self._call(f"classify.{field}", at, len(text))

    def run(self, function: str) -> int:
        """What a function without arguments answers: 0, or −1 for an invalid request (docs/edge.md has more)."""
        return self._call(function)

    def _call(self, name: str, *arguments: int) -> int:
        try:
            found: int = self._functions[name](self._store, *arguments)
        except self._faults as error:
            raise ArtefactError(f"function `{name}`", _first_line(error)) from None
        return found

    # --- what is checked before it is asked -----------------------------------------------------

    def _width(self, one: Any) -> int:
        return {"i32": 32, "i64": 64}.get(str(one.type(self._store).content), 0)

    def _check_globals(self, schema: EdgeSchema) -> None:
        """Every global has its use, and the variables stand in the order that `out.invalid` counts by."""
        left, ordered = dict(self._widths), iter(self._widths)
        for name, width in variables(schema):
            if next(ordered, None) != name or left.pop(name) != width:
                raise ArtefactError(f"export `{name}`", f"is not in its place as an i{width}")
        text = (("text", 32),) if scanned(schema) else ()
        for name, width in chain(cells(schema), text):
            if left.pop(name, width if (name, width) in _OPTIONAL else 0) != width:
                raise ArtefactError(f"export `{name}`", f"is not there as an i{width}")
        for name in left:
            raise ArtefactError(f"export `{name}`", "is nothing that the schema speaks of")
        for name, one in self._globals.items():
            if name != "text" and not one.type(self._store).mutable:
                raise ArtefactError(f"export `{name}`", "cannot be written")

    def _check_functions(self, schema: EdgeSchema) -> None:
        texts = scanned(schema)
        wanted = {"decide": 0} | {f"classify.{one.name}": 2 for one in texts}
        wanted |= dict.fromkeys(functions(schema.time) if schema.time else (), 0)
        for name, count in wanted.items():
            signature = (["i32"] * count, ["i32"])
            if name not in self._functions or self._signature(name) != signature:
                raise ArtefactError(f"function `{name}`", "is not there in the documented form")
        if texts:
            memory, start = self._memories.get("memory"), self.read("text")
            size = 0 if memory is None else memory.data_len(self._store)
            if not 0 <= start <= size - max(one.max_bytes for one in texts):
                raise ArtefactError("memory", "has no room for the longest text")

    def _signature(self, name: str) -> tuple[list[str], list[str]]:
        kind = self._functions[name].type(self._store)
        return [str(one) for one in kind.params], [str(one) for one in kind.results]


def _only(exports: Any, kind: Any) -> Iterator[tuple[str, Any]]:
    """The exports of a kind, in the module's order; wasmtime's own types say little of an export."""
    yield from ((name, one) for name, one in exports.items() if isinstance(one, kind))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].lower()
