"""One step of a policy as a small program: what C and WebAssembly are printed from (see docs/edge.md).

In: built by `steps.py` from a policy and its diagram.  Out: read by `c_source.py` and `wasm.py`, which
print it line for line.

The program reads variables, keeps *slots* (locals) and gives the outcome's cells.  What always holds:
control goes forward only; every slot has a value before it is read; arithmetic is done in 64 bits and
never leaves them; a slot that gathers (best, ends of limits, masks) is changed by `Gather` and `Mark` only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from govlang.compiler import ir
from govlang.compiler.ir import ArithOp, CompareOp, Ranges, SetOp

# --- the outside ---------------------------------------------------------------------------------


class Home(StrEnum):
    """Where a host keeps a variable: the request (or the parameters), a sample, a scope of the state."""

    REQUEST = "request"
    NOW = "now"
    SAMPLE = "sample"
    SHARED = "shared"
    STATE = "state"


STATE_HOMES: Final = (Home.SHARED, Home.STATE)


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the request, a parameter, or one of a policy over time, in the order of docs/edge.md.

    `width` is 32 or 64; a mask has lo = 0 and hi = all its members; `comment` is for people: unit and scale.
    """

    name: str
    width: int
    lo: int
    hi: int
    unset: int
    mask: bool = False
    param: bool = False
    has: tuple[int, ...] = ()
    """The variables that say whether this one counts; where one is 0 it is read as `absent`, unchecked."""
    absent: int = 0
    comment: str = ""
    home: Home = Home.REQUEST
    bytes: int = 0
    """Of a cell of the state: how many it takes; 0 of others."""
    beside: tuple[int, ...] = ()
    """Values outside lo..hi that it may have too: the ends of its width."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the outcome, and what it holds where nothing is asked of the host."""

    name: str
    width: int
    neutral: int
    mask: bool = False
    comment: str = ""


# --- values --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Slot:
    """A local: a variable once it is read, or something that the step gathers."""

    name: str
    width: int
    mask: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: int
    width: int


@dataclass(frozen=True, slots=True)
class Read:
    """The value of a slot; widened to 64 bits where `width` says so and the slot is narrower."""

    slot: Slot
    width: int


@dataclass(frozen=True, slots=True)
class Arith:
    """`left op right` in 64 bits, without overflow."""

    op: ArithOp
    left: Value
    right: Value


@dataclass(frozen=True, slots=True)
class FloorDiv:
    """A 64-bit value divided by a constant above 1, rounded towards minus infinity."""

    dividend: Value
    divisor: int


@dataclass(frozen=True, slots=True)
class Choose:
    """`condition ? then : otherwise`, both of one width."""

    condition: Condition
    then: Value
    otherwise: Value


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Some bits of a slot of width 32 that is not negative, in 32 bits: what a rank is made of.

    `(slot >> shift) & mask`, without a mask where that is all there is; `top` minus it if there is one.
    """

    slot: Slot
    shift: int
    mask: int | None = None
    top: int | None = None


@dataclass(frozen=True, slots=True)
class Grown:
    """`since >= cap - slot ? cap : slot + since`, in the width of both slots; `since` is at least 0.

    `still`: a value below 0 stays as it is.
    """

    slot: Slot
    since: Slot
    cap: int
    still: bool


Value = Number | Read | Arith | FloorDiv | Choose | Unpacked | Grown

# --- conditions ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Truth:
    """True or false."""

    value: bool


@dataclass(frozen=True, slots=True)
class Inside:
    """A slot lies in one of the ranges (sorted, disjoint, inside its domain, not all of it)."""

    slot: Slot
    ranges: Ranges
    lo: int
    hi: int
    """The slot's domain: an end of a range that is an end of it need not be tested."""


@dataclass(frozen=True, slots=True)
class MaskTest:
    """A mask shares a bit with `mask`, has all of it, or nothing outside it."""

    slot: Slot
    op: SetOp
    mask: int


@dataclass(frozen=True, slots=True)
class Compare:
    """`left op right`, both of one width, signed."""

    op: CompareOp
    left: Value
    right: Value


@dataclass(frozen=True, slots=True)
class Flag:
    """A slot of width 32 that holds 0 or 1 is 1."""

    slot: Slot


