"""Checked IR in, JSON-Logic out: one expression over the request whose value is the decision's name.

The expression reads the fields of the request and those of the runtime by their names, numbers in the
field's unit, sets as lists.  What always holds: every JSON-Logic engine that follows jsonlogic.com gives the
interpreter's decision for every valid request; where its operators cannot say what the policy says, the
export is refused (GOV610), never approximated.  A decision is all that the
format can carry: a policy with obligations is exported only when the caller says that they may be left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final, assert_never

from govlang.compiler import ir
from govlang.compiler.interpret import Environment
from govlang.compiler.obligations import decimal
from govlang.dsl.diagnostics import GovError, fail
from govlang.dsl.source import Span

CANNOT: Final = "GOV610"
EXACT_MAX: Final = 2**53
DIGITS_MAX: Final = 10**15
"""Decimals of fewer digits keep their order as doubles."""

PARTS_MAX: Final = 1_000_000
"""Of the expression written out, where what is read twice stands twice."""

Logic = Any


def export_jsonlogic(
    policy: ir.Policy, params: Mapping[str, int], *, decisions_only: bool = False
) -> Logic:
    """The expression.

    Raises:
        GovError: GOV610 something cannot be said in JSON-Logic; the help says what.
    """
    if not decisions_only:
        _refuse_obligations(policy)
    logic = Export(policy, params).decision()
    if _parts(logic, {}) > PARTS_MAX:
        help_line = "it has no names, so divisions and overridden rules are repeated; use fewer"
        raise _cannot(f"an expression of more than {PARTS_MAX} parts", None, help_line)
    return logic


def _parts(logic: Logic, known: dict[int, int]) -> int:
    """The size of an expression written out; `known`: of parts, which are shared until then."""
    if not isinstance(logic, dict | list):
        return 1
    found = known.get(id(logic))
    if found is None:
        inside = logic.values() if isinstance(logic, dict) else logic
        found = known[id(logic)] = 1 + sum(_parts(one, known) for one in inside)
    return found


def _refuse_obligations(policy: ir.Policy) -> None:
    for rule in policy.rules:
        has = rule.limits or rule.dos or rule.roles or rule.retry_ms is not None or rule.remedy
        if has:
            raise _cannot(
                f"the obligations of `{rule.id}`",
                rule.span,
                "pass `--decisions-only` to leave them out",
            )


class Export:
    """Writes the expressions of one policy."""

    def __init__(self, policy: ir.Policy, params: Mapping[str, int]) -> None:
        self.policy = policy
        self.params = params

    def decision(self) -> Logic:
        """The expression whose value is the decision's name.

        Raises:
            GovError: GOV610, the format cannot say it.
        """
        self._refuse_meeting_limits()
        match self.policy.combine:
            case ir.Combine.FIRST_MATCH:
                return self._first_match()
            case ir.Combine.STRICT | ir.Combine.MOST_RESTRICTIVE:
                return self._strictest()
            case ir.Combine.UNIQUE:
                raise _cannot("`combine unique`", None, "export a policy that combines strictly")
            case _:
                assert_never(self.policy.combine)

    def _refuse_meeting_limits(self) -> None:
        """Limits of two rules that do not meet deny; JSON-Logic would need their values for that."""
        seen: dict[str, str] = {}
        for rule in self.policy.rules:
            for limit in rule.limits:
                other = seen.setdefault(limit.target, rule.id)
                if other != rule.id and self.policy.combine is not ir.Combine.FIRST_MATCH:
                    raise _cannot(f"two rules that limit `{limit.target}`", rule.span, None)

    def _first_match(self) -> Logic:
        branches: list[Logic] = []
        for rule in self.policy.rules:
            branches += [self.condition(rule.condition), self._effect(rule)]
        branches.append(self._default())
        invalid = self._broken()
        return _if([*invalid, *branches])

    def _effect(self, rule: ir.Rule) -> Logic:
        if rule.effect is not ir.Effect.REQUIRE_HUMAN:
            return rule.effect.word
        return _if([self._approved(rule), ir.Effect.ALLOW.word, rule.effect.word])

    def _default(self) -> str:
        return "allow" if self.policy.default is ir.Default.ALLOW else "deny"

    def _broken(self) -> list[Logic]:
        """The branch for requests that break an assumption: deny."""
        broken = [_not(self.condition(a.condition)) for a in self.policy.assumptions]
        return [_or(broken), "deny"] if broken else []

    def _strictest(self) -> Logic:
        standing = self._standing()
        by_effect: dict[ir.Effect, list[Logic]] = {effect: [] for effect in ir.Effect}
        permits: list[Logic] = []
        for rule in self.policy.rules:
            stands = standing[rule.id]
            waits = _and([stands, _not(self._approved(rule))]) if rule.roles else stands
            by_effect[rule.effect].append(waits)
            if rule.effect in (ir.Effect.ALLOW, ir.Effect.REQUIRE_HUMAN):
                permits.append(stands)
        denies = by_effect[ir.Effect.DENY]
        if self._default() == "deny":
            denies = [*denies, _not(_or(permits))]
        branches = [*self._broken(), _or(denies), "deny"]
        for effect in (ir.Effect.REQUIRE_HUMAN, ir.Effect.THROTTLE, ir.Effect.LIMIT):
            if by_effect[effect]:
                branches += [_or(by_effect[effect]), effect.word]
        return _if([*branches, "allow"])

    def _standing(self) -> dict[str, Logic]:
        """For each rule: it fires, and no standing rule overrides it."""
        overriders: dict[str, list[ir.Rule]] = {}
        for rule in self.policy.rules:
            for name in rule.overrides:
                overriders.setdefault(name, []).append(rule)
        found: dict[str, Logic] = {}

        def stands(rule: ir.Rule) -> Logic:
            if rule.id not in found:
                over = [_not(stands(other)) for other in overriders.get(rule.id, ())]
                found[rule.id] = _and([self.condition(rule.condition), *over])
            return found[rule.id]

        for rule in self.policy.rules:
            stands(rule)
        return found

    def _approved(self, rule: ir.Rule) -> Logic:
        approved = {"var": [ir.APPROVED, []]}
        return _and([{"in": [role, approved]} for role in rule.roles])

    # --- conditions ---------------------------------------------------------------------------

    def condition(self, condition: ir.BoolExpr) -> Logic:
        """A condition."""
        match condition:
            case ir.BoolConst(value=value):
                return value
            case ir.Not(operand=operand):
                return _not(self.condition(operand))
            case ir.And(operands=operands):
                return _and([self.condition(one) for one in operands])
            case ir.Or(operands=operands):
                return _or([self.condition(one) for one in operands])
            case ir.InRanges(name=name, ranges=ranges):
                return self._in_ranges(self.policy.field(name), ranges)
            case ir.Compare(op=op, left=left, right=right):
                word = {"==": "===", "!=": "!=="}.get(op.value, op.value)
                return {word: list(self._sides(left, right, condition.span))}
            case ir.SetTest(name=name, op=op, mask=mask):
                return self._set_test(self.policy.field(name), op, mask)
            case ir.TextTest(name=name, patterns=patterns):
                field = self.policy.field(name)
                return _or([self._text_test(field, p, condition.span) for p in patterns])
            case ir.TextEqual(left=left, right=right):
                return {"===": [{"var": left}, {"var": right}]}
            case ir.Has(name=name):
                return {"!==": [{"var": name}, None]}
            case ir.DecisionIn():
                raise _cannot("a condition on the decision", condition.span, None)
            case _:
                assert_never(condition)

    def _sides(self, left: ir.IntExpr, right: ir.IntExpr, span: Span | None) -> tuple[Logic, Logic]:
        """Both sides of a comparison: in the field's unit where one is a field and the other constant."""
        for one, other in ((left, right), (right, left)):
            constant = self._constant(other)
            if isinstance(one, ir.FieldValue) and constant is not None:
                field = self.policy.field(one.name)
                if field.kind is ir.Kind.NUMBER:
                    _refuse_inexact(field, span)
                    read, bound = {"var": field.name}, decimal(constant, field)
                    return (read, bound) if one is left else (bound, read)
        return self.number(left, span), self.number(right, span)

    def _constant(self, expr: ir.IntExpr) -> int | None:
        """The value of an expression that reads no field."""
        parts = tuple(ir.int_parts(expr))
        if any(isinstance(part, ir.FieldValue | ir.Choose) for part in parts):
            return None
        return Environment(self.policy, self.params, {}).evaluate(expr)

    def _in_ranges(self, field: ir.Field, ranges: ir.Ranges) -> Logic:
        return _or([self._in_range(field, lo, hi) for lo, hi in ranges])

    def _in_range(self, field: ir.Field, lo: int, hi: int) -> Logic:
        read = {"var": field.name}
        if field.kind in (ir.Kind.NUMBER, ir.Kind.TIME, ir.Kind.DURATION):
            _refuse_inexact(field, None)
        match field.kind:
            case ir.Kind.BOOL:
                return True if lo < hi else {"===": [read, bool(lo)]}
            case ir.Kind.ENUM:
                words = list(field.members[lo : hi + 1])
                return {"===": [read, words[0]]} if lo == hi else {"in": [read, words]}
            case _:
                return _interval(read, field, lo, hi)

    def _set_test(self, field: ir.Field, op: ir.SetOp, mask: int) -> Logic:
        read = {"var": field.name}
        words = [word for i, word in enumerate(field.members) if mask >> i & 1]
        has = [{"in": [word, read]} for word in words]
        match op:
            case ir.SetOp.ANY:
                return _or(has)
            case ir.SetOp.ALL:
                return _and(has)
            case ir.SetOp.WITHIN:
                return _and([_not({"in": [w, read]}) for w in field.members if w not in words])
            case _:
                assert_never(op)

    def _text_test(self, field: ir.Field, pattern: ir.Pattern, span: Span | None) -> Logic:
        read = {"var": field.name}
        match pattern.kind:
            case ir.PatternKind.LITERAL:
                return {"===": [read, pattern.text]}
            case ir.PatternKind.UNDER:
                return _begins(read, pattern.text, span)
            case ir.PatternKind.GLOB:
                return _glob(read, pattern.text, field.separator, span)
            case _:
                assert_never(pattern.kind)

    # --- numbers ------------------------------------------------------------------------------

    def number(self, expr: ir.IntExpr, span: Span | None) -> Logic:
        """An integer expression, in steps; every part is exact in a double."""
        match expr:
            case ir.IntConst(value=value):
                return _exact(value, span)
            case ir.ParamValue(name=name):
                return _exact(self.params[name], span)
            case ir.FieldValue(name=name):
                return self._steps(self.policy.field(name), span)
            case ir.Arith(op=op, left=left, right=right):
                word = {"least": "min", "greatest": "max"}.get(op.value, op.value)
                return {word: [self.number(left, span), self.number(right, span)]}
            case ir.FloorDiv(dividend=dividend, divisor=divisor):
                return _floor_div(self.number(dividend, span), divisor)
            case ir.Choose(condition=condition, then=then, otherwise=otherwise):
                branches = [self.number(then, span), self.number(otherwise, span)]
                return _if([self.condition(condition), *branches])
            case _:
                assert_never(expr)

    def _steps(self, field: ir.Field, span: Span | None) -> Logic:
        if field.kind in (ir.Kind.ENUM, ir.Kind.SET):
            raise _cannot(f"arithmetic on `{field.name}`", span, None)
        _refuse_inexact(field, span)
        step = Fraction(field.step_num, field.step_den)
        if step.denominator != 1:
            help_line = "compare the field with constants, or give it whole steps"
            raise _cannot(f"arithmetic on the fractions of `{field.name}`", span, help_line)
        read: Logic = {"var": [field.name, 0]} if field.optional else {"var": field.name}
        read = _if([read, 1, 0]) if field.kind is ir.Kind.BOOL else read
        return read if step == 1 else _floor_div(read, step.numerator)


