"""What decoders make of C text and of WebAssembly: one small language with the integers of the target.

In: `wasm_read.py` and `c_read.py` turn an artefact into a `Function`, node for node.  Out:
`machine_run.py` runs it on given values; `machine_proof.py` holds it against the policy.

A value is a pattern of 32 or 64 bits, written as the signed integer of that width.  Conditions are
values of 32 bits, 0 or not.  What always holds: control goes forward; cells and locals are named.
Statements nest as deep as a step has places where it is refused; expressions stay shallow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

UNDEFINED: Final = "undefined"


class Op(StrEnum):
    """Operations on two values of one width; the result has that width."""

    ADD = "add"
    SUB = "sub"
    MUL = "mul"
    DIV_S = "div_s"
    REM_S = "rem_s"
    AND = "and"
    OR = "or"
    XOR = "xor"
    SHL = "shl"
    SHR_S = "shr_s"
    SHR_U = "shr_u"


class Test(StrEnum):
    """Comparisons of two values of one width; the result is 0 or 1 in 32 bits."""

    EQ = "eq"
    NE = "ne"
    LT_S = "lt_s"
    LT_U = "lt_u"
    LE_S = "le_s"
    LE_U = "le_u"
    GT_S = "gt_s"
    GT_U = "gt_u"
    GE_S = "ge_s"
    GE_U = "ge_u"


@dataclass(frozen=True, slots=True)
class Const:
    """A constant, as a signed integer of its width."""

    width: int
    value: int


@dataclass(frozen=True, slots=True)
class Local:
    """The value of a local."""

    width: int
    name: str


@dataclass(frozen=True, slots=True)
class Cell:
    """The value of a variable (docs/edge.md): `battery`, `has.zone`, `param.heavy`."""

    width: int
    name: str


@dataclass(frozen=True, slots=True)
class Binary:
    """`left op right`.  `exact`: leaving the signed range of the width is undefined (C); else it wraps.

    Shifts take their count modulo the width (WebAssembly); with `exact` a count outside 0..width − 1,
    and a left shift of or into a negative value, is undefined.  DIV_S and REM_S truncate; a divisor of
    0, and the least value by −1, trap or are undefined.
    """

    op: Op
    width: int
    left: Expr
    right: Expr
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Compared:
    """`left test right`, of operands of `width` bits: 0 or 1."""

    test: Test
    width: int
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Select:
    """`then` if the condition is not 0, else `otherwise`.

    Only the chosen one is evaluated, which matters for what is undefined (C); WebAssembly's `select`
    evaluates both, which never matters, since nothing there is undefined and no decoded part traps.
    """

    width: int
    condition: Expr
    then: Expr
    otherwise: Expr


@dataclass(frozen=True, slots=True)
class Wrap:
    """The low 32 bits of a 64-bit value."""

    operand: Expr


@dataclass(frozen=True, slots=True)
class Extend:
    """A 32-bit value as 64 bits: its sign repeated, or zeros."""

    operand: Expr
    signed: bool


@dataclass(frozen=True, slots=True)
class Lowest:
    """A number of 32 bits for the lowest bit that is set in a value of 32 bits; `none` where none is."""

    operand: Expr
    numbers: tuple[int, ...]
    none: int


Expr = Const | Local | Cell | Binary | Compared | Select | Wrap | Extend | Lowest


@dataclass(frozen=True, slots=True)
class Set:
    """A local gets a value."""

    name: str
    value: Expr
    at: str = ""
    """Where it stands, for messages: `offset 0x1f4` or `line 210`; so in every statement."""


@dataclass(frozen=True, slots=True)
class Store:
    """A cell of the outcome gets a value; a variable never does."""

    name: str
    value: Expr
    at: str = ""


@dataclass(frozen=True, slots=True)
class If:
    """`then` if the condition is not 0, else `otherwise`."""

    condition: Expr
    then: tuple[Statement, ...]
    otherwise: tuple[Statement, ...] = ()
    at: str = ""


@dataclass(frozen=True, slots=True)
class Switch:
    """The part that has the value; `otherwise` if none has it.  Values are distinct."""

    subject: Expr
    parts: tuple[tuple[tuple[int, ...], tuple[Statement, ...]], ...]
    otherwise: tuple[Statement, ...] = ()
    at: str = ""


@dataclass(frozen=True, slots=True)
class Return:
    """The step ends with this 32-bit value."""

    value: Expr
    at: str = ""


Statement = Set | Store | If | Switch | Return


@dataclass(frozen=True, slots=True)
class Function:
    """`decide`: its locals with their widths, and its body.

    `initial`: the value of a local before it is set (0 in WebAssembly; in C there is none, and reading
    a local before it is set is undefined).  A body ends with a `Return` on every way.
    """

    locals: Mapping[str, int]
    initial: Mapping[str, int]
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Automaton:
    """An automaton as the artefact has it (docs/edge.md): bytes to symbols, states to states and classes."""

    symbol: tuple[int, ...]
    next: tuple[int, ...]
    classes: tuple[int, ...]
    shift: int
    states: int


@dataclass(frozen=True, slots=True)
class Scan:
    """`classify.F`, once its code was found to be the scan of docs/edge.md, addresses and bounds included.

    `columns` in the order of `class.F.k`; `pairs` names the other field of every `same` that it sets.
    """

    field: str
    max_bytes: int
    validity: Automaton
    columns: tuple[Automaton, ...]
    pairs: tuple[str, ...]
    steps: int = 0
    """Instructions (WebAssembly) or operations (C) on the longest way through it …"""
    steps_each: int = 0
    """… and how many more a byte of the text."""


@dataclass(frozen=True, slots=True)
class Timed:
    """What an artefact over time has beside: its step, and what a host asks of a state.

    `step` has the locals `kind` and `keep`, which its callers set; each way into it sets them to constants, as
    docs/edge.md says.  `state` are the variables that it may store, `ways` the functions of events and signals.
    """

    step: Function
    kind: str
    keep: str
    state_ok: Function
    next_deadline: Function
    state: tuple[str, ...]
    ways: tuple[str, ...]
    answers_only: bool = False
    """A sample that is no request has no outcome, only an answer (C)."""
    room: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """What each variable of the state can hold, where that is less than its width (C)."""
    carrying: frozenset[int] = frozenset()
    """The kinds of samples that bring variables (C)."""


@dataclass(frozen=True, slots=True)
class Artefact:
    """A decoded module, or a C file with its header.

    `variables` and `cells` in the order of the artefact: name → width, and what a variable holds before
    a host sets it; for C also the constants of the header (`constants`: name → value).
    """

    variables: Mapping[str, int]
    unset: Mapping[str, int]
    cells: Mapping[str, int]
    decide: Function
    scans: Mapping[str, Scan]
    constants: Mapping[str, int]
    schema: bytes = b""
    steps: int = 0
    """Instructions (WebAssembly) or operations (C, `c_steps.py`) on the longest way through `commit`."""
    null: Mapping[str, int] = field(default_factory=dict)
    """What every cell holds after a null pointer, where -2 is given (C only)."""
    unsigned: frozenset[str] = frozenset()
    """Variables and cells whose type has no sign (C only)."""
    comments: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """The comment behind each member and constant of the header, and its line (C only)."""
    members: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """The struct (`request`, `state` …) and the member of each variable and cell, words as elements (C only)."""
    functions: Mapping[str, str] = field(default_factory=dict)
    """What `decide`, `commit`, `tick` and the ways of events and signals are called (C over time only)."""
    time: Timed | None = None
    """Of a policy over time; `decide` is the step then, as a question."""

    @property
    def room(self) -> Mapping[str, tuple[int, int]]:
        """What variables can hold, where that is less than their width."""
        return {} if self.time is None else self.time.room
