"""The names of a policy in C (docs/edge.md), and text that is safe in a comment.

In: names of fields, rules, members: any text.  Out: identifiers.

What always holds: two things never share a name within one scope; no name is a word of C or C++, a
macro of the two headers that we include, or one that compilers predefine; a comment ends where it
should, and shows no control characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from govlang.compiler import interface
from govlang.compiler.program import STATE_HOMES, Cell, Home, Program, Variable

_WORDS: Final = """
    auto break case char const continue default do double else enum extern float for goto if inline int
    long register restrict return short signed sizeof static struct switch typedef union unsigned void
    volatile while alignas alignof bool constexpr false nullptr static_assert thread_local true typeof
    typeof_unqual and and_eq asm bitand bitor catch char8_t char16_t char32_t class co_await co_return
    co_yield compl concept const_cast consteval constinit decltype delete dynamic_cast explicit export
    friend mutable namespace new noexcept not not_eq operator or or_eq private protected public
    reinterpret_cast requires static_cast template this throw try typeid typename using virtual wchar_t
    xor xor_eq fortran far near huge interrupt
"""
"""The words of C99 to C23 and C++20, and some that compilers add."""

_MACROS: Final = """
    NULL offsetof unix linux i386 errno assert EOF TRUE FALSE
    size_t ptrdiff_t wchar_t max_align_t nullptr_t intmax_t uintmax_t intptr_t uintptr_t
    INTMAX_C UINTMAX_C INTMAX_MIN INTMAX_MAX UINTMAX_MAX INTPTR_MIN INTPTR_MAX UINTPTR_MAX
    PTRDIFF_MIN PTRDIFF_MAX SIZE_MAX SIG_ATOMIC_MIN SIG_ATOMIC_MAX
    WCHAR_MIN WCHAR_MAX WINT_MIN WINT_MAX
"""
_SIZED: Final = re.compile(
    r"u?int(_least|_fast)?(8|16|32|64|128)_t|U?INT(_LEAST|_FAST)?(8|16|32|64|128)_(MIN|MAX|C|WIDTH)"
)
_RESERVED: Final = frozenset((*_WORDS.split(), *_MACROS.split()))

MASK_ARRAYS: Final = ("limited", "dos", "remedies")
"""Cells of the outcome whose words are one array."""

COMMENT_MAX: Final = 200
"""The most characters of a policy's text that one comment shows."""


def legal(text: str) -> str:
    """A text with every sign that C does not know made `_`, and `x` before what is no letter.

    C reserves most names that begin with `_`.
    """
    found = re.sub(r"[^A-Za-z0-9_]", "_", text)
    return found if re.match(r"[A-Za-z]", found) else f"x{found}"


def is_reserved(name: str) -> bool:
    """Whether C, C++ or a header may mean something by a name."""
    return name in _RESERVED or _SIZED.fullmatch(name) is not None


def comment(text: str) -> str:
    """A text as part of a comment."""
    shown = text if len(text) <= COMMENT_MAX else text[: COMMENT_MAX - 1] + "…"
    plain = "".join(c if c.isprintable() else f"<U+{ord(c):04X}>" for c in shown)
    for first, second in ("*/", "/*", "??"):
        plain = re.sub(f"{re.escape(first)}(?={re.escape(second)})", f"{first} ", plain)
    return plain


@dataclass(slots=True)
class Scope:
    """The names of one scope; `above` is a scope whose names it does not hide."""

    above: Scope | None = None
    taken: set[str] = field(default_factory=set)

    def fresh(self, text: str) -> str:
        """A name for a text: itself if it can be, else with `_2`, `_3` … behind it."""
        base = legal(text)
        name, number = base, 1
        while is_reserved(name) or self.holds(name):
            number += 1
            name = f"{base}_{number}"
        self.taken.add(name)
        return name

    def holds(self, name: str) -> bool:
        """Whether a name is taken."""
        return name in self.taken or (self.above is not None and self.above.holds(name))


