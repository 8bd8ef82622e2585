"""Run a decoded artefact on given values, with the integers of its target.

In: a `machine.Function` and the value of every variable; or a `machine.Scan` and a text.  Out: what is
returned with the cells that were stored; or the classes.

What always holds: it follows `machine.py` to the letter and knows no policy.  Where the target leaves
a thing undefined (C) or traps (WebAssembly), `UndefinedError` says so with the place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never

from govlang.verifier.translation import machine
from govlang.verifier.translation.machine import Expr, Op, Statement, Test


class UndefinedError(Exception):
    """The target says nothing about what happens here, or traps; `at` is the place."""

    def __init__(self, at: str, why: str) -> None:
        super().__init__(f"{at}: {why}" if at else why)
        self.at = at
        self.why = why


def run(function: machine.Function, cells: Mapping[str, int]) -> tuple[int, dict[str, int]]:
    """What a function returns, and the cells that it stored.

    Raises:
        UndefinedError: the target does not say what happens, or it traps.

    """
    running = _Run(cells, dict(function.initial))
    return running.body(function.body), running.stored


def classify(scan: machine.Scan, text: bytes) -> tuple[int, ...] | None:
    """The class in each column (docs/edge.md, the scan); `None` if the text is refused."""
    if len(text) > scan.max_bytes:
        return None
    ends = [_walk(automaton, text) for automaton in (scan.validity, *scan.columns)]
    states = [state for state in ends if state is not None]
    if len(states) < len(ends) or not scan.validity.classes[states[0]]:
        return None
    return tuple(
        automaton.classes[state] for automaton, state in zip(scan.columns, states[1:], strict=True)
    )


def _walk(automaton: machine.Automaton, text: bytes) -> int | None:
    """The state behind a text; `None` if the automaton leaves its states."""
    state = 0
    for byte in text:
        state = automaton.next[(state << automaton.shift) + automaton.symbol[byte]]
        if state >= automaton.states:
            return None
    return state


# --- integers ------------------------------------------------------------------------------------


def signed(value: int, width: int) -> int:
    """The low `width` bits of a value as a signed integer."""
    half = 1 << (width - 1)
    return ((value + half) & ((1 << width) - 1)) - half


def unsigned(value: int, width: int) -> int:
    """The low `width` bits of a value as an unsigned integer."""
    return value & ((1 << width) - 1)


_TESTS: Final[Mapping[Test, Callable[[int, int, int], bool]]] = {
    Test.EQ: lambda a, b, _: a == b,
    Test.NE: lambda a, b, _: a != b,
    Test.LT_S: lambda a, b, _: a < b,
    Test.LE_S: lambda a, b, _: a <= b,
    Test.GT_S: lambda a, b, _: a > b,
    Test.GE_S: lambda a, b, _: a >= b,
    Test.LT_U: lambda a, b, w: unsigned(a, w) < unsigned(b, w),
    Test.LE_U: lambda a, b, w: unsigned(a, w) <= unsigned(b, w),
    Test.GT_U: lambda a, b, w: unsigned(a, w) > unsigned(b, w),
    Test.GE_U: lambda a, b, w: unsigned(a, w) >= unsigned(b, w),
}


def compare(test: Test, width: int, left: int, right: int) -> int:
    """`left test right` of two signed integers: 0 or 1."""
    return int(_TESTS[test](left, right, width))


def operate(node: machine.Binary, left: int, right: int, at: str = "") -> int:
    """`left op right` of two signed integers.

    Raises:
        UndefinedError: the operation traps, or is `exact` and leaves what is defined.

    """
    match node.op:
        case Op.ADD:
            return _within(node, left + right, at)
        case Op.SUB:
            return _within(node, left - right, at)
        case Op.MUL:
            return _within(node, left * right, at)
        case Op.AND:
            return left & right
        case Op.OR:
            return left | right
        case Op.XOR:
            return left ^ right
        case Op.DIV_S | Op.REM_S:
            return _divided(node, left, right, at)
        case Op.SHL | Op.SHR_S | Op.SHR_U:
            return _shifted(node, left, right, at)
        case _:
            assert_never(node.op)


def _within(node: machine.Binary, value: int, at: str) -> int:
    wrapped = signed(value, node.width)
    if node.exact and wrapped != value:
        raise UndefinedError(at, f"`{node.op}` leaves {node.width} bits with {value}")
    return wrapped


def _divided(node: machine.Binary, left: int, right: int, at: str) -> int:
    if right == 0:
        raise UndefinedError(at, "division by 0")
    if right == -1 and left == -(1 << (node.width - 1)):
        raise UndefinedError(at, "the least value is divided by -1")
    quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
    return quotient if node.op is Op.DIV_S else left - right * quotient


def _shifted(node: machine.Binary, left: int, right: int, at: str) -> int:
    if node.exact and not 0 <= right < node.width:
        raise UndefinedError(at, f"a shift by {right} of {node.width} bits")
    count = right % node.width
    if node.op is Op.SHR_S:
        return left >> count
    if node.op is Op.SHR_U:
        return signed(unsigned(left, node.width) >> count, node.width)
    if node.exact and left < 0:
        raise UndefinedError(at, f"a left shift of {left}")
    return _within(node, left << count, at)


# --- control -------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Run:
    """One run: the variables, the locals that have a value, what was stored, and the place."""

    cells: Mapping[str, int]
    locals: dict[str, int]
    stored: dict[str, int] = field(default_factory=dict)
    at: str = ""

    def body(self, statements: Sequence[Statement]) -> int:
        """Runs until something is returned; nesting may be deep, so it does not recurse."""
        waiting: list[Iterator[Statement]] = [iter(statements)]
        while waiting:
            statement = next(waiting[-1], None)
            if statement is None:
                waiting.pop()
                continue
            self.at = statement.at
            if isinstance(statement, machine.Return):
                return self.value(statement.value)
            waiting.append(iter(self.statement(statement)))
        raise UndefinedError(self.at, "the function ends without a value")

    def statement(self, statement: Statement) -> tuple[Statement, ...]:
        """Does a statement; what it chose is to be run next."""
        match statement:
            case machine.Set(name=name, value=value):
                self.locals[name] = self.value(value)
            case machine.Store(name=name, value=value):
                self.stored[name] = self.value(value)
            case machine.If(condition=condition, then=then, otherwise=otherwise):
                return then if self.value(condition) else otherwise
            case machine.Switch(subject=subject, parts=parts, otherwise=otherwise):
                chosen = self.value(subject)
                return next((part for values, part in parts if chosen in values), otherwise)
            case machine.Return():
                raise AssertionError("`body` ends there")
            case _:
                assert_never(statement)
        return ()

    def value(self, expr: Expr) -> int:
        """The value of an expression, as a signed integer of its width."""
        match expr:
            case machine.Const(value=value):
                return value
            case machine.Local(name=name):
                if name not in self.locals:
                    raise UndefinedError(self.at, f"`{name}` is read before it is set")
                return self.locals[name]
            case machine.Cell(name=name):
                return self.cells[name]
            case machine.Binary(left=left, right=right):
                return operate(expr, self.value(left), self.value(right), self.at)
            case machine.Compared(test=test, width=width, left=left, right=right):
                return compare(test, width, self.value(left), self.value(right))
            case machine.Select(condition=condition, then=then, otherwise=otherwise):
                return self.value(then if self.value(condition) else otherwise)
            case machine.Wrap(operand=operand):
                return signed(self.value(operand), 32)
            case machine.Extend(operand=operand, signed=keep_sign):
                value = self.value(operand)
                return value if keep_sign else unsigned(value, 32)
            case machine.Lowest(operand=operand, numbers=numbers, none=none):
                value = self.value(operand)
                return numbers[(value & -value).bit_length() - 1] if value else none
            case _:
                assert_never(expr)