@dataclass(frozen=True, slots=True)
class Bit:
    """Bit `bit` of a mask slot is set."""

    slot: Slot
    bit: int


@dataclass(frozen=True, slots=True)
class Both:
    """All of the parts, at least two; none of them can trap, so order and laziness do not matter."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """Some of the parts, at least two."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Negation:
    """The part does not hold."""

    part: Condition


Condition = Truth | Inside | MaskTest | Compare | Flag | Bit | Both | Either | Negation

# --- statements ----------------------------------------------------------------------------------

INVALID: Final = -1
"""The answer to an invalid request."""

DAMAGED: Final = -3
"""The answer where the state is none."""

UNCALLED: Final = -4
"""The answer to an event without what must come before it."""


class Way(StrEnum):
    """How a gathering slot takes a value: it keeps the smaller, the larger, or the last one."""

    LEAST = "least"
    GREATEST = "greatest"
    LAST = "last"


@dataclass(frozen=True, slots=True)
class Load:
    """A variable is read into its slot and the step refused (`out.invalid` = `number`) outside its domain.

    `asked` is a flag: where it is 0 the variable is read as `absent`, unchecked.
    """

    slot: Slot
    variable: Variable
    number: int
    asked: Slot | None = None
    answer: int = INVALID


@dataclass(frozen=True, slots=True)
class Refuse:
    """The step is refused if the condition holds."""

    condition: Condition
    number: int
    answer: int = INVALID


@dataclass(frozen=True, slots=True)
class Start:
    """A slot gets its first value."""

    slot: Slot
    value: Value


@dataclass(frozen=True, slots=True)
class Decide:
    """A flag slot gets the truth of a condition: 1 or 0.  `rule` is for the comment."""

    slot: Slot
    condition: Condition
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Gather:
    """If the condition (perhaps `Truth(True)`) holds, a slot takes a value of its width in its way."""

    slot: Slot
    condition: Condition
    value: Value
    way: Way


@dataclass(frozen=True, slots=True)
class Mark:
    """If the condition holds, the bits of `mask` are set in a slot."""

    slot: Slot
    condition: Condition
    mask: int


@dataclass(frozen=True, slots=True)
class When:
    """If the condition holds `then`, else `otherwise`."""

    condition: Condition
    then: tuple[Statement, ...]
    otherwise: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class Switch:
    """The part whose values hold the slot's value; none is left out without harm.  Values are distinct."""

    slot: Slot
    parts: tuple[tuple[tuple[int, ...], tuple[Statement, ...]], ...]


@dataclass(frozen=True, slots=True)
class Store:
    """A cell of the outcome gets its value, which fits it even where it is computed in more bits."""

    cell: Cell
    value: Value


@dataclass(frozen=True, slots=True)
class Let:
    """A slot gets its only value, which fits it even where it is computed in more bits; it lies in `domain`."""

    slot: Slot
    value: Value
    domain: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Keep:
    """If the step writes, and the condition holds, variables of the state get values, which fit them as in `Let`."""

    condition: Condition
    stores: tuple[tuple[Variable, Value], ...]


@dataclass(frozen=True, slots=True)
class End:
    """If the condition holds the step ends with the answer 0 and the outcome of a refused step."""

    condition: Condition


Statement = (
    Load | Refuse | Start | Decide | Gather | Mark | When | Switch | Store | Let | Keep | End
)

KIND: Final = Slot("step.kind", 32)
"""The slot of the kind of a sample, which a step over time is given."""


@dataclass(frozen=True, slots=True)
class Program:
    """The whole step.  A refused step stores deny, the rule n + 1, `invalid` and neutral cells, and returns −1."""

    policy: ir.Policy
    variables: tuple[Variable, ...]
    cells: tuple[Cell, ...]
    slots: tuple[Slot, ...]
    body: tuple[Statement, ...]
    refused: tuple[tuple[Slot, int], ...] = ()
    """Slots with the values from which the last stores make the outcome of a refused step; (): not known."""
    timed: bool = False
    """It takes samples: their kind is given, and whether the state is written."""
    silent: bool = False
    """A refused step stores nothing."""
