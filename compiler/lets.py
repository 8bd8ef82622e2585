"""`let` names and the measure of what expressions become once they are written out.

In: the `let` declarations and the checker's walk.  Out: the value of each `let`, checked once and
shared by its uses; its reads count where it is used, so a guard there is enough.

What always holds: no expression grows over `SIZE_MAX` nodes or `DEPTH_MAX` levels, written out, and
none comes out with more than `LEVELS_MAX`, so that later passes may walk it as a tree and recurse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from govlang.compiler import ir
from govlang.compiler.flow import Flow
from govlang.compiler.refusal import RefusalError
from govlang.compiler.resolve import Scope
from govlang.compiler.types import Condition, Constant, Faulty, Literal, Value, flow_of, reading
from govlang.dsl import ast
from govlang.dsl.diagnostics import Diagnostics
from govlang.dsl.record import record
from govlang.dsl.source import Span

SIZE_MAX: Final = 100_000
DEPTH_MAX: Final = 200
LEVELS_MAX: Final = 120
"""Of the IR that comes out; a sum of n terms has n levels, an `if` between conditions two."""


@record
class _Known:
    value: Value
    size: int
    depth: int


class Lets:
    """The values of all `let`s, and counters for the expression that is being checked."""

    def __init__(
        self, scope: Scope, found: Diagnostics, evaluate: Callable[[ast.Expr], Value]
    ) -> None:
        self._scope = scope
        self._found = found
        self._evaluate = evaluate
        self._known: dict[str, _Known] = {}
        self._size = self._depth = self._deepest = 0
        self._refused = False

    def prepare(self) -> None:
        """Check every `let`, those that others use first; report the cycles."""
        for name in self._in_order():
            self.begin()
            value = self._evaluate(self._scope.lets[name].value)
            self._known[name] = _Known(value, self._size, self._deepest)

    def begin(self) -> None:
        """A new expression is checked."""
        self._size = self._depth = self._deepest = 0
        self._refused = False

    def enter(self, span: Span) -> bool:
        """One node more, one level down; False (reported once) if it is one too many."""
        self._depth += 1
        self._size += 1
        self._deepest = max(self._deepest, self._depth)
        if self._size <= SIZE_MAX and self._depth <= DEPTH_MAX:
            return True
        if not self._refused:
            self._found.add(self._refusal(span).diagnostic)
        self._depth -= 1
        return False

    def leave(self) -> None:
        """One level up."""
        self._depth -= 1

    def twice(self, expr: ir.IntExpr | ir.BoolExpr, span: Span) -> None:
        """An expression stands once more in what is emitted.

        Raises:
            RefusalError: the whole becomes too large (GOV232).
        """
        self._size += size_of(expr, SIZE_MAX)
        if self._size > SIZE_MAX:
            raise self._refusal(span)

    def use(self, name: ast.Name) -> Value:
        """The value of a `let` where its name stands.

        Raises:
            RefusalError: the whole becomes too large (GOV232).
        """
        known = self._known.get(name.text)
        if known is None or isinstance(known.value, Faulty):
            return Faulty()
        self._size += known.size
        self._deepest = max(self._deepest, self._depth + known.depth)
        if self._size > SIZE_MAX or self._deepest > DEPTH_MAX:
            raise self._refusal(name.span)
        return _used(known.value, name.span)

    def _refusal(self, span: Span) -> RefusalError:
        self._refused = True
        return _too_large(span)

    def _in_order(self) -> Iterator[str]:
        """Names of `let`s, each after those it uses; those on a cycle are reported and left out."""
        lets = self._scope.lets
        done: set[str] = set()
        for start in lets:
            path: dict[str, Iterator[str]] = {}
            if start not in done:
                path[start] = self._uses(start)
            while path:
                name = next(reversed(path))
                after = next(path[name], None)
                if after is None:
                    del path[name]
                    done.add(name)
                    yield name
                elif after in path:
                    self._report_cycle([*path], after)
                elif after not in done:
                    path[after] = self._uses(after)

    def _uses(self, name: str) -> Iterator[str]:
        names = names_in(self._scope.lets[name].value)
        return iter([used for used in dict.fromkeys(names) if used in self._scope.lets])

    def _report_cycle(self, path: list[str], name: str) -> None:
        cycle = [*path[path.index(name) :], name]
        self._found.error(
            "GOV231",
            "a `let` is made of itself: " + " → ".join(f"`{one}`" for one in cycle),
            self._scope.lets[name].span,
            help="write one of them out without the others",
        )


def _used(value: Value, span: Span) -> Value:
    flow = flow_of(value)
    if flow.needs:
        needs = dict.fromkeys(flow.needs, span)
        value = reading(value, Flow(needs, flow.when_true, flow.when_false))
    match value:
        case Condition(decides=place) if place is not None:
            return replace(value, decides=span)
        case Constant() | Literal():
            return replace(value, span=span)
        case _:
            return value


def check_levels(expr: ir.IntExpr | ir.BoolExpr, span: Span) -> None:
    """Refuse an expression that is nested too deeply for later passes (GOV232)."""
    level: list[ir.IntExpr | ir.BoolExpr] = [expr]
    for _ in range(LEVELS_MAX + 1):
        level = [part for one in level for part in parts_of(one)]
        if not level:
            return
    raise _too_large(span)


def _too_large(span: Span) -> RefusalError:
    return RefusalError(
        "GOV232",
        f"written out, this expression has more than {SIZE_MAX} parts or {LEVELS_MAX} levels",
        span,
        "use a `let` fewer times in one expression, or split the rule",
    )


def size_of(expr: ir.IntExpr | ir.BoolExpr, limit: int) -> int:
    """The number of nodes of an expression, counted up to a little over `limit`."""
    waiting: list[ir.IntExpr | ir.BoolExpr] = [expr]
    size = 0
    while waiting and size <= limit:
        size += 1
        waiting.extend(parts_of(waiting.pop()))
    return size


def parts_of(expr: ir.IntExpr | ir.BoolExpr) -> tuple[ir.IntExpr | ir.BoolExpr, ...]:
    """The expressions directly inside an expression."""
    match expr:
        case ir.And(operands=operands) | ir.Or(operands=operands):
            return operands
        case ir.Not(operand=operand):
            return (operand,)
        case ir.Compare(left=left, right=right) | ir.Arith(left=left, right=right):
            return left, right
        case ir.FloorDiv(dividend=dividend):
            return (dividend,)
        case ir.Choose(condition=condition, then=then, otherwise=otherwise):
            return condition, then, otherwise
        case _:
            return ()


def names_in(expr: ast.Expr) -> Iterator[str]:
    """The names that an expression reads; members and labels are none."""
    return (name.text for name in names_of(expr))


def names_of(expr: ast.Expr) -> Iterator[ast.Name]:
    """The names that an expression reads, where they stand."""
    waiting: list[ast.Expr] = [expr]
    while waiting:
        match waiting.pop():
            case ast.Name() as name:
                yield name
            case (
                ast.Binary(left=left, right=right)
                | ast.Compare(left=left, right=right)
                | ast.Implies(left=left, right=right)
            ):
                waiting += [left, right]
            case ast.Logical(operands=parts) | ast.Call(arguments=parts):
                waiting.extend(parts)
            case ast.If(condition=condition, then=then, otherwise=otherwise):
                waiting += [condition, then, otherwise]
            case ast.Possible(condition=condition):
                waiting.append(condition)
            case (
                ast.Number()
                | ast.String()
                | ast.Bool()
                | ast.Has()
                | ast.DecisionIs()
                | ast.DecisionAtLeast()
                | ast.DecisionIn()
                | ast.EventRef()
                | ast.Enters()
                | ast.Count()
                | ast.Total()
                | ast.Elapsed()
                | ast.Ewma()
                | ast.Deviates()
                | ast.Fresh()
                | ast.Stale()
                | ast.Previous()
                | ast.Changed()
                | ast.Reserved()
            ):
                pass
            case part:
                waiting.append(part.operand)
