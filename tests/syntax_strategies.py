"""Syntax trees at random: every node class, names that are keywords elsewhere, odd texts."""

from __future__ import annotations

from hypothesis import strategies as st
from syntax_words import digits, labels, names, several, signed, strings, units, unsigned
from time_strategies import histories, machines, occurrences, over_time, steps

from govlang.dsl import ast

bools = st.booleans().map(ast.Bool)
sets = st.lists(st.one_of(names, strings, signed), max_size=3).map(tuple).map(ast.SetLiteral)
simple_literals = st.one_of(signed, strings, names, bools)
literals = st.one_of(simple_literals, sets)
effects = st.sampled_from(ast.Effect)


def one(member: ast.Name | ast.String) -> ast.SetLiteral:
    return ast.SetLiteral((member,))


members = st.one_of(names, strings)
contained = st.one_of(
    st.tuples(st.just(ast.Quantifier.ONE), members.map(one)),
    st.tuples(st.sampled_from([ast.Quantifier.ANY, ast.Quantifier.ALL]), sets),
)
atoms = st.one_of(
    unsigned,
    strings,
    names,
    bools,
    st.builds(ast.Has, names),
    st.builds(ast.DecisionIs, effects, st.booleans()),
    st.builds(ast.DecisionAtLeast, effects),
    st.builds(ast.DecisionIn, several(effects, 1)),
    histories,
    occurrences.filter(
        lambda e: e != ast.EventRef(e.name) if isinstance(e, ast.EventRef) else True
    ),
)


def _larger(inner: st.SearchStrategy[ast.Expr]) -> st.SearchStrategy[ast.Expr]:
    relations = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    return st.one_of(
        st.builds(ast.Unary, st.sampled_from(["not", "-"]), inner),
        st.builds(ast.Binary, st.sampled_from("+-*/"), inner, inner),
        st.builds(ast.Logical, st.sampled_from(["and", "or"]), several(inner, 2)),
        st.builds(ast.Implies, inner, inner),
        st.builds(ast.Compare, relations, inner, inner),
        st.builds(ast.Is, inner, st.one_of(names, strings, bools), st.booleans()),
        st.builds(ast.IsEmpty, inner, st.booleans()),
        st.builds(ast.In, inner, sets),
        st.builds(ast.Like, inner, strings),
        st.builds(ast.Under, inner, strings),
        st.builds(lambda x, c: ast.Contains(x, *c), inner, contained),
        st.builds(ast.Within, inner, sets),
        st.builds(ast.If, inner, inner, inner),
        st.builds(ast.Call, st.sampled_from(["least", "greatest"]), several(inner, 2)),
        st.builds(ast.Call, st.just("abs"), several(inner, 1, 1)),
        st.builds(ast.Extreme, st.sampled_from(["max", "min"]), inner, unsigned),
        st.builds(ast.Possible, inner),
        over_time(inner),
    )


expressions = st.recursive(atoms, _larger, max_leaves=8)

# --- fields, effects ---


def _number_type(low: str, high: str, unit: str | None, *rest: object) -> ast.NumberType:
    return ast.NumberType(ast.Number(low, unit), ast.Number(high, unit), *rest)  # type: ignore[arg-type]


signed_digits = st.one_of(digits, digits.map("-".__add__))
types = st.one_of(
    st.builds(
        _number_type,
        signed_digits,
        signed_digits,
        units,
        st.none() | unsigned,
        st.none() | st.sampled_from(ast.Rounding),
    ),
    st.builds(ast.EnumType, several(labels, 1)),
    st.builds(ast.SetType, several(labels, 1)),
    st.builds(ast.PlainType, st.sampled_from(ast.Plain)),
    st.builds(ast.TextType, st.booleans(), st.none() | digits.map(ast.Number)),
)
fields = st.builds(ast.Field, names, types, st.booleans(), st.booleans(), st.booleans())
arguments = st.builds(ast.Argument, names, literals)
dos = st.builds(ast.Do, names, several(arguments), st.none() | unsigned)


def _sharing_unit(limit: ast.Limit) -> ast.Limit:
    """As the parser leaves it: a bare literal beside one with a unit takes that unit."""
    match limit.low, limit.high:
        case ast.Number(text=low), ast.Number(text=high, unit=unit):
            return ast.Limit(limit.field, ast.Number(low, unit), ast.Number(high, unit))
        case ast.Number() | ast.Unary(), ast.Number() | ast.Unary():
            return ast.Limit(limit.field, None, limit.high)
        case _:
            return limit


limits = st.builds(ast.Limit, names, st.none() | expressions, expressions).map(_sharing_unit)
requires = st.builds(ast.Require, several(labels), st.none() | unsigned)
retries = st.builds(ast.Retry, unsigned)