def _refuse_inexact(field: ir.Field, span: Span | None) -> None:
    """Numbers there are doubles, compared as they come."""
    if field.rounding is not ir.Rounding.EXACT:
        raise _cannot(f"the rounding of `{field.name}`", span or field.span, None)
    if max(abs(field.lo), abs(field.hi)) * field.step_num >= DIGITS_MAX:
        raise _cannot(
            f"the range of `{field.name}`", span or field.span, "15 digits are exact there"
        )


def _interval(read: Logic, field: ir.Field, lo: int, hi: int) -> Logic:
    """A number between two constants; decimal constants compare right, since reading is monotonic."""
    low, high = (decimal(end, field) for end in (lo, hi))
    if lo == hi:
        return {"===": [read, low]}
    if lo <= field.lo:
        return True if hi >= field.hi else {"<=": [read, high]}
    return {">=": [read, low]} if hi >= field.hi else {"<=": [low, read, high]}


def _glob(read: Logic, glob: str, separator: str, span: Span | None) -> Logic:
    """A glob with its only star at the end."""
    stem = glob.rstrip("*")
    stars = len(glob) - len(stem)
    if "*" in stem or stars > 2:
        raise _cannot(
            f"the glob `{glob}`", span, "only globs with one star at the end can be written"
        )
    if not stars:
        return {"===": [read, glob]}
    begins = _begins(read, stem, span)
    if stars == 2:
        return begins
    rest = {"substr": [read, len(stem)]}
    return _and([begins, _not({"in": [separator, rest]})])


