"""`POLICY_save` and `POLICY_restore`, held against the texts that docs/edge.md writes out.

In: the functions of a source, what the state holds.  Out: the static functions that they call.

What always holds: both functions and what they call are the documented text for exactly these variables, their
places, bytes, domains and definition, but for the names of the static functions; so what was tried of one such text
(two compilers, sanitizers, a board) was tried of all that a bundle holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from govlang.native.errors import ArtefactError
from govlang.verifier.translation.c_header import Header
from govlang.verifier.translation.c_names import DocumentedTime, Kept, Named
from govlang.verifier.translation.c_parse import odd, place
from govlang.verifier.translation.c_pattern import Pattern, documented
from govlang.verifier.translation.edge_time import STATE_HEAD, TIME_MAX

_MAGIC: Final = int.from_bytes(b"govboard", "little")
_MAJOR: Final = 1
_TIME: Final = f"INT64_C({TIME_MAX})"

_HELPERS: Final = {
    "F$put": """
static void F$put(uint8_t *bytes, uint64_t value, uint32_t size)
{
    uint64_t rest = value;
    uint32_t i = 0u;
    while (i < size) {
        bytes[i] = (uint8_t)(rest & UINT64_C(255));
        rest = rest >> 8;
        i = i + 1u;
    }
}
""",
    "F$get": """
static uint64_t F$get(const uint8_t *bytes, uint32_t size)
{
    uint64_t value = UINT64_C(0);
    uint32_t i = size;
    while (i > 0u) {
        i = i - 1u;
        value = (value << 8) | (uint64_t)bytes[i];
    }
    return value;
}
""",
    "F$get_signed": """
static int64_t F$get_signed(const uint8_t *bytes, uint32_t size, uint64_t top)
{
    const uint64_t value = F$get(bytes, size);
    return (value < top) ? (int64_t)value : (-1 - (int64_t)((top - (value - top)) - UINT64_C(1)));
}
""",
    "F$sum": """
static uint32_t F$sum(const uint8_t *bytes)
{
    uint32_t found = 0xffffffffu;
    uint32_t i = 16u;
    while (i < %du) {
        uint32_t bit = 0u;
        found = found ^ (uint32_t)bytes[i];
        while (bit < 8u) {
            found = ((found & 1u) != 0u) ? ((found >> 1) ^ 0xedb88320u) : (found >> 1);
            bit = bit + 1u;
        }
        i = i + 1u;
    }
    return found ^ 0xffffffffu;
}
""",
    "F$moved": """
