"""A state as bytes in C: `POLICY_save` and `POLICY_restore`, as docs/edge.md has them.

In: a program over time, the names of its files.  Out: lines of the source.

What always holds: nothing is written before everything has been looked at; the bytes are the same on every
machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from govlang.compiler import ir
from govlang.compiler.c_names import CNames
from govlang.compiler.c_numbers import constant, member_type
from govlang.compiler.c_time import Objects, pointers, state_size
from govlang.compiler.edge_state import (
    SAVED_HEAD,
    STATE_HEAD,
    TIME_MAX,
    BoardScope,
    board_scopes,
    is_freshness,
    state_definition,
)
from govlang.compiler.program import Program, Variable

MAGIC: Final = int.from_bytes(b"govboard", "little")
MAJOR: Final = 1

_TIME: Final = f"INT64_C({TIME_MAX})"
_PUT: Final = """
static void {put}(uint8_t *bytes, uint64_t value, uint32_t size)
{{
    uint64_t rest = value;
    uint32_t i = 0u;
    while (i < size) {{
        bytes[i] = (uint8_t)(rest & UINT64_C(255));
        rest = rest >> 8;
        i = i + 1u;
    }}
}}

static uint64_t {get}(const uint8_t *bytes, uint32_t size)
{{
    uint64_t value = UINT64_C(0);
    uint32_t i = size;
    while (i > 0u) {{
        i = i - 1u;
        value = (value << 8) | (uint64_t)bytes[i];
    }}
    return value;
}}

static int64_t {get_signed}(const uint8_t *bytes, uint32_t size, uint64_t top)
{{
    const uint64_t value = {get}(bytes, size);
    return (value < top) ? (int64_t)value : (-1 - (int64_t)((top - (value - top)) - UINT64_C(1)));
}}

static uint32_t {sum}(const uint8_t *bytes)
{{
    uint32_t found = 0xffffffffu;
    uint32_t i = 16u;
    while (i < {size}u) {{
        uint32_t bit = 0u;
        found = found ^ (uint32_t)bytes[i];
        while (bit < 8u) {{
            found = ((found & 1u) != 0u) ? ((found >> 1) ^ 0xedb88320u) : (found >> 1);
            bit = bit + 1u;
        }}
        i = i + 1u;
    }}
    return found ^ 0xffffffffu;
}}