def _begins(read: Logic, prefix: str, span: Span | None) -> Logic:
    if not prefix:
        return True
    if max(prefix) > "\uffff":
        raise _cannot(f"the prefix `{prefix}`", span, "engines count such characters differently")
    return {"===": [{"substr": [read, 0, len(prefix)]}, prefix]}


def _floor_div(dividend: Logic, divisor: int) -> Logic:
    """Floor division from the truncating remainder that JSON-Logic has."""
    if divisor < 0:
        return _floor_div({"-": [dividend]}, -divisor)
    remainder = {"%": [{"+": [{"%": [dividend, divisor]}, divisor]}, divisor]}
    return {"/": [{"-": [dividend, remainder]}, divisor]}


def _exact(value: int, span: Span | None) -> int:
    if abs(value) >= EXACT_MAX:
        raise _cannot(f"the number {value}", span, "numbers there are exact up to 2**53")
    return value


def _if(branches: Sequence[Logic]) -> Logic:
    return branches[0] if len(branches) == 1 else {"if": list(branches)}


def _and(parts: Iterable[Logic]) -> Logic:
    kept = [part for part in parts if part is not True]
    return True if not kept else kept[0] if len(kept) == 1 else {"and": kept}


def _or(parts: Iterable[Logic]) -> Logic:
    kept = [part for part in parts if part is not False]
    return False if not kept else kept[0] if len(kept) == 1 else {"or": kept}


def _not(part: Logic) -> Logic:
    return (not part) if isinstance(part, bool) else {"!": [part]}


def _cannot(what: str, span: Span | None, help: str | None) -> GovError:  # noqa: A002  # the word of the format
    return fail(CANNOT, f"{what} cannot be said in JSON-Logic", span, help=help)
