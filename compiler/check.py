"""Expressions checked and turned into IR in one walk.

In: expressions of the syntax tree and the scope of their names.  Out: typed values whose IR is
finished; the bare word in `zone is urban` is resolved by the type of what stands before it.

Errors are collected: where a part is refused the walk goes on beside it, and what is built on it
stays silent.  INVARIANT: no value comes out of an expression in which an error was found.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Final

from govlang.compiler import comparisons, fields, flow, ir, membership, numbers
from govlang.compiler.comparisons import MIRRORED
from govlang.compiler.flow import Fields
from govlang.compiler.happenings import READ_OFF_THE_CLOCK, state_cell
from govlang.compiler.ir import ArithOp
from govlang.compiler.lets import Lets, check_levels
from govlang.compiler.refusal import FaultyError, RefusalError, shortened
from govlang.compiler.resolve import Scope, unknown
from govlang.compiler.types import (
    Condition,
    Constant,
    Faulty,
    Labels,
    Literal,
    Number,
    Quantity,
    Value,
    flow_of,
    written_at,
)
from govlang.compiler.values import (
    check_arity,
    condition_in,
    decided,
    decision_test,
    either_branch,
    expected,
    number_in,
    placed,
    template,
)
from govlang.dsl import ast
from govlang.dsl.diagnostics import Diagnostic, Diagnostics, Severity
from govlang.dsl.source import Span

if TYPE_CHECKING:
    from govlang.compiler.temporal import Temporal

NOTHING_KNOWN: Final[Fields] = frozenset()
FAULTY: Final = Faulty()


class Checker:
    """Checks expressions in one scope; `found` collects what is wrong."""

    def __init__(self, scope: Scope, found: Diagnostics) -> None:
        self.scope = scope
        self.found = found
        self._templates = {
            name: template(one, kind(name), scope.units)
            for kind, declared in ((ir.FieldValue, scope.fields), (ir.ParamValue, scope.params))
            for name, one in declared.items()
        } | {ir.APPROVED: Labels(ir.APPROVED, {})}
        self._templates |= {
            name: template(state_cell(one), ir.FieldValue(name), scope.units)
            for name, one in scope.time.machines.items()
        }
        self._temporal: Temporal | None = None
        self.lets = Lets(scope, found, self.value)

    @property
    def temporal(self) -> Temporal:
        """The checker of what is over time; most policies need none, so it is loaded when it is asked."""
        if self._temporal is None:
            from govlang.compiler.temporal import Temporal

            self._temporal = Temporal(self.scope, self)
        return self._temporal

    @property
    def is_over_time(self) -> bool:
        """Whether something over time was declared or read."""
        return self._temporal is not None or not self.scope.time.is_empty

    # --- whole expressions ---

    def condition(
        self, expr: ast.Expr, known: Fields = NOTHING_KNOWN, *, in_proof: bool = False
    ) -> Condition | None:
        """A condition that stands by itself, where fields in `known` are present; None if anything in it is wrong."""
        value = self._whole(expr, known)
        condition = self._as_condition(value, expr)
        if condition is None or condition.decides is None or in_proof:
            return condition
        self.found.error(
            "GOV217",
            "the decision is known only after all rules, so only `prove` can speak of it",
            condition.decides,
            help="say under which condition on the fields the rule fires",
        )
        return None

    def number(self, expr: ast.Expr, known: Fields = NOTHING_KNOWN) -> Number | None:
        """A number that stands by itself; None if anything in it is wrong."""
        value = self._whole(expr, known)
        match value:
            case Constant() | Quantity():
                return value
            case Faulty():
                return None
            case _:
                self._report(expected("a number", value, expr))
                return None

    def alone(self, expr: ast.Expr, known: Fields) -> Value:
        """Any value that stands by itself."""
        return self._whole(expr, known)

    def _whole(self, expr: ast.Expr, known: Fields) -> Value:
        self.lets.begin()
        value = self.value(expr)
        if isinstance(value, Condition | Quantity):
            try:
                check_levels(value.expr, expr.span)
            except RefusalError as refusal:
                self._report(refusal)
                return FAULTY
        lacking = flow_of(value).lacks(known)
        for name, span in lacking.items():
            self.found.error(
                "GOV213",
                f"`{name}` is optional and may be absent here",
                span,
                help=f"guard it: `{_guard(name)} and …`",
            )
        return FAULTY if lacking else value

    def _as_condition(self, value: Value, expr: ast.Expr) -> Condition | None:
        match value:
            case Condition():
                return value
            case Faulty():
                return None
            case _:
                self._report(expected("a condition", value, expr))
                return None

    def _report(self, refusal: RefusalError) -> None:
        self.found.add(refusal.diagnostic)

    # --- parts ---

    def value(self, expr: ast.Expr) -> Value:
        """What an expression comes to; `Faulty` if it was refused (and reported)."""
        if not self.lets.enter(expr.span):
            return FAULTY
        try:
            return self._value(expr)
        except RefusalError as refusal:
            self._report(refusal)
            return FAULTY
        except FaultyError:
            return FAULTY
        finally:
            self.lets.leave()

    def inside(self, expr: ast.Expr) -> Condition:
        """A condition inside an operator over time, where nothing outside guards it.

        Raises:
            FaultyError: anything in it is wrong, and has been reported.
        """
        value = self.value(expr)
        lacking = flow_of(value).needs
        for name, span in lacking.items():
            self.found.error(
                "GOV213",
                f"`{name}` may be absent here",
                span,
                help=f"guard it inside the operator: `({_guard(name)} and …)`",
            )
        condition = self._as_condition(value, expr)
        if condition is None or lacking:
            raise FaultyError
        if condition.decides is not None:
            raise RefusalError(
                "GOV217", "no operator over time reads the decision", condition.decides,
                "count what was `allowed`",
            )  # fmt: skip
        return condition

    def _value(self, expr: ast.Expr) -> Value:
        match expr:
            case ast.Name():
                return self._name(expr)
            case ast.Number():
                return fields.constant(expr, self.scope.units)
            case ast.String(value=text):
                return Literal(text, expr.span)
            case ast.Bool(value=holds):
                return Condition(ir.BoolConst(holds, expr.span))
            case ast.Unary():
                return self._unary(expr)
            case ast.Binary():
                return self._binary(expr)
            case ast.Logical():
                return self._logical(expr)
            case ast.Implies(left=left, right=right):
                return self._implies(left, right, expr.span)
            case ast.Compare():
                return self._compare(expr)
            case ast.If():
                return self._if(expr)
            case ast.Call():
                return self._call(expr)
            case ast.Has(field=name):
                return self._has(name, expr.span)
            case ast.DecisionIs() | ast.DecisionAtLeast() | ast.DecisionIn():
                return decision_test(expr)
            case _:
                if isinstance(expr, ast.Temporal):
                    return written_at(expr.span, self.temporal.value(expr))
                (operand,) = self._all(expr.operand)
                return membership.tested(expr, operand, self.scope)

    def _all(self, *parts: ast.Expr) -> list[Value]:
        """What the parts of an expression come to; one that was refused leaves the others checked.

        Raises:
            FaultyError: one of them was refused.
        """
        values = [self.value(part) for part in parts]
        if any(isinstance(value, Faulty) for value in values):
            raise FaultyError
        return values

    def _name(self, name: ast.Name) -> Value:
        text = name.text
        found = self._templates.get(text)
        if found is not None:
            self.scope.roles.asked |= text == ir.APPROVED
            if text in self.scope.time.machines:
                self.temporal.machine(text)
            declared = self.scope.fields.get(text)
            return placed(found, name, optional=declared is not None and declared.optional)
        if text in self.scope.lets:
            return self.lets.use(name)
        if text in self.scope.time.signals:
            return self.temporal.read_signal(self.scope.time.signals[text], name)
        if self.scope.is_event(text):
            return written_at(name.span, self.temporal.happens(name))
        if text in READ_OFF_THE_CLOCK:
            return self.temporal.clock(text, name.span)
        if text in self.scope.faulty:
            return FAULTY
        if text in self.scope.outputs:
            raise RefusalError(
                "GOV204",
                f"`{text}` is an output: rules set it and cannot read it",
                name.span,
                "declare it in `input` to read it, too",
            )
        refusal = unknown("field, parameter or `let`", name, self.scope.names())
        meant = self._meant(text)
        if meant is not None:
            refusal.diagnostic = replace(refusal.diagnostic, help=f"write `{meant}`")
        raise refusal

    def _meant(self, text: str) -> str | None:
        """The test that a word which is no value by itself stands for."""
        if text == "decision":
            return "decision is deny"
        holder = next((f for f in self.scope.fields.values() if text in f.members), None)
        if holder is None:
            return None
        return f"{holder.name} {'contains' if holder.kind is ir.Kind.SET else 'is'} {text}"

    def _unary(self, expr: ast.Unary) -> Value:
        (operand,) = self._all(expr.operand)
        if expr.op == "-":
            return numbers.negated(number_in(operand, expr.operand), expr.span)
        condition = condition_in(operand, expr.operand)
        negation = ir.negation(condition.expr, expr.span)
        return replace(condition, expr=negation, flow=flow.negated(condition.flow))

    def _binary(self, expr: ast.Binary) -> Value:
        left, right = self._all(expr.left, expr.right)
        first, second = number_in(left, expr.left), number_in(right, expr.right)
        match expr.op:
            case "*":
                product = numbers.multiplied(first, second, expr.span)
                if isinstance(first, Quantity) and isinstance(second, Quantity):
                    self._note_product(expr.span)
                return product
            case "/":
                return numbers.divided(first, second, expr.span)
            case _:
                return numbers.added(expr.op, first, second, expr.span)

    def _note_product(self, span: Span) -> None:
        message = f"`{shortened(span)}` multiplies two values that vary, so proofs may be undecided"
        help_ = "make one of them a constant, or raise the time limit of `gov verify`"
        self.found.add(Diagnostic("GOV230", Severity.NOTE, message, span, help_))

    def _logical(self, expr: ast.Logical) -> Value:
        values = self._all(*expr.operands)
        parts = [condition_in(v, e) for v, e in zip(values, expr.operands, strict=True)]
        conjoined = expr.op == "and"
        joined = (ir.conjunction if conjoined else ir.disjunction)(
            (part.expr for part in parts), expr.span
        )
        flows = reduce(flow.both if conjoined else flow.either, (part.flow for part in parts))
        return Condition(joined, flows, decided(*parts))

    def _implies(self, left: ast.Expr, right: ast.Expr, span: Span) -> Value:
        first, second = self._all(left, right)
        if_, then = condition_in(first, left), condition_in(second, right)
        folded = isinstance(if_.expr, ir.Not)  # else the `not` is nobody's text
        negated = ir.negation(if_.expr, left.span if folded else None)
        joined = ir.disjunction((negated, then.expr), span)
        return Condition(joined, flow.implied(if_.flow, then.flow), decided(if_, then))

    def _compare(self, expr: ast.Compare) -> Value:
        membership.check_no_enumeration(expr, self._templates)
        for side, other, op in (
            (expr.left, expr.right, expr.op),
            (expr.right, expr.left, MIRRORED[expr.op]),
        ):
            if isinstance(side, ast.Bounded):
                found = self.temporal.compared(op, side, other, expr.span)
                if found is not None:
                    return written_at(expr.span, found)
        left = self.value(expr.left)
        if isinstance(left, Faulty) and isinstance(expr.right, ast.Name):
            return FAULTY  # the name may be a member of what could not be read
        right = self.value(expr.right)
        if isinstance(left, Faulty) or isinstance(right, Faulty):
            return FAULTY
        flows = flow.together((flow_of(left), flow_of(right)))
        if isinstance(left, Constant | Quantity) and isinstance(right, Constant | Quantity):
            return Condition(comparisons.compared(expr.op, left, right, expr.span), flows)
        return Condition(membership.equal(expr, left, right), flows)

    def _if(self, expr: ast.If) -> Value:
        test, then, otherwise = self._all(expr.condition, expr.then, expr.otherwise)
        condition = condition_in(test, expr.condition)
        if isinstance(then, Condition) and isinstance(otherwise, Condition):
            self.lets.twice(condition.expr, expr.span)
            return either_branch(condition, then, otherwise, expr.span)
        first, second = number_in(then, expr.then), number_in(otherwise, expr.otherwise)
        if condition.decides is not None:
            raise RefusalError(
                "GOV217",
                "a number cannot depend on the decision",
                condition.decides,
                "put the decision into the condition around it",
            )
        return numbers.chosen(condition, first, second, expr.span)

    def _call(self, expr: ast.Call) -> Value:
        values = self._all(*expr.arguments)
        operands = tuple(number_in(v, e) for v, e in zip(values, expr.arguments, strict=True))
        if expr.function == "abs":
            check_arity(expr, len(operands) == 1, "one argument")
            if isinstance(operands[0], Quantity):
                self.lets.twice(operands[0].expr, expr.span)
            return numbers.absolute(operands[0], expr.span)
        check_arity(expr, len(operands) >= 2, "two arguments or more")
        op = ArithOp.LEAST if expr.function == "least" else ArithOp.GREATEST
        return numbers.extreme(op, operands, expr.span)

    def _has(self, name: ast.Name, span: Span) -> Value:
        declared = self.scope.fields.get(name.text)
        if name.text in self.scope.faulty:
            return FAULTY
        signal = self.scope.time.signals.get(name.text)
        if signal is not None:
            return self.temporal.has(signal, span)
        if declared is None:
            raise unknown("field", name, self.scope.fields)
        if not declared.optional:
            raise RefusalError(
                "GOV241",
                f"`{name.text}` is not optional, so `has {name.text}` always holds",
                span,
                f"leave it out, or declare `{name.text}` optional",
            )
        return Condition(ir.Has(name.text, span), flow.presence(name.text))


def _guard(name: str) -> str:
    """What says that a value is there; the fields of events have no `has`."""
    return f"fresh({name}, 1 min)" if "." in name else f"has {name}"
