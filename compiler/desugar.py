"""Sugar written out: tables become rules, invariants become guards, tier blocks become conditions.

In: declarations.  Out: drafts of rules, in source order, each with the tier it stands in and the
condition of its tier block.  Nothing is typed here; a column's kind only tells how a cell reads.

A cell other than `_` on an optional column asks for the field to be there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import assert_never

from govlang.compiler import ir, sugar
from govlang.compiler.refusal import RefusalError
from govlang.compiler.resolve import Scope, unknown
from govlang.dsl import ast
from govlang.dsl.diagnostics import Diagnostics
from govlang.dsl.record import record
from govlang.dsl.source import Span


@record
class Draft:
    """A rule before it is checked; `tier_condition` None: its tier always applies."""

    id: str
    kind: ir.RuleKind
    tier: int
    condition: ast.Expr | None
    tier_condition: ast.Expr | None
    decision: ast.Decision
    because: str
    remedy: ast.Remedy | None
    overrides: tuple[ast.Name, ...]
    span: Span
    name_span: Span


GUARD_TIER = -1


def drafts(
    declarations: Iterable[ast.Declaration], scope: Scope, found: Diagnostics
) -> Iterator[Draft]:
    """Every rule that the declarations stand for, in source order."""
    lowest = len(scope.tiers)
    for declaration in declarations:
        match declaration:
            case ast.Rule() | ast.Table():
                yield from _member(declaration, lowest, None, scope, found)
            case ast.TierBlock(name=name, condition=condition, members=members):
                tier = _tier(name, scope, found)
                for member in members:
                    yield from _member(member, tier, condition, scope, found)
            case ast.Invariant():
                yield _guard(declaration)
            case ast.ContractDecl():
                for rule in sugar.contract_rules(declaration):
                    yield _written_out(rule, ir.RuleKind.GUARD, GUARD_TIER, declaration.span)
            case ast.AutonomyDecl() if declaration is scope.time.autonomy:
                for rule in sugar.autonomy_rules(declaration):
                    yield _written_out(rule, ir.RuleKind.RULE, lowest, declaration.span)
            case _:
                pass


def proofs(declarations: Iterable[ast.Declaration], scope: Scope) -> Iterator[ast.Prove]:
    """Every claim that the declarations make, in source order."""
    for declaration in declarations:
        match declaration:
            case ast.Prove():
                yield declaration
            case ast.ContractDecl():
                yield from sugar.contract_proofs(declaration)
            case ast.AutonomyDecl() if declaration is scope.time.autonomy:
                yield from sugar.autonomy_proofs(declaration)
            case _:
                pass


def _written_out(rule: sugar.Rule, kind: ir.RuleKind, tier: int, span: Span) -> Draft:
    """A rule that a contract or an autonomy stands for."""
    name, condition, effect, because = rule
    decision = ast.Decision(effect, (), span)
    return Draft(name, kind, tier, condition, None, decision, because, None, (), span, span)


def _tier(name: ast.Name, scope: Scope, found: Diagnostics) -> int:
    if name.text in scope.tiers:
        return scope.tiers[name.text]
    first = not scope.tiers
    refusal = unknown(
        "tier", name, scope.tiers, f"declare it: `tiers {name.text}`" if first else None
    )
    found.add(replace(refusal.diagnostic, code="GOV218"))
    return len(scope.tiers)


def _member(
    member: ast.Rule | ast.Table,
    tier: int,
    condition: ast.Expr | None,
    scope: Scope,
    found: Diagnostics,
) -> Iterator[Draft]:
    match member:
        case ast.Rule():
            yield Draft(
                member.name.text,
                ir.RuleKind.RULE,
                tier,
                member.condition,
                condition,
                member.decision,
                member.because.value if member.because else "",
                member.remedy,
                member.overrides,
                member.span,
                member.name.span,
            )
        case ast.Table():
            if _check_columns(member, scope, found):
                yield from _rows(member, tier, condition, scope, found)
        case _:
            assert_never(member)


def contrary(condition: ast.Expr, span: Span) -> ast.Expr:
    """Where a condition does not hold."""
    if isinstance(condition, ast.Unary) and condition.op == "not":
        return condition.operand
    return ast.Unary("not", condition, span)


def _guard(invariant: ast.Invariant) -> Draft:
    span = invariant.condition.span
    return Draft(
        invariant.name.text,
        ir.RuleKind.GUARD,
        GUARD_TIER,
        contrary(invariant.condition, span),
        None,
        ast.Decision(ast.Effect.DENY, (), invariant.span),
        f"the invariant {invariant.name.text} would not hold",
        None,
        (),
        invariant.span,
        invariant.name.span,
    )


# --- tables ------------------------------------------------------------------------------------


def row_ids(table: ast.Table) -> tuple[str, ...]:
    """The names of a table's rows, from `TABLE#1`."""
    return tuple(f"{table.name.text}#{n}" for n in range(1, len(table.rows) + 1))


def _check_columns(table: ast.Table, scope: Scope, found: Diagnostics) -> bool:
    """Whether every column can be read; reported at the head, once for all rows."""
    known = {*scope.names(), *scope.faulty, ir.APPROVED}
    seen: set[str] = set()
    fine = True
    for column in table.columns:
        if column.text not in known:
            found.add(unknown("field, parameter or `let`", column, scope.names()).diagnostic)
            fine = False
        elif column.text in seen:
            found.error(
                "GOV202", f"the column `{column.text}` stands twice", column.span, help="remove one"
            )
            fine = False
        seen.add(column.text)
    return fine