static int64_t {moved}(int64_t at, int64_t by, int64_t downtime)
{{
    if ((at == INT64_MIN) || (at == INT64_MAX)) {{
        return at;
    }}
    return (downtime < INT64_C(0)) ? INT64_MAX : (at + by);
}}
"""


@dataclass(frozen=True, slots=True)
class Helpers:
    """The names of the static functions that both ways need."""

    put: str
    get: str
    get_signed: str
    sum: str
    moved: str


def saving(program: Program, names: CNames, save: str, restore: str) -> Iterator[str]:
    """Both functions, given their heads, with what they call."""
    words = ("put", "get", "get_signed", "sum", "moved")
    own = Helpers(*(names.file.fresh(names.of(word)) for word in words))
    named = {word: getattr(own, word) for word in words}
    yield from _PUT.format(size=state_size(program), **named).rstrip("\n").split("\n")
    body = _Body(program, names, Objects(program, names), own)
    yield from ("", save, "{", *body.save(), "}")
    yield from ("", restore, "{", *body.restore(), "}")


@dataclass(frozen=True, slots=True)
class _Body:
    program: Program
    names: CNames
    objects: Objects
    own: Helpers

    # --- save ------------------------------------------------------------------------------------

    def save(self) -> Iterator[str]:
        """The state as bytes."""
        own, state = self.own, ", ".join(pointers(self.objects.state(fixed=True)))
        yield from self._null(["bytes"])
        yield from _ends(_outside("now"), -1)
        yield from _ends(f"{self.names.of('state_ok')}({state}) != 0", -3)
        yield f"    {own.put}(bytes, UINT64_C({MAGIC:#x}), 8u);"
        yield f"    {own.put}(bytes + 8, UINT64_C({MAJOR}), 4u);"
        yield f"    {own.put}(bytes + 16, {self._definition()}, 8u);"
        yield f"    {own.put}(bytes + 24, (uint64_t)now, 8u);"
        for at, one, size in self._places():
            value = f"{one.home}->{self.names.members[one.name]}"
            yield f"    {own.put}(bytes + {at}, (uint64_t){value}, {size}u);"
        yield f"    {own.put}(bytes + 12, (uint64_t){own.sum}(bytes), 4u);"
        yield "    return 0;"

    def _definition(self) -> str:
        return f"UINT64_C(0x{state_definition(self.program.policy)})"

    def _places(self) -> Iterator[tuple[int, Variable, int]]:
        """Where each variable of the state stands among the bytes, and how many it takes."""
        at = SAVED_HEAD
        for scope in self._scopes():
            yield at, self._variable(scope.at), STATE_HEAD
            at += STATE_HEAD
            for cell in scope.cells:
                yield at, self._variable(scope.variable(cell)), cell.bytes
                at += cell.bytes

    def _scopes(self) -> tuple[BoardScope, ...]:
        assert self.program.policy.time is not None
        return board_scopes(self.program.policy.time)

    def _variable(self, name: str) -> Variable:
        return next(one for one in self.program.variables if one.name == name)

    # --- restore ---------------------------------------------------------------------------------

    def restore(self) -> Iterator[str]:
        """The state from bytes."""
        own = self.own
        yield from self._null(["bytes"])
        yield from _ends(_outside("now"), -1)
        yield from _ends(f"(downtime < INT64_C(-1)) || (downtime > {_TIME})", -1)
        yield from _ends(f"length != {state_size(self.program)}u", -3)
        yield from _ends(f"{own.get}(bytes, 8u) != UINT64_C({MAGIC:#x})", -3)
        yield from _ends(f"{own.get}(bytes + 8, 2u) != UINT64_C({MAJOR})", -3)
        yield from _ends(f"{own.get}(bytes + 12, 4u) != (uint64_t){own.sum}(bytes)", -3)
        yield from _ends(f"{own.get}(bytes + 16, 8u) != {self._definition()}", -3)
        yield f"    const int64_t saved = {self._read(24, 8, signed=True)};"
        yield from _ends(_outside("saved"), -3)
        places = list(self._places())
        for at, one, size in places:
            yield from self._checked(at, one, size)
        yield "    const int64_t by = (now - saved) - downtime;"
        for one in (one for _, one, _ in places if one.beside):
            yield f"    const int64_t {one.home}_at = {own.moved}({one.home}_was, by, downtime);"
            yield from _ends(_strange(f"{one.home}_at"), -3)
        for at, one, size in places:
            yield f"    {one.home}->{self.names.members[one.name]} = {self._value(at, one, size)};"
        yield "    return 0;"

    def _checked(self, at: int, one: Variable, size: int) -> Iterator[str]:
        """A variable of the bytes is in its domain."""
        read = self._read(at, size, signed=one.lo < 0)
        if one.beside:
            yield f"    const int64_t {one.home}_was = {read};"
            yield from _ends(_strange(f"{one.home}_was"), -3)
            return
        low, high = (
            (-(1 << 8 * size - 1), (1 << 8 * size - 1) - 1)
            if one.lo < 0
            else (0, (1 << 8 * size) - 1)
        )
        if size == 8:
            high = ir.INT64_MAX
        kind = "INT64_C({})" if one.lo < 0 else "UINT64_C({})"
        tests = [f"{read} < {_constant(one.lo, kind)}"] if one.lo > low else []
        tests += (
            [f"{read} > {_constant(one.hi, kind)}"]
            if one.hi < high or (one.lo >= 0 and size == 8)
            else []
        )
        if tests:
            yield from _ends(
                tests[0] if len(tests) == 1 else " || ".join(f"({t})" for t in tests), -3
            )

    def _read(self, at: int, size: int, *, signed: bool) -> str:
        """The integer at a place."""
        if signed:
            return f"{self.own.get_signed}(bytes + {at}, {size}u, UINT64_C({1 << 8 * size - 1:#x}))"
        return f"{self.own.get}(bytes + {at}, {size}u)"

    def _value(self, at: int, one: Variable, size: int) -> str:
        if one.beside:
            return f"{one.home}_at"
        kind = member_type(one.width, size, one.lo)
        read = f"({kind}){self._read(at, size, signed=one.lo < 0)}"
        fresh = self._freshness().get(one.name)
        if fresh is None:
            return read
        return (
            f"(downtime < INT64_C(0)) ? ({kind}){constant(fresh, one.width, mask=False)} : {read}"
        )

    def _freshness(self) -> dict[str, int]:
        """The ages of the last samples of signals, each with its cap."""
        time = self.program.policy.time
        assert time is not None
        return {
            scope.variable(cell): cell.cap
            for scope in self._scopes()
            for cell in scope.cells
            if cell.cap is not None and is_freshness(time, cell)
        }

    def _null(self, others: list[str]) -> Iterator[str]:
        found = [*pointers(self.objects.state(fixed=True)), *others]
        yield from _ends(" || ".join(f"({one} == NULL)" for one in found), -2)


def _constant(value: int, kind: str) -> str:
    if value == ir.INT64_MIN:
        return "INT64_MIN"
    return f"-{kind.format(-value)}" if value < 0 else kind.format(value)


def _outside(name: str) -> str:
    return f"({name} < -{_TIME}) || ({name} > {_TIME})"


def _strange(text: str) -> str:
    """It is no time of a last sample."""
    ends = f"({text} != INT64_MIN) && ({text} != INT64_MAX)"  # never, unknown
    return f"(({text} < -{_TIME}) || ({text} > {_TIME})) && {ends}"


def _ends(condition: str, answer: int) -> Iterator[str]:
    yield f"    if ({condition}) {{"
    yield from (f"        return {answer};", "    }")
