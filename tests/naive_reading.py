"""Expressions of a policy, read off the syntax tree with rationals.

In: the fields, parameters and `let`s of a policy, a request as JSON has it.  Out: numbers with the
grid they lie on, sets, texts, truth.  Shares no code with the compiler; reading an absent field
raises, so that a hole in the flow check shows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import floor, gcd
from typing import Any, Protocol

from govlang.dsl import ast

BASE = {
    "": Fraction(1),
    "%": Fraction(1),
    "kg": Fraction(1),
    "g": Fraction(1, 1000),
    "t": Fraction(1000),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "min": Fraction(60),
    "h": Fraction(3600),
    "m": Fraction(1),
    "km": Fraction(1000),
    "m/s": Fraction(1),
    "km/h": Fraction(5, 18),
    "V": Fraction(1),
    "tokens": Fraction(1),
    "tokens/min": Fraction(1, 60),
}
ORDER = ["allow", "limit", "throttle", "require_human", "deny"]


class AbsentError(AssertionError):
    """A field without a value was read."""


def common(left: Fraction, right: Fraction) -> Fraction:
    """The largest rational of which both are multiples."""
    return Fraction(
        gcd(left.numerator * right.denominator, right.numerator * left.denominator),
        left.denominator * right.denominator,
    )


@dataclass(frozen=True)
class Num:
    """A number in base units, the grid it lies on, and whether it is a constant."""

    value: Fraction
    grid: Fraction
    unit: Fraction = Fraction(1)
    constant: bool = False

    def joined(self, other: Num) -> Fraction:
        grid = common(abs(self.grid), abs(other.grid))
        if self.constant and other.constant:
            grid = common(grid, common(self.unit, other.unit))
        return grid


class Names(Protocol):
    """What a reading looks names up in."""

    fields: dict[str, ast.Field]
    params: dict[str, ast.ParamDecl]
    lets: dict[str, ast.Expr]


def ms(number: ast.Number) -> int:
    return int(Fraction(number.value) * BASE[number.unit or ""] * 1000)


def shape(type_: ast.Type) -> tuple[Fraction, Fraction, Fraction, Fraction]:
    """The ends and the step in the unit of a number, and the unit."""
    if not isinstance(type_, ast.NumberType):
        return Fraction(0), Fraction(253402300799999), Fraction(1), BASE["ms"]
    unit = BASE[type_.unit or ""]
    step = Fraction(1)
    if type_.step is not None:
        step = Fraction(type_.step.value)
        if type_.step.unit is not None:
            step = step * BASE[type_.step.unit] / unit
    return Fraction(type_.low.value), Fraction(type_.high.value), step, unit


class Reading:
    """A policy with a request."""

    def __init__(
        self,
        policy: Names,
        given: Mapping[str, Any],
        params: Mapping[str, Any],
        decision: str | None = None,
    ) -> None:
        self.policy = policy
        self.given = given
        self.params = params
        self.decision = decision

    def holds(self, expr: ast.Expr) -> bool:
        found = self.value(expr)
        assert isinstance(found, bool)
        return found

    def number(self, expr: ast.Expr) -> Num:
        found = self.value(expr)
        assert isinstance(found, Num)
        return found

    def raw(self, name: str) -> Any:
        """A field or a parameter as JSON has it."""
        if name in self.policy.params:
            return self.params[name]
        if name == "approved":
            return self.given.get(name, [])
        if name not in self.given:
            raise AbsentError(name)
        return self.given[name]

    def named(self, name: str) -> Any:
        if name in self.policy.lets:
            return self.value(self.policy.lets[name])
        raw = self.raw(name)
        if isinstance(raw, bool) or not isinstance(raw, int | float | Decimal):
            return set(raw) if isinstance(raw, list) else raw
        if name == "minute_of_day":
            return Num(Fraction(raw) * 60, Fraction(60))
        declared = self.policy.fields.get(name) or self.policy.params[name]
        _, _, step, unit = shape(declared.type)
        return Num(Fraction(raw) * unit, step * unit)

    def value(self, expr: ast.Expr) -> Any:
        match expr:
            case ast.Number():
                value = Fraction(expr.value) * BASE[expr.unit or ""]
                return Num(value, value, BASE[expr.unit or ""], constant=True)
            case ast.String():
                return expr.value
            case ast.Bool():
                return expr.value
            case ast.Name():
                return self.named(expr.text)
            case ast.Unary(op="not"):
                return not self.holds(expr.operand)
            case ast.Unary():
                found = self.number(expr.operand)
                return Num(-found.value, found.grid, found.unit, found.constant)
            case ast.Binary():
                return self._binary(expr)
            case ast.Logical(op="and"):
                return all(self.holds(one) for one in expr.operands)
            case ast.Logical():
                return any(self.holds(one) for one in expr.operands)
            case ast.Implies():
                return not self.holds(expr.left) or self.holds(expr.right)
            case ast.Compare():
                return compared(expr.op, self.value(expr.left), self.value(expr.right))
            case ast.If():
                return self._if(expr)
            case ast.Call():
                return self._call(expr)
            case ast.Has():
                return expr.field.text in self.given
            case ast.DecisionIs():
                return (self.decision == expr.effect.value) != expr.negated
            case ast.DecisionAtLeast():
                return ORDER.index(self.decision or "") >= ORDER.index(expr.effect.value)
            case ast.DecisionIn():
                return self.decision in {effect.value for effect in expr.effects}
            case _:
                return self._test(expr)

    def _binary(self, expr: ast.Binary) -> Num:
        left, right = self.number(expr.left), self.number(expr.right)
        unit = left.unit * right.unit if expr.op == "*" else left.unit
        constant = left.constant and right.constant
        match expr.op:
            case "+" | "-":
                value = left.value + right.value if expr.op == "+" else left.value - right.value
                return Num(value, value if constant else left.joined(right), unit, constant)
            case "*":
                value = left.value * right.value
                if constant:
                    return Num(value, value, unit, constant=True)
                if left.constant or right.constant:
                    factor, other = (left, right) if left.constant else (right, left)
                    return Num(value, other.grid / factor.value.denominator)
                return Num(value, left.grid * right.grid)
            case _:
                value = left.value / right.value
                if constant:
                    return Num(value, value, unit / right.unit, constant=True)
                return Num(floor(value / left.grid) * left.grid, left.grid)

    def _if(self, expr: ast.If) -> Any:
        chosen = self.value(expr.then if self.holds(expr.condition) else expr.otherwise)
        if isinstance(chosen, bool):
            return chosen
        return Num(chosen.value, self.grid(expr))

    def grid(self, expr: ast.Expr) -> Fraction:
        """The grid of an expression whatever the request: both branches count."""
        match expr:
            case ast.If():
                return self._static(expr.then).joined(self._static(expr.otherwise))
            case _:
                return self._static(expr).grid

    def _static(self, expr: ast.Expr) -> Num:
        """Grid and constness without values: absent fields read as 0."""
        every = {
            name: 0 for name, f in self.policy.fields.items() if isinstance(f.type, ast.NumberType)
        }
        blind = _Blind(self.policy, every, self.params)
        return blind.number(expr)

    def _call(self, expr: ast.Call) -> Num:
        operands = [self.number(one) for one in expr.arguments]
        if expr.function == "abs":
            one = operands[0]
            grid = abs(one.value) if one.constant else one.grid
            return Num(abs(one.value), grid, one.unit, one.constant)
        choose = min if expr.function == "least" else max
        found = operands[0]
        for other in operands[1:]:
            value = choose(found.value, other.value)
            if found.constant and other.constant:
                found = Num(value, value, found.unit, constant=True)
            else:
                found = Num(value, found.joined(other))
        return found

    def _test(self, expr: Any) -> bool:
        found = self.value(expr.operand)
        match expr:
            case ast.Is():
                wanted = expr.value.text if isinstance(expr.value, ast.Name) else expr.value.value
                return bool((found == wanted) != expr.negated)
            case ast.IsEmpty():
                return bool(
                    (found == "empty" if isinstance(found, str) else not found) != expr.negated
                )
            case ast.In():
                return any(compared("==", found, plain(self, m)) for m in expr.members.members)
            case ast.Contains():
                wanted = {word(m) for m in expr.members.members}
                some = expr.quantifier is ast.Quantifier.ANY
                return bool(found & wanted) if some else wanted <= found
            case ast.Within():
                return bool(found <= {word(m) for m in expr.members.members})
            case ast.Like():
                declared = self.policy.fields[expr.operand.text].type
                is_path = isinstance(declared, ast.TextType) and declared.is_path
                return globbed(expr.pattern.value, found, "/" if is_path else ".")
            case ast.Under():
                return bool(found.startswith(expr.prefix.value))
            case _:
                raise AssertionError(expr)

    # --- cells and arguments ---

    def cell(self, column: ast.Name, cell: ast.Cell) -> bool:
        if isinstance(cell, ast.CellAny):
            return True
        declared = self.policy.fields.get(column.text)
        if declared is not None and declared.optional and column.text not in self.given:
            return False
        return self._cell(self.named(column.text), column, cell)

    def _cell(self, found: Any, column: ast.Name, cell: ast.Cell) -> bool:
        match cell:
            case ast.CellValue():
                wanted = plain(self, cell.value)
                return wanted in found if isinstance(found, set) else compared("==", found, wanted)
            case ast.CellCompare():
                return compared(cell.op, found, plain(self, cell.value))
            case ast.CellRange():
                return self.number(cell.low).value <= found.value <= self.number(cell.high).value
            case ast.CellNot():
                return not self._cell(found, column, cell.cell)
            case ast.CellAnd():
                return all(self._cell(found, column, one) for one in cell.cells)
            case ast.CellSet():
                return any(compared("==", found, plain(self, m)) for m in cell.members.members)
            case ast.CellLike():
                return self._test(ast.Like(column, cell.pattern))
            case ast.CellUnder():
                return self._test(ast.Under(column, cell.prefix))
            case ast.CellContains():
                return self._test(ast.Contains(column, cell.quantifier, cell.members))
            case _:
                raise AssertionError(cell)

    def argument(self, argument: ast.Argument, fields: Mapping[str, ast.Field]) -> Any:
        declared = fields[argument.name.text].type
        written = argument.value
        match written:
            case ast.SetLiteral(members=members):
                chosen = {word(m) for m in members}
                assert isinstance(declared, ast.SetType)
                return [m.text for m in declared.members if m.text in chosen]
            case ast.Number():
                return Fraction(written.value) * BASE[written.unit or ""] / shape(declared)[3]
            case ast.Name(text=text):
                if isinstance(declared, ast.EnumType) and text in {
                    m.text for m in declared.members
                }:
                    return text
                found = self.named(text)
                return found.value / shape(declared)[3] if isinstance(found, Num) else found
            case _:
                return written.value


class _Blind(Reading):
    """Reads only grids: conditions are never evaluated."""

    def _if(self, expr: ast.If) -> Any:
        grid = self.number(expr.then).joined(self.number(expr.otherwise))
        return Num(Fraction(0), grid)

    def named(self, name: str) -> Any:
        if name in self.policy.lets:
            return self.value(self.policy.lets[name])
        if name == "minute_of_day":
            return Num(Fraction(0), Fraction(60))
        declared = self.policy.fields.get(name) or self.policy.params[name]
        _, _, step, unit = shape(declared.type)
        return Num(Fraction(0), step * unit)


def compared(op: str, left: Any, right: Any) -> bool:
    if isinstance(left, Num):
        left, right = left.value, right.value
    match op:
        case "==":
            return bool(left == right)
        case "!=":
            return bool(left != right)
        case "<":
            return bool(left < right)
        case "<=":
            return bool(left <= right)
        case ">":
            return bool(left > right)
        case _:
            return bool(left >= right)


def word(member: Any) -> str:
    return str(member.text if isinstance(member, ast.Name) else member.value)


def plain(asked: Reading, written: Any) -> Any:
    """A literal as a value; a word is a member."""
    return (
        asked.value(written)
        if isinstance(written, ast.Number)
        else getattr(written, "value", None)
        if not isinstance(written, ast.Name)
        else written.text
    )


def globbed(glob: str, text: str, separator: str) -> bool:
    """Whether a glob matches, by trying every split."""
    if not glob:
        return not text
    if glob.startswith("**"):
        return any(globbed(glob[2:], text[i:], separator) for i in range(len(text) + 1))
    if glob[0] == "*":
        run = re.match(f"[^{re.escape(separator)}]*", text)
        assert run is not None
        return any(globbed(glob[1:], text[i:], separator) for i in range(run.end() + 1))
    return bool(text) and text[0] == glob[0] and globbed(glob[1:], text[1:], separator)