def _rows(
    table: ast.Table, tier: int, condition: ast.Expr | None, scope: Scope, found: Diagnostics
) -> Iterator[Draft]:
    reason = table.because.value if table.because else ""
    for name, row in zip(row_ids(table), table.rows, strict=True):
        try:
            when = _row_condition(table, row, scope)
        except RefusalError as refusal:
            found.add(refusal.diagnostic)
            continue
        because = row.because.value if row.because else reason
        yield Draft(
            name,
            ir.RuleKind.ROW,
            tier,
            when,
            condition,
            row.decision,
            because,
            None,
            (),
            row.span,
            row.span,
        )


def _row_condition(table: ast.Table, row: ast.TableRow, scope: Scope) -> ast.Expr | None:
    pairs = zip(table.columns, row.cells, strict=True)
    tests = [
        _guarded(column, cell, scope) for column, cell in pairs if not isinstance(cell, ast.CellAny)
    ]
    if len(tests) < 2:
        return tests[0] if tests else None
    return ast.Logical("and", tuple(tests), row.span)


def _guarded(column: ast.Name, cell: ast.Cell, scope: Scope) -> ast.Expr:
    declared = scope.fields.get(column.text)
    name = ast.Name(column.text, cell.span)
    test = cell_test(name, cell, declared.kind if declared else None)
    if declared is None or not declared.optional:
        return test
    return ast.Logical("and", (ast.Has(name, cell.span), test), cell.span)


def cell_test(name: ast.Name, cell: ast.Cell, kind: ir.Kind | None) -> ast.Expr:
    """The condition on the column `name` that a cell stands for; `kind` None: a `let`.

    Raises:
        RefusalError: the cell can be read in two ways (GOV223).
    """
    span = cell.span
    match cell:
        case ast.CellAny():
            return ast.Bool(True, span)
        case ast.CellValue(value=value):
            return _equals(name, value, kind, span)
        case ast.CellCompare(op=op, value=value):
            return ast.Compare(op, name, _operand(value, kind), span)
        case ast.CellRange(low=low, high=high):
            return _between(name, low, high, span)
        case ast.CellSet(members=members):
            return ast.In(name, _members(members, kind), span)
        case ast.CellLike(pattern=pattern):
            return ast.Like(name, pattern, span)
        case ast.CellUnder(prefix=prefix):
            return ast.Under(name, prefix, span)
        case ast.CellContains(quantifier=quantifier, members=members):
            return ast.Contains(name, quantifier, members, span)
        case ast.CellNot(cell=inner):
            return ast.Unary("not", cell_test(name, inner, kind), span)
        case ast.CellAnd(cells=cells):
            return ast.Logical("and", tuple(cell_test(name, c, kind) for c in cells), span)
        case _:
            assert_never(cell)


def _is_text(kind: ir.Kind | None) -> bool:
    return kind in ir.TEXT_KINDS


def _equals(name: ast.Name, value: ast.Literal, kind: ir.Kind | None, span: Span) -> ast.Expr:
    match value:
        case ast.SetLiteral():
            return ast.In(name, _members(value, kind), span)
        case ast.Number():
            return ast.Compare("==", name, value, span)
        case ast.Name() | ast.String() if kind is ir.Kind.SET:
            one = ast.SetLiteral((value,), value.span)
            return ast.Contains(name, ast.Quantifier.ONE, one, span)
        case ast.Name() if _is_text(kind):
            return ast.Compare("==", name, ast.String(value.text, value.span), span)
        case ast.String() if _is_text(kind):
            return ast.Compare("==", name, value, span)
        case _:
            return ast.Is(name, value, span=span)


def _operand(value: ast.Literal, kind: ir.Kind | None) -> ast.Expr:
    match value:
        case ast.SetLiteral():
            raise RefusalError(
                "GOV223", "a set cannot stand after a comparison", value.span, "write `{…}` alone"
            )
        case ast.Name() if _is_text(kind):
            return ast.String(value.text, value.span)
        case _:
            return value


def _members(members: ast.SetLiteral, kind: ir.Kind | None) -> ast.SetLiteral:
    if kind is ir.Kind.SET:
        raise RefusalError(
            "GOV223",
            "on a column of sets, `{…}` can be read in several ways",
            members.span,
            "write `contains any {…}` or `contains all {…}`",
        )
    if not _is_text(kind):
        return members
    texts = (ast.String(m.text, m.span) if isinstance(m, ast.Name) else m for m in members.members)
    return ast.SetLiteral(tuple(texts), members.span)


def _between(name: ast.Name, low: ast.Number, high: ast.Number, span: Span) -> ast.Expr:
    if low.unit is None:
        low = replace(low, unit=high.unit)
    if low.unit == high.unit and low.value > high.value:
        raise RefusalError("GOV207", "the range is empty", span, "write the smaller end first")
    ends = (ast.Compare(">=", name, low, span), ast.Compare("<=", name, high, span))
    return ast.Logical("and", ends, span)
