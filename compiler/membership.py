"""Tests on enumerations, bools, sets and texts as atoms of the IR.

In: the syntax of a test and the value that it tests.  Out: a condition; members are found by the
type of that value.  A text literal that no valid value can match is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import assert_never

from govlang.compiler import comparisons, fields, flow, ir, texts
from govlang.compiler.refusal import RefusalError, listed, shortened
from govlang.compiler.resolve import Roles, Scope
from govlang.compiler.types import (
    Choice,
    Condition,
    Constant,
    Faulty,
    Labels,
    Literal,
    Members,
    Quantity,
    Text,
    Value,
    described,
    flow_of,
)
from govlang.compiler.values import FALSE_BIT
from govlang.dsl import ast
from govlang.dsl.diagnostics import did_you_mean
from govlang.dsl.source import Span
from govlang.dsl.units import Units

Test = ast.Is | ast.IsEmpty | ast.In | ast.Like | ast.Under | ast.Contains | ast.Within
Member = ast.Name | ast.String | ast.Number


def tested(expr: Test, operand: Value, scope: Scope) -> Condition:
    """The condition that `expr` is, its operand checked already.

    Raises:
        RefusalError: the test does not fit the operand's type, or a member is unknown.
    """
    if isinstance(operand, Condition) and isinstance(expr, ast.Is):
        return _bool_is(expr, operand)
    return Condition(_atom(expr, operand, scope), flow_of(operand))


def _atom(expr: Test, operand: Value, scope: Scope) -> ir.BoolExpr:
    match expr, operand:
        case ast.Is(value=ast.Name() | ast.String() as member), Choice():
            return _one_of(operand, [member], expr.span, negated=expr.negated)
        case ast.IsEmpty(), Choice(members=members) if "empty" in members:
            return _one_of(operand, [ast.Name("empty", expr.span)], expr.span, negated=expr.negated)
        case ast.IsEmpty(), Labels(name=name):
            empty = ir.SetTest(name, ir.SetOp.WITHIN, 0, expr.span)
            return ir.negation(empty, expr.span) if expr.negated else empty
        case ast.In(), Choice():
            return _one_of(operand, _some(expr.members), expr.span)
        case ast.In(), Text(field=field):
            literals = [_text(member) for member in _some(expr.members)]
            return texts.equal_to(field, literals, expr.span)
        case ast.In(), Quantity():
            numbers = tuple(_number(member, scope.units) for member in _some(expr.members))
            return comparisons.among(operand, numbers, expr.span)
        case ast.Contains(), Labels():
            op = ir.SetOp.ANY if expr.quantifier is ast.Quantifier.ANY else ir.SetOp.ALL
            mask = _mask(operand, _some(expr.members), scope.roles)
            return ir.SetTest(operand.name, op, mask, expr.span)
        case ast.Within(), Labels():
            mask = _mask(operand, expr.members.members, scope.roles)
            return ir.SetTest(operand.name, ir.SetOp.WITHIN, mask, expr.span)
        case ast.Like(pattern=pattern), Text(field=field):
            return texts.like(field, pattern, expr.span)
        case ast.Under(prefix=prefix), Text(field=field):
            return texts.under(field, prefix, expr.span)
        case _:
            raise _misfit(expr, operand)


def _bool_is(expr: ast.Is, operand: Condition) -> Condition:
    """`ticket is true`, `ticket is not true`."""
    if not isinstance(expr.value, ast.Bool):
        raise _misfit(expr, operand)
    if expr.value.value != expr.negated:
        return operand
    match operand.expr:
        case ir.InRanges(name=name, ranges=((1, 1),)):
            inverse: ir.BoolExpr = ir.InRanges(name, FALSE_BIT, expr.span)
        case other:
            inverse = ir.negation(other, expr.span)
    return replace(operand, expr=inverse, flow=flow.negated(operand.flow))


def equal(expr: ast.Compare, left: Value, right: Value) -> ir.BoolExpr:
    """`left == right` or `!=` of what is no number.

    Raises:
        RefusalError: the two cannot be compared so.
    """
    match left, right:
        case (Text(field=field), Literal() as literal) | (Literal() as literal, Text(field=field)):
            _only_equality(expr)
            found: ir.BoolExpr = texts.equal_to(field, [literal], expr.span)
        case Text(), Text():
            _only_equality(expr)
            found = texts.same(left.field, right.field, expr.span)
        case _:
            raise _incomparable(expr, left, right)
    return ir.negation(found, expr.span) if expr.op == "!=" else found


def check_no_enumeration(expr: ast.Compare, named: Mapping[str, Value]) -> None:
    """`zone == urban` means `zone is urban`; say so before `urban` is looked for.

    Raises:
        RefusalError: a side of the comparison names an enumeration (GOV214).
    """
    for side, other in ((expr.left, expr.right), (expr.right, expr.left)):
        if isinstance(side, ast.Name) and isinstance(named.get(side.text), Choice):
            word = {"==": "is", "!=": "is not"}.get(expr.op, "in {…} or is")
            raise RefusalError(
                "GOV214",
                f"`{side.text}` is an enumeration and is not compared with `{expr.op}`",
                expr.span,
                f"write `{side.text} {word} {shortened(other.span)}`",
            )


def _only_equality(expr: ast.Compare) -> None:
    if expr.op not in ("==", "!="):
        raise RefusalError(
            "GOV204",
            f"texts have no order, so `{expr.op}` does not compare them",
            expr.span,
            "use `==`, `!=`, `in {…}` or `like`",
        )


def _incomparable(expr: ast.Compare, left: Value, right: Value) -> RefusalError:
    way_out = "compare values of one type"
    for side, value in ((expr.left, left), (expr.right, right)):
        text = shortened(side.span)
        match value:
            case Condition() if not isinstance(side, ast.Bool):
                way_out = f"write `{text}` or `not {text}`"
            case Choice(members=members):
                way_out = f"write `{text} is {next(iter(members))}`"
            case Labels():
                way_out = f"write `{text} contains …`, `{text} within {{…}}` or `{text} is empty`"
            case _:
                pass
    message = f"`{expr.op}` does not compare {described(left)} with {described(right)}"
    return RefusalError("GOV204", message, expr.span, way_out)


def _misfit(expr: Test, operand: Value) -> RefusalError:
    subject = shortened(expr.operand.span)
    message = f"`{subject}` is {described(operand)}, which `{_word(expr)}` does not test"
    return RefusalError("GOV204", message, expr.span, _instead(operand, subject))


def _word(expr: Test) -> str:
    match expr:
        case ast.Is():
            return "is"
        case ast.IsEmpty():
            return "is empty"
        case ast.In():
            return "in"
        case ast.Like():
            return "like"
        case ast.Under():
            return "under"
        case ast.Contains():
            return "contains"
        case ast.Within():
            return "within"
        case _:
            assert_never(expr)


def _instead(operand: Value, subject: str) -> str:
    match operand:
        case Choice(members=members):
            return f"write `{subject} is {next(iter(members))}` or `{subject} in {{…}}`"
        case Condition():
            return f"write `{subject}`, `not {subject}` or `{subject} is true`"
        case Labels():
            return f"write `{subject} contains …`, `{subject} within {{…}}` or `{subject} is empty`"
        case Text():
            return f'write `{subject} == "…"`, `{subject} in {{…}}` or `{subject} like "…"`'
        case Constant() | Quantity():
            return f"write `{subject} == …`, `{subject} >= …` or `{subject} in {{…}}`"
        case Literal() | Faulty():
            return "name a field"
        case _:
            assert_never(operand)


# --- members -----------------------------------------------------------------------------------


def _some(members: ast.SetLiteral) -> Sequence[Member]:
    if members.members:
        return members.members
    raise RefusalError(
        "GOV204", "nothing is in `{}`, so this never holds", members.span, "name a member"
    )


def _one_of(
    choice: Choice, members: Iterable[Member], span: Span, *, negated: bool = False
) -> ir.BoolExpr:
    positions = [position(choice.members, member, "member") for member in members]
    last = len(choice.members) - 1
    match choice.expr:
        case ir.FieldValue(name=name):
            ranges = comparisons.merged([(p, p) for p in positions], (0, last))
            wanted = comparisons.complement(ranges, (0, last)) if negated else ranges
            return ir.InRanges(name, wanted, span)
        case param:
            equals = (
                ir.Compare(ir.CompareOp.EQ, param, ir.IntConst(p), span) for p in set(positions)
            )
            found = ir.disjunction(equals, span)
            return ir.negation(found, span) if negated else found


def position(members: Members, member: Member, what: str) -> int:
    """The position of a member or label among those that are declared.

    Raises:
        RefusalError: it is none of them (GOV212).
    """
    if isinstance(member, ast.Number):
        raise RefusalError(
            "GOV204", f"a number is no {what}", member.span, f"write {listed(tuple(members))}"
        )
    text = member_text(member)
    found = members.get(text)
    if found is not None:
        return found
    raise RefusalError(
        "GOV212",
        f"`{text}` is none of the {what}s {listed(tuple(members))}",
        member.span,
        did_you_mean(text, members) or f"write {listed(tuple(members), 3)}",
    )


def member_text(member: ast.Name | ast.String) -> str:
    """The text of a word or of a string."""
    return member.text if isinstance(member, ast.Name) else member.value


def _mask(labels: Labels, members: Iterable[Member], roles: Roles) -> int:
    if labels.name == ir.APPROVED:
        return roles.mask(_role(member) for member in members)
    mask = 0
    for member in members:
        mask |= 1 << position(labels.members, member, "label")
    return mask


def _role(member: Member) -> ast.Name:
    if isinstance(member, ast.Number):
        raise RefusalError(
            "GOV204", "a number is no role", member.span, 'write a role as a text: `"sre-oncall"`'
        )
    return ast.Name(member_text(member), member.span)


def _text(member: Member) -> Literal:
    if isinstance(member, ast.String):
        return Literal(member.value, member.span)
    shown = shortened(member.span)
    raise RefusalError(
        "GOV204", f"`{shown}` is no text", member.span, f'put it in quotes: `"{shown}"`'
    )


def _number(member: Member, units: Units) -> Constant:
    if isinstance(member, ast.Number):
        return fields.constant(member, units)
    raise RefusalError(
        "GOV204", f"`{shortened(member.span)}` is no number", member.span, "write it out"
    )