static int64_t F$moved(int64_t at, int64_t by, int64_t downtime)
{
    if ((at == INT64_MIN) || (at == INT64_MAX)) {
        return at;
    }
    return (downtime < INT64_C(0)) ? INT64_MAX : (at + by);
}
""",
}
"""What both call, in the order of the page."""

_LOCALS: Final = frozenset(
    ("bytes", "value", "size", "rest", "i", "top", "found", "bit", "at", "by", "downtime")
) | {"now", "length", "saved"}


def check_saving(
    header: Header, named: Named, time: DocumentedTime, functions: Mapping[str, Any]
) -> frozenset[str]:
    """The static functions of both texts.

    Raises:
        ArtefactError: GOV416 with the line, something is not the documented text.
    """
    wanted = _Wanted(header, named, time)
    pattern = Pattern(header, "the documented text of save and restore")
    save, restore = (functions[f"{header.policy}_{name}"] for name in ("save", "restore"))
    pattern.match(documented(header, wanted.save()), save)
    pattern.match(documented(header, wanted.restore()), restore)
    order = {name: number for number, name in enumerate(functions)}
    first = min(order[node.decl.name] for node in (save, restore))
    for name, text in _HELPERS.items():
        called = pattern.names[name]
        node = functions.get(called)
        if node is None or called in header.functions or order[called] > first:
            raise ArtefactError(place(save), f"`{called}` is no static function that stands before")
        pattern.match(documented(header, text % wanted.size if "%" in text else text), node)
    if order[pattern.names["F$get"]] > order[pattern.names["F$get_signed"]]:
        raise odd(save, f"`{pattern.names['F$get']}` stands behind what calls it")
    scopes = {f"{role}{part}" for role in time.scopes for part in ("", "_at", "_was")}
    pattern.check_names(save, _LOCALS | scopes)
    return frozenset(pattern.names.values())


@dataclass(frozen=True, slots=True)
class _Place:
    """A variable of the state among the bytes."""

    role: str
    member: str
    at: int
    one: Kept

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.one.storage.bits // 8

    @property
    def is_signed(self) -> bool:
        """Whether the bytes have a sign."""
        return self.one.is_time or self.one.lo < 0

    @property
    def read(self) -> str:
        """The integer that stands there."""
        if self.is_signed:
            top = f"UINT64_C({1 << 8 * self.size - 1:#x})"
            return f"F$get_signed(bytes + {self.at}, {self.size}u, {top})"
        return f"F$get(bytes + {self.at}, {self.size}u)"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The documented texts of a state."""

    header: Header
    named: Named
    time: DocumentedTime

    @property
    def size(self) -> int:
        """The bytes of a saved state."""
        return STATE_HEAD + sum(one.storage.bits // 8 for one in self.time.kept)

    def places(self) -> Iterator[_Place]:
        """The variables of the state, in order."""
        members = {name: member for (_, member), name in self.named.cells.items()}
        at = STATE_HEAD
        for role, listed in self.time.scopes.items():
            for one in listed:
                yield _Place(role, members[one.name], at, one)
                at += one.storage.bits // 8

    def _arguments(self, const: str) -> str:
        return "".join(
            f"{const}{self.header.policy}_{role}_t *{role}, " for role in self.time.scopes
        )

    def _null(self) -> str:
        return " || ".join(f"({one} == NULL)" for one in (*self.time.scopes, "bytes"))

    def save(self) -> str:
        """The text of `POLICY_save`."""
        policy, puts = self.header.policy, list(self.places())
        return "\n".join(
            [
                f"int32_t {policy}_save({self._arguments('const ')}int64_t now, uint8_t *bytes)",
                "{",
                _ends(self._null(), -2),
                _ends(_outside("now"), -1),
                _ends(f"{policy}_state_ok({', '.join(self.time.scopes)}) != 0", -3),
                f"F$put(bytes, UINT64_C({_MAGIC:#x}), 8u);",
                f"F$put(bytes + 8, UINT64_C({_MAJOR}), 4u);",
                f"F$put(bytes + 16, UINT64_C(0x{self.time.definition}), 8u);",
                "F$put(bytes + 24, (uint64_t)now, 8u);",
                *(
                    f"F$put(bytes + {p.at}, (uint64_t){p.role}->{p.member}, {p.size}u);"
                    for p in puts
                ),
                "F$put(bytes + 12, (uint64_t)F$sum(bytes), 4u);",
                "return 0; }",
            ]
        )

    def restore(self) -> str:
        """The text of `POLICY_restore`."""
        policy, places = self.header.policy, list(self.places())
        given = "const uint8_t *bytes, uint32_t length, int64_t now, int64_t downtime"
        return "\n".join(
            [
                f"int32_t {policy}_restore({self._arguments('')}{given})",
                "{",
                _ends(self._null(), -2),
                _ends(_outside("now"), -1),
                _ends(f"(downtime < INT64_C(-1)) || (downtime > {_TIME})", -1),
                _ends(f"length != {self.size}u", -3),
                _ends(f"F$get(bytes, 8u) != UINT64_C({_MAGIC:#x})", -3),
                _ends(f"F$get(bytes + 8, 2u) != UINT64_C({_MAJOR})", -3),
                _ends("F$get(bytes + 12, 4u) != (uint64_t)F$sum(bytes)", -3),
                _ends(f"F$get(bytes + 16, 8u) != UINT64_C(0x{self.time.definition})", -3),
                "const int64_t saved = F$get_signed(bytes + 24, 8u, UINT64_C(0x8000000000000000));",
                _ends(_outside("saved"), -3),
                *(line for one in places for line in _checked(one)),
                "const int64_t by = (now - saved) - downtime;",
                *(line for one in places if one.one.is_time for line in _moved(one)),
                *(f"{one.role}->{one.member} = {_value(one)};" for one in places),
                "return 0; }",
            ]
        )


def _checked(one: _Place) -> Iterator[str]:
    """A variable among the bytes is in its domain: a test of each end beyond which they hold more."""
    if one.one.is_time:
        yield f"const int64_t {one.role}_was = {one.read};"
        yield _ends(_strange(f"{one.role}_was"), -3)
        return
    kind = "INT64_C({})" if one.is_signed else "UINT64_C({})"
    bits, lo, hi = 8 * one.size, one.one.lo, one.one.hi
    least, most = (-1 << bits - 1, 1 << bits - 1) if one.is_signed else (0, 1 << bits)
    tests = [f"{one.read} < {_signed(lo, kind)}"] if lo > least else []
    tests += [f"{one.read} > {_signed(hi, kind)}"] if hi < most - 1 else []
    if tests:
        yield _ends(tests[0] if len(tests) == 1 else " || ".join(f"({t})" for t in tests), -3)


def _moved(one: _Place) -> Iterator[str]:
    """Time went on by the downtime."""
    yield f"const int64_t {one.role}_at = F$moved({one.role}_was, by, downtime);"
    yield _ends(_strange(f"{one.role}_at"), -3)


def _value(one: _Place) -> str:
    if one.one.is_time:
        return f"{one.role}_at"
    read = f"({one.one.storage}){one.read}"
    if one.one.fresh is None:
        return read
    cap = one.one.fresh if one.one.width == 32 else f"INT64_C({one.one.fresh})"
    return f"(downtime < INT64_C(0)) ? ({one.one.storage}){cap} : {read}"


def _signed(value: int, kind: str) -> str:
    return f"-{kind.format(-value)}" if value < 0 else kind.format(value)


def _outside(name: str) -> str:
    return f"({name} < -{_TIME}) || ({name} > {_TIME})"


def _strange(name: str) -> str:
    """It is no time of a last sample."""
    return f"({_outside(name)}) && ({name} != INT64_MIN) && ({name} != INT64_MAX)"


def _ends(condition: str, answer: int) -> str:
    return f"if ({condition}) {{ return {answer}; }}"
