"""How many operations C runs at most, by the structure of what was read of it.

In: a machine function that was lifted from C; or a scan of a text, as pycparser's tree.  Out: a number.

What is counted: every operator, conversion, comparison and lookup that is evaluated, every assignment, test and
`return`, one each; to read a local, a member, a constant or a byte counts nothing.  What always holds: no run of the
text does more, whatever a compiler makes of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, assert_never

from pycparser import c_ast

from govlang.verifier.translation import machine
from govlang.verifier.translation.c_types import UNDEFINED
from govlang.verifier.translation.machine import Expr, Statement

_LOOKUP: Final = 6
"""The operators of the one read of an array."""


def operations(function: machine.Function) -> int:
    """The most that a function does before it returns."""
    counting = _Counting()
    falls = counting.block(function.body, 0)
    return max(counting.returned, falls or 0)


@dataclass(slots=True)
class _Counting:
    """The costs of expressions so far, and of the longest way that has returned."""

    known: dict[int, int] = field(default_factory=dict)
    returned: int = 0

    def block(self, statements: Sequence[Statement], cost: int) -> int | None:
        """The cost of the longest way behind statements; None where none gets there."""
        reached: int | None = cost
        for one in statements:
            if reached is None:
                break
            reached = self.statement(one, reached)
        return reached

    def statement(self, one: Statement, cost: int) -> int | None:
        """The same behind one statement."""
        match one:
            case machine.Set(value=value) | machine.Store(value=value):
                return cost + 1 + self.expr(value)
            case machine.Return(value=value):
                self.returned = max(self.returned, cost + 1 + self.expr(value))
                return None
            case machine.If(condition=condition, then=then, otherwise=otherwise):
                parts: Iterable[Sequence[Statement]] = (then, otherwise)
                asked = self.expr(condition)
            case machine.Switch(subject=subject, parts=cases, otherwise=otherwise):
                parts = (*(body for _, body in cases), otherwise)
                asked = self.expr(subject)
            case _:
                assert_never(one)
        ends = [self.block(part, cost + 1 + asked) for part in parts]
        return max((end for end in ends if end is not None), default=None)

    def expr(self, expr: Expr) -> int:
        """The cost of an expression; one that stands at several places is looked at once."""
        if id(expr) not in self.known:
            self.known[id(expr)] = self._expr(expr)
        return self.known[id(expr)]

    def _expr(self, expr: Expr) -> int:
        match expr:
            case machine.Const() | machine.Local() | machine.Cell():
                return 0
            case machine.Binary(left=left, right=right) | machine.Compared(left=left, right=right):
                return 1 + self.expr(left) + self.expr(right)
            case machine.Select(width=width, then=then, otherwise=otherwise) if (
                otherwise is UNDEFINED.get(width)
            ):
                return self.expr(then)  # a reader's condition, which the text does not ask
            case machine.Select(condition=condition, then=then, otherwise=otherwise):
                return 1 + self.expr(condition) + max(self.expr(then), self.expr(otherwise))
            case machine.Wrap(operand=operand) | machine.Extend(operand=operand):
                return 1 + self.expr(operand)
            case machine.Lowest(operand=operand):
                return _LOOKUP + self.expr(operand)
            case _:
                assert_never(expr)


# --- scans -----------------------------------------------------------------------------------------


def scan_operations(node: Any) -> tuple[int, int]:
    """The most that the scan of a text does, and more a byte of the text."""
    loops = [one for one in node.body.block_items if isinstance(one, c_ast.While)]
    each = sum(map(_nodes, loops))
    return _nodes(node.body) - each + sum(_nodes(one.cond) for one in loops), each


_COUNTED: Final = (
    *(c_ast.BinaryOp, c_ast.UnaryOp, c_ast.TernaryOp, c_ast.Cast, c_ast.Assignment),
    *(c_ast.Decl, c_ast.If, c_ast.While, c_ast.Return),
)


def _nodes(node: Any) -> int:
    """The operations of a tree, both branches of whatever it asks."""
    return isinstance(node, _COUNTED) + sum(_nodes(child) for child in node)
