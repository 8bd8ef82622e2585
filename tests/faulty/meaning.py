"""What a policy means, read a second time: a syntax tree and a request in, the outcome out.

Written from the language's reference alone.  It shares the parser and the names of units with the
compiler and nothing else, so that a slip of the front end shows, which the interpreter, the solver
and the table, all fed by it, would share.  Slow; no `table … from` a file.

Values: numbers are fractions in base units, sets are frozen sets of words, absent fields are `ABSENT`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Any, Final

from govlang.dsl import ast
from govlang.dsl.units import BUILT_IN

ABSENT: Final = object()
EFFECTS: Final = ("allow", "limit", "throttle", "require_human", "deny")

Request = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule or a row; it fires where all its conditions hold.  A smaller tier is a higher one."""

    name: str
    tier: int
    conditions: tuple[ast.Expr, ...]
    effect: str
    roles: frozenset[str]
    overrides: frozenset[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request."""

    decision: str
    rule: str
    fired: frozenset[str]


@dataclass(frozen=True, slots=True)
class Meaning:
    """A policy, taken apart."""

    combine: str
    default: str
    fields: Mapping[str, ast.Field]
    params: Mapping[str, ast.ParamDecl]
    lets: Mapping[str, ast.Expr]
    assumptions: tuple[ast.Expr, ...]
    invariants: Mapping[str, ast.Expr]
    rules: tuple[Rule, ...]

    @property
    def roles(self) -> frozenset[str]:
        """Every role that a rule asks for."""
        return frozenset().union(*(rule.roles for rule in self.rules))


def scale(unit: str | None) -> Fraction:
    """What one of a unit is in base units; counting units are their own."""
    parts = unit.split("/") if unit else []
    factors = [BUILT_IN[part].factor if part in BUILT_IN else Fraction(1) for part in parts]
    result = factors[0] if factors else Fraction(1)
    for factor in factors[1:]:
        result /= factor
    return result


def quantity(number: ast.Number) -> Fraction:
    """A literal in base units."""
    return Fraction(number.value) * scale(number.unit)


def words(members: ast.SetLiteral) -> frozenset[Any]:
    """The members of a set literal."""
    return frozenset(literal(one) for one in members.members)


def literal(value: Any) -> Any:
    """What a written value stands for."""
    match value:
        case ast.Number():
            return quantity(value)
        case ast.Name(text=text):
            return text
        case ast.SetLiteral():
            return words(value)
        case _:
            return value.value


# --- taking a policy apart ------------------------------------------------------------------------


def meaning(policy: ast.Policy) -> Meaning:
    """The parts of a policy that decide."""

    def of(kind: type[Any]) -> list[Any]:
        return [one for one in policy.declarations if isinstance(one, kind)]

    combine = [one.combine.value for one in of(ast.CombineDecl)]
    defaults = [one.effect.value if one.effect else "deny" for one in of(ast.DefaultDecl)]
    return Meaning(
        combine[0] if combine else "strict",
        defaults[0] if defaults else "deny",
        {field.name.text: field for block in of(ast.InputDecl) for field in block.fields},
        {one.name.text: one for one in of(ast.ParamDecl)},
        {one.name.text: one.value for one in of(ast.LetDecl)},
        tuple(one.condition for one in of(ast.AssumeDecl)),
        {one.name.text: one.condition for one in of(ast.Invariant)},
        tuple(_rules(policy)),
    )


def _rules(policy: ast.Policy) -> Iterator[Rule]:
    """Tiers as they are listed, then what stands in none."""
    order = [n.text for d in policy.declarations if isinstance(d, ast.TiersDecl) for n in d.names]
    for tier, name in enumerate(order):
        for block in policy.declarations:
            if isinstance(block, ast.TierBlock) and block.name.text == name:
                given = () if block.condition is None else (block.condition,)
                yield from (r for m in block.members for r in _members(m, tier, given))
    for one in policy.declarations:
        if isinstance(one, ast.Rule | ast.Table):
            yield from _members(one, len(order), ())


def _members(one: ast.Rule | ast.Table, tier: int, given: tuple[ast.Expr, ...]) -> Iterator[Rule]:
    if isinstance(one, ast.Rule):
        own = () if one.condition is None else (one.condition,)
        overridden = frozenset(name.text for name in one.overrides)
        yield _rule(one.name.text, tier, (*given, *own), one.decision, overridden)
        return
    assert one.csv is None
    for place, row in enumerate(one.rows, 1):
        cells = tuple(
            found
            for column, cell in zip(one.columns, row.cells, strict=True)
            if (found := _cell(column, cell)) is not None
        )
        yield _rule(f"{one.name.text}#{place}", tier, (*given, *cells), row.decision, frozenset())


def _rule(
    name: str,
    tier: int,
    conditions: tuple[ast.Expr, ...],
    decision: ast.Decision,
    overridden: frozenset[str],
) -> Rule:
    asked = [one for one in decision.obligations if isinstance(one, ast.Require)]
    roles = frozenset(role.text for one in asked for role in one.roles)
    if asked and not roles:
        roles = frozenset({"human"})
    return Rule(name, tier, conditions, decision.effect.value, roles, overridden)


def _cell(column: ast.Name, cell: ast.Cell) -> ast.Expr | None:
    match cell:
        case ast.CellAny():
            return None
        case ast.CellValue(value=ast.Bool(value=value)):
            return column if value else ast.Unary("not", column)
        case ast.CellValue(value=ast.Number() as number):
            return ast.Compare("==", column, number)
        case ast.CellValue(value=ast.Name() | ast.String() as member):
            return ast.Is(column, member)
        case ast.CellCompare(op=op, value=ast.Number() as number):
            return ast.Compare(op, column, number)
        case ast.CellRange(low=low, high=high):
            ends = (ast.Compare(">=", column, low), ast.Compare("<=", column, high))
            return ast.Logical("and", ends)
        case ast.CellSet(members=members):
            return ast.In(column, members)
        case ast.CellLike(pattern=pattern):
            return ast.Like(column, pattern)
        case ast.CellUnder(prefix=prefix):
            return ast.Under(column, prefix)
        case ast.CellContains(quantifier=quantifier, members=members):
            return ast.Contains(column, quantifier, members)
        case ast.CellNot(cell=inner):
            held = _cell(column, inner)
            return None if held is None else ast.Unary("not", held)
        case ast.CellAnd(cells=cells):
            parts = tuple(part for one in cells if (part := _cell(column, one)) is not None)
            return ast.Logical("and", parts)
        case _:
            raise NotImplementedError(cell)


# --- expressions ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads expressions on one request; `values` holds fields, parameters and `approved`."""

    meaning: Meaning
    values: Request

    def all(self, conditions: Sequence[ast.Expr]) -> bool:
        """Whether all of these hold."""
        return all(self.read(one) for one in conditions)

    def read(self, expr: ast.Expr) -> Any:
        """The value of an expression."""
        match expr:
            case ast.Number() | ast.String() | ast.Bool():
                return literal(expr)
            case ast.Name(text=text):
                return self._name(text)
            case ast.Unary(op=op, operand=operand):
                return not self.read(operand) if op == "not" else -self.read(operand)
            case ast.Binary(op=op, left=left, right=right):
                return _arithmetic(op, self.read(left), self.read(right))
            case ast.Logical(op=op, operands=operands):
                held = (self.read(one) for one in operands)
                return all(held) if op == "and" else any(held)
            case ast.Implies(left=left, right=right):
                return not self.read(left) or self.read(right)
            case ast.Compare(op=op, left=left, right=right):
                return _compare(op, self.read(left), self.read(right))
            case ast.If(condition=condition, then=then, otherwise=otherwise):
                return self.read(then if self.read(condition) else otherwise)
            case ast.Call(function=function, arguments=arguments):
                return _call(function, [self.read(one) for one in arguments])
            case ast.Has(field=field):
                return self.values[field.text] is not ABSENT
            case _:
                return self._test(expr)

    def _name(self, text: str) -> Any:
        if text in self.meaning.lets:
            return self.read(self.meaning.lets[text])
        assert self.values[text] is not ABSENT
        return self.values[text]

    def _test(self, expr: ast.Expr) -> bool:
        """A test of one field."""
        match expr:
            case ast.Is(operand=operand, value=value, negated=negated):
                return bool(self.read(operand) == literal(value)) != negated
            case ast.IsEmpty(operand=operand, negated=negated):
                return (not self.read(operand)) != negated
            case ast.In(operand=operand, members=members):
                return self.read(operand) in words(members)
            case ast.Within(operand=operand, members=members):
                return bool(self.read(operand) <= words(members))
            case ast.Contains(operand=operand, quantifier=ast.Quantifier.ALL, members=members):
                return bool(self.read(operand) >= words(members))
            case ast.Contains(operand=operand, members=members):
                return bool(self.read(operand) & words(members))
            case ast.Under(operand=operand, prefix=prefix):
                return bool(self.read(operand).startswith(prefix.value))
            case ast.Like(operand=ast.Name(text=text) as name, pattern=pattern):
                kind = self.meaning.fields[text].type
                separator = "/" if isinstance(kind, ast.TextType) and kind.is_path else "."
                return glob(pattern.value, separator).fullmatch(self.read(name)) is not None
            case _:
                raise NotImplementedError(expr)


def glob(pattern: str, separator: str) -> re.Pattern[str]:
    """`**` is any run, `*` any run within a segment."""
    runs = {"**": ".*", "*": f"[^{re.escape(separator)}]*"}
    parts = re.split(r"(\*\*|\*)", pattern)
    return re.compile("".join(runs.get(part, re.escape(part)) for part in parts), re.DOTALL)


def _arithmetic(op: str, left: Fraction, right: Fraction) -> Fraction:
    match op:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case _:
            return Fraction(floor(left / right))


def _compare(op: str, left: Any, right: Any) -> bool:
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


def _call(function: str, values: list[Fraction]) -> Fraction:
    match function:
        case "least":
            return min(values)
        case "greatest":
            return max(values)
        case _:
            return abs(values[0])


# --- decisions --------------------------------------------------------------------------------------


def decide(policy: Meaning, values: Request) -> Outcome:
    """The outcome for a valid request."""
    reader = Reader(policy, values)
    if not reader.all(policy.assumptions):
        return Outcome("deny", "invalid_request", frozenset())
    guards = [name for name, held in policy.invariants.items() if not reader.read(held)]
    fired = [rule for rule in policy.rules if reader.all(rule.conditions)]
    matched = frozenset((*guards, *(rule.name for rule in fired)))
    decision, rule = _join(policy, values, guards, fired)
    return Outcome(decision, rule, matched)


def _join(
    policy: Meaning, values: Request, guards: list[str], fired: list[Rule]
) -> tuple[str, str]:
    if guards:
        return "deny", guards[0]
    match policy.combine:
        case "first_match":
            return _whole(policy, values, fired[:1])
        case "unique":
            return _whole(policy, values, standing(fired))
        case _:
            return _strictest(policy, values, standing(fired))


def standing(fired: list[Rule]) -> list[Rule]:
    """The fired rules that no standing rule overrides."""

    def stands(rule: Rule) -> bool:
        return not any(rule.name in other.overrides and stands(other) for other in fired)

    return [rule for rule in fired if stands(rule)]


def _whole(policy: Meaning, values: Request, taken: list[Rule]) -> tuple[str, str]:
    """The only rule, whatever it says; several at once are a conflict and deny."""
    if len(taken) == 1:
        return effect(taken[0], values), taken[0].name
    return ("deny" if taken else policy.default), "default"


def _strictest(policy: Meaning, values: Request, taken: list[Rule]) -> tuple[str, str]:
    effects = [effect(rule, values) for rule in taken]
    if not any(rule.effect in {"allow", "require_human"} for rule in taken):
        effects.append(policy.default)
    decision = max(effects, key=EFFECTS.index)
    deciding = (rule.name for rule in taken if effect(rule, values) == decision)
    return decision, next(deciding, "default")


def effect(rule: Rule, values: Request) -> str:
    """The effect of a rule; a person who is asked and has approved makes it an allow."""
    approved = rule.effect == "require_human" and rule.roles <= values["approved"]
    return "allow" if approved else rule.effect