def _decision(effect: ast.Effect, *parts: object) -> ast.Decision:
    flat = [p for part in parts for p in (part if isinstance(part, tuple) else (part,))]
    return ast.Decision(effect, tuple(p for p in flat if p is not None))  # type: ignore[misc]


decisions = st.one_of(
    st.builds(_decision, st.sampled_from([ast.Effect.ALLOW, ast.Effect.DENY]), several(dos)),
    st.builds(_decision, st.just(ast.Effect.THROTTLE), st.none() | retries, several(dos)),
    st.builds(_decision, st.just(ast.Effect.REQUIRE_HUMAN), requires, several(dos)),
    st.builds(_decision, st.just(ast.Effect.LIMIT), limits, several(st.one_of(dos, limits))),
)

# --- declarations ---

reasons = st.none() | strings
rules = st.builds(
    ast.Rule,
    labels,
    st.none() | expressions,
    decisions,
    reasons,
    st.none() | st.builds(ast.Remedy, strings, several(arguments)),
    several(labels),
)


def _range_cell(low: str, high: str, unit: str | None) -> ast.CellRange:
    return ast.CellRange(ast.Number(low, unit), ast.Number(high, unit))


relations_ = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
cell_parts = st.recursive(
    st.one_of(
        st.builds(ast.CellValue, simple_literals),
        st.builds(ast.CellCompare, relations_, simple_literals),
        st.builds(_range_cell, signed_digits, signed_digits, units),
        st.builds(ast.CellSet, sets),
        st.builds(ast.CellLike, strings),
        st.builds(ast.CellUnder, strings),
        contained.map(lambda c: ast.CellContains(*c)),
    ),
    lambda inner: st.builds(ast.CellNot, inner),
    max_leaves=2,
)
cells = st.one_of(st.just(ast.CellAny()), cell_parts, several(cell_parts, 2).map(ast.CellAnd))
limit_values = st.one_of(
    unsigned.map(lambda n: (None, n)),
    unsigned.map(lambda n: (None, ast.Unary("-", n))),
    names.map(lambda n: (None, n)),
    st.builds(lambda a, b, u: (ast.Number(a, u), ast.Number(b, u)), digits, digits, units),
)


@st.composite
def tables(draw: st.DrawFn) -> ast.Table:
    columns = draw(several(names, 1))
    limit = draw(st.none() | names)
    has_because = limit is None and draw(st.booleans())
    because = draw(reasons)
    name = draw(names)
    if draw(st.integers(0, 3)) == 0:
        return ast.Table(name, columns, limit, has_because, because, draw(strings))
    count = len(columns)
    rows = []
    for _ in range(draw(st.integers(1, 3))):
        if limit is None:
            decision = draw(decisions)
        else:
            low, high = draw(limit_values)
            decision = ast.Decision(ast.Effect.LIMIT, (ast.Limit(limit, low, high),))
        reason = draw(reasons) if has_because else None
        rows.append(ast.TableRow(draw(several(cells, count, count)), decision, reason))
    return ast.Table(name, columns, limit, has_because, because, None, tuple(rows))


expected = st.one_of(
    decisions.map(
        lambda d: ast.Decision(d.effect, tuple(o for o in d.obligations if o != ast.Require()))
    ),
    st.just(ast.Decision(ast.Effect.LIMIT)),
)
declarations = st.one_of(
    st.builds(ast.CombineDecl, st.sampled_from(ast.Combine)),
    st.builds(ast.DefaultDecl, st.sampled_from([None, ast.Effect.ALLOW, ast.Effect.DENY])),
    st.builds(ast.TiersDecl, several(names, 1)),
    st.builds(ast.TierBlock, names, st.none() | expressions, several(st.one_of(rules, tables()))),
    st.builds(ast.InputDecl, several(fields)),
    st.builds(lambda n, t: ast.OutputDecl(ast.Field(n, t)), names, types),
    st.builds(ast.ActionDecl, names, several(fields)),
    st.builds(ast.LetDecl, names, expressions),
    st.builds(ast.ParamDecl, names, types, literals),
    st.builds(ast.AssumeDecl, expressions),
    st.builds(ast.AcceptDecl, names, several(labels, 1), strings),
    st.builds(ast.ImportDecl, strings),
    st.builds(ast.TimeZoneDecl, strings),
    st.builds(ast.LongestWindowDecl, unsigned),
    rules,
    tables(),
    st.builds(ast.Invariant, labels, expressions),
    st.builds(ast.Prove, labels, expressions),
    st.builds(
        ast.Test,
        strings,
        several(arguments),
        several(steps(arguments, literals, st.builds(ast.Expect, expected, st.none() | labels))),
    ),
    machines(expressions, types, fields, literals),
)
headers = st.builds(ast.Header, st.just(1), names, strings)
policies = st.builds(ast.Policy, headers, several(declarations, 0, 4))