@dataclass(frozen=True, slots=True)
class CNames:
    """The names of the two files; members and cells by their names in docs/edge.md.

    `lengths` and `copies` are the members of compared texts, `classify` functions, by field; `samples`
    functions by the number of an event or a signal.
    """

    policy: str
    file: Scope
    members: dict[str, str]
    cells: dict[str, str]
    lengths: dict[str, str]
    copies: dict[str, str]
    classify: dict[str, str]
    samples: tuple[str, ...] = ()

    def of(self, part: str) -> str:
        """A name of the interface: `POLICY_decide`."""
        return f"{self.policy}_{part}"

    def macro(self, part: str) -> str:
        """A constant of the interface: `POLICY_REQUEST_UNSET`."""
        return f"{self.policy.upper()}_{part}"


_FUNCTIONS: Final = ("request_t", "params_t", "outcome_t", "decide", "commit", "int_has_32_bits")
_CONSTANTS: Final = ("H", "REQUEST_UNSET", "PARAMS_DEFAULT")
_TIMED_FUNCTIONS: Final = (
    *("sample_t", "shared_t", "state_t", "tick"),
    *("state_ok", "next_deadline", "save", "restore"),
)
_TIMED_CONSTANTS: Final = ("SAMPLE_UNSET", "SHARED_START", "STATE_START", "STATE_BYTES")


def names_of(program: Program) -> CNames:
    """The names of a policy; functions of texts come before what else the file declares."""
    policy, prefix = program.policy, legal(program.policy.name)
    file = Scope()
    file.taken.update(f"{prefix}_{part}" for part in _FUNCTIONS)
    file.taken.update(f"{prefix.upper()}_{part}" for part in _CONSTANTS)
    if program.timed:
        file.taken.update(f"{prefix}_{part}" for part in _TIMED_FUNCTIONS)
        file.taken.update(f"{prefix.upper()}_{part}" for part in _TIMED_CONSTANTS)
    samples = tuple(
        file.fresh(f"{prefix}_{one.kind}_{one.name}")
        for one in (policy.time.samples if policy.time else ())
    )
    structs = {home: Scope() for home in ("params", *Home)}
    request = structs[Home.REQUEST]
    members = {v.name: _member(v, structs) for v in program.variables}
    copied = {name for pair in interface.compared(policy) for name in pair}
    read = interface.classified(policy) | copied
    texts = [one.name for one in policy.fields if one.name in read]
    lengths, copies = {}, {}
    for name in (one for one in texts if one in copied):
        lengths[name] = request.fresh(f"{name}_length")
        copies[name] = request.fresh(f"{name}_bytes")
    classify = {name: file.fresh(f"{prefix}_classify_{name}") for name in texts}
    cells = _cells(program.cells)
    return CNames(prefix, file, members, cells, lengths, copies, classify, samples)


def _member(one: Variable, structs: Mapping[str, Scope]) -> str:
    """The member of a struct that a variable is; the time of a scope is its `at`."""
    struct = structs["params" if one.param else one.home]
    if one.home not in (Home.SAMPLE, *STATE_HOMES):
        return struct.fresh(one.name)
    own = one.name.removeprefix(f"{one.home}.")
    return struct.fresh("at" if one.beside else own)


def _cells(cells: Iterable[Cell]) -> dict[str, str]:
    """The members of the outcome; `limited.1` is an element of an array."""
    scope = Scope()
    arrays: dict[str, str] = {}
    found: dict[str, str] = {}
    for cell in cells:
        name = cell.name.removeprefix("out.")
        array, _, word = name.partition(".")
        if array not in MASK_ARRAYS:
            found[cell.name] = scope.fresh(name)
            continue
        if array not in arrays:
            arrays[array] = scope.fresh(array)
        found[cell.name] = f"{arrays[array]}[{word}]"
    return found
