"""JSON-Logic in, a policy out: one expression becomes the condition of one rule, typed by a schema.

The comparison, logic, arithmetic, `in`, `if`, `var` and `missing` part of JSON-Logic is carried over.
What always holds: the result means what the expression means for every valid request; what leans on
JavaScript's conversions (`"1" == 1`, the truth of a number, a comparison with null) is refused with its
JSON path, and so is every operator that has no counterpart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

from govlang.compiler.importers.logic_errors import (
    at_least,
    cannot,
    coerces,
    exactly,
    operation,
    wrong,
)
from govlang.compiler.importers.logic_types import Kind, Schema, constant_kind, kind_of, unit_of
from govlang.compiler.importers.trees import (
    any_of,
    header,
    members,
    name,
    negated,
    number,
    policy_name,
)
from govlang.dsl import ast
from govlang.dsl.diagnostics import did_you_mean

RULE: Final = "imported"
DIGITS_MAX: Final = 64
"""Of a number: a field's ends and step need fewer, so a longer one is a slip and not a bound."""

WORDS: Final = {
    "<": "<", "<=": "<=", ">": ">", ">=": ">=", "==": "==", "===": "==", "!=": "!=", "!==": "!=",
}  # fmt: skip
ENUMERATED: Final = ast.EnumType | ast.SetType
Present = frozenset[str]
"""Optional fields that are known to have a value where an expression stands."""


def import_jsonlogic(
    logic: Any, fields: Sequence[ast.Field], stem: str, when_true: ast.Effect = ast.Effect.ALLOW
) -> ast.Policy:
    """The policy with one rule that fires where the expression is true; elsewhere the opposite holds.

    Raises:
        GovError: GOV601 something cannot be carried over · GOV602 an unknown field or operator · GOV605
            an operator with the wrong arguments.
    """
    condition = Translation(fields).condition(logic, "$", frozenset())
    otherwise = ast.Effect.DENY if when_true is ast.Effect.ALLOW else ast.Effect.ALLOW
    return ast.Policy(
        header(policy_name(stem)),
        (
            ast.DefaultDecl(otherwise),
            ast.InputDecl(tuple(fields)),
            ast.Rule(name(RULE), condition, ast.Decision(when_true)),
        ),
    )


class Translation:
    """Translates expressions over the fields of one schema."""

    def __init__(self, fields: Sequence[ast.Field]) -> None:
        self.schema = Schema(fields)

    # --- conditions ---------------------------------------------------------------------------

    def condition(self, node: Any, at: str, present: Present) -> ast.Expr:
        """A condition: a bool, a comparison, or logic over such.

        Raises:
            GovError: it cannot be carried over.
        """
        if isinstance(node, bool):
            return ast.Bool(node)
        op, args = operation(node, at)
        path = f"{at}.{op}"
        match op:
            case "and":
                return self._conjunction(args, path, present)
            case "or":
                return self._disjunction(args, path, present)
            case "!" | "!!":
                inner = self._negatable(exactly(args, 1, path)[0], path, present)
                return negated(inner) if op == "!" else inner
            case "if" | "?:":
                return self._choice(args, path, present, self.condition)
            case "in":
                return self._membership(args, path, present)
            case "var":
                return self._flag(node, args, at, present)
            case "missing":
                raise coerces(
                    at, "the truth of a list", 'write `{"!": {"missing": […]}}` around it'
                )
            case _ if op in WORDS:
                return self._comparison(op, args, path, present)
            case _:
                raise cannot(
                    at, f"`{op}` gives no truth value", "compare its result with something"
                )

    def _negatable(self, node: Any, at: str, present: Present) -> ast.Expr:
        """The operand of `!` and `!!`, where a `missing` list counts as true if it holds anything."""
        if isinstance(node, dict) and list(node) == ["missing"]:
            return any_of(
                [negated(ast.Has(name(f))) for f in self._optional_names(node["missing"], at)]
            )
        return self.condition(node, at, present)

    def _optional_names(self, node: Any, at: str) -> list[str]:
        names = node if isinstance(node, list) else [node]
        found = [self.schema.field(one, f"{at}.missing") for one in names]
        always = [f.name.text for f in found if not f.optional]
        if always or not found:
            shown = f"`{always[0]}` is never missing" if always else "`missing` names no field"
            raise cannot(
                f"{at}.missing", shown, "name only fields that are `optional` in the schema"
            )
        return [f.name.text for f in found]

    def _conjunction(self, args: list[Any], at: str, present: Present) -> ast.Expr:
        parts: list[ast.Expr] = []
        for index, arg in enumerate(at_least(args, 1, at)):
            parts.append(self.condition(arg, f"{at}[{index}]", present))
            present |= self._shown_present(arg)
        return parts[0] if len(parts) == 1 else ast.Logical("and", tuple(parts))

    def _disjunction(self, args: list[Any], at: str, present: Present) -> ast.Expr:
        parts: list[ast.Expr] = []
        for index, arg in enumerate(at_least(args, 1, at)):
            place = f"{at}[{index}]"
            if isinstance(arg, dict) and list(arg) == ["missing"]:
                parts.append(self._negatable(arg, place, present))
                present |= frozenset(self._optional_names(arg["missing"], place))
            else:
                parts.append(self.condition(arg, place, present))
        return any_of(parts)

    def _shown_present(self, node: Any) -> Present:
        """The fields that a true `{"!": {"missing": […]}}` shows to have values."""
        match node:
            case {"!": {"missing": names}} | {"!": [{"missing": names}]}:
                listed = names if isinstance(names, list) else [names]
                return frozenset(one for one in listed if isinstance(one, str))
            case _:
                return frozenset()

    def _flag(self, node: Any, args: list[Any], at: str, present: Present) -> ast.Expr:
        expr = self.value(node, at, present, None)
        if self.schema.kind(args[0] if args else None) is not Kind.BOOL:
            raise coerces(at, "the truth of a value that is no bool", "compare it with something")
        return expr

    def _choice(
        self,
        args: list[Any],
        at: str,
        present: Present,
        branch: Callable[[Any, str, Present], ast.Expr],
    ) -> ast.Expr:
        """`if c then a else if d then b else e`; without an `else` the value would be null."""
        if len(args) < 3 or len(args) % 2 == 0:
            raise wrong(at, "needs a condition, a value and an else", "write the last branch out")
        result = branch(args[-1], f"{at}[{len(args) - 1}]", present)
        for index in range(len(args) - 3, -1, -2):
            condition = self._negatable(args[index], f"{at}[{index}]", present)
            known = present | self._shown_present(args[index])
            result = ast.If(condition, branch(args[index + 1], f"{at}[{index + 1}]", known), result)
        return result

    # --- comparisons --------------------------------------------------------------------------

    def _comparison(self, op: str, args: list[Any], at: str, present: Present) -> ast.Expr:
        if len(args) == 3 and op in {"<", "<="}:
            low = self._comparison(op, args[:2], at, present)
            return ast.Logical("and", (low, self._comparison(op, args[1:], at, present)))
        left, right = exactly(args, 2, at)
        if left is None or right is None:
            return self._null_test(op, left if right is None else right, at)
        guards = self._guards((left, right), at, present)
        known = present | frozenset(guards)
        test = self._typed_comparison(op, left, right, at, known)
        return self._guarded(test, op, guards, at)

    def _null_test(self, op: str, node: Any, at: str) -> ast.Expr:
        field = self.schema.plain_var(node)
        if field is None or op not in {"==", "===", "!=", "!=="}:
            raise coerces(at, "a comparison with null", "use `missing`")
        self._optional_names(field, at)
        has = ast.Has(name(field))
        return has if op.startswith("!") else negated(has)

    def _guards(self, sides: Sequence[Any], at: str, present: Present) -> list[str]:
        """The optional fields that a comparison reads as a whole side and that may be missing."""
        found = []
        for side in sides:
            field = self.schema.plain_var(side)
            if field is not None and field not in present and self.schema.field(field, at).optional:
                found.append(field)
        return found

    def _guarded(self, test: ast.Expr, op: str, guards: list[str], at: str) -> ast.Expr:
        """JSON-Logic compares null where a value is missing: unequal to everything that is no null."""
        if not guards:
            return test
        if op in {"==", "==="}:
            return ast.Logical("and", (*(ast.Has(name(g)) for g in guards), test))
        if op in {"!=", "!=="}:
            return ast.Logical("or", (*(negated(ast.Has(name(g))) for g in guards), test))
        way = f'guard it with `{{"!": {{"missing": ["{guards[0]}"]}}}}` in an `and`'
        raise coerces(at, f"the comparison of `{guards[0]}` where it is missing", way)

    def _typed_comparison(
        self, op: str, left: Any, right: Any, at: str, present: Present
    ) -> ast.Expr:
        kinds = {self.schema.kind(left), self.schema.kind(right)} - {None}
        word = WORDS[op]
        if self.schema.kind(left) is None and self.schema.kind(right) is None:
            raise cannot(at, "neither side reads a field", "write true or false")
        constant = right if self.schema.is_constant(right) else left
        if Kind.ENUM in kinds and word in {"==", "!="}:
            return self._enum_test(word, left, right, at)
        if kinds == {Kind.BOOL} and word in {"==", "!="}:
            return self._bool_test(word, left, right, at, present)
        if kinds == {Kind.NUMBER} and self.schema.fits(constant, Kind.NUMBER):
            unit = unit_of(self.schema.any_field(left), self.schema.any_field(right))
            return self._compare(word, left, right, at, present, unit)
        if kinds == {Kind.TEXT} and word in {"==", "!="} and self.schema.fits(constant, Kind.TEXT):
            return self._compare(word, left, right, at, present, None)
        raise coerces(
            at, "the comparison of these types", "compare numbers with numbers, texts with texts"
        )

    def _compare(
        self, word: str, left: Any, right: Any, at: str, present: Present, unit: str | None
    ) -> ast.Expr:
        sides = (self.value(left, at, present, unit), self.value(right, at, present, unit))
        return ast.Compare(word, sides[0], sides[1])

    def _enum_test(self, word: str, left: Any, right: Any, at: str) -> ast.Expr:
        field, member = self.schema.plain_var(left), right
        if field is None:
            field, member = self.schema.plain_var(right), left
        if field is None or not isinstance(member, str):
            raise coerces(at, "the comparison of these types", "compare an enumeration with a text")
        self._require_members(self.schema.field(field, at), [member], at)
        return ast.Is(name(field), name(member), negated=word == "!=")

    def _bool_test(self, word: str, left: Any, right: Any, at: str, present: Present) -> ast.Expr:
        side, constant = (left, right) if isinstance(right, bool) else (right, left)
        if not isinstance(constant, bool):
            raise cannot(at, "two bools are compared", "write it with `and`, `or` and `!`")
        test = self.condition(side, at, present)
        return test if constant == (word == "==") else negated(test)

    def _membership(self, args: list[Any], at: str, present: Present) -> ast.Expr:
        needle, heap = exactly(args, 2, at)
        field = self.schema.plain_var(heap)
        if field is not None and isinstance(needle, str):
            return self._contains(field, needle, at, present)
        field = self.schema.plain_var(needle)
        if field is None or not isinstance(heap, list):
            raise cannot(at, "`in` needs a field and a list, or a text and a field", None)
        test = self._one_of(field, heap, at)
        return self._guarded(test, "==", self._guards((needle,), at, present), at)

    def _contains(self, field: str, needle: str, at: str, present: Present) -> ast.Expr:
        declared = self.schema.field(field, at)
        guards = self._guards(({"var": field},), at, present)
        match kind_of(declared):
            case Kind.SET:
                self._require_members(declared, [needle], at)
                test: ast.Expr = ast.Contains(name(field), ast.Quantifier.ONE, members([needle]))
            case Kind.TEXT if needle and "*" not in needle:
                test = ast.Like(name(field), ast.String(f"**{needle}**"))
            case _:
                raise cannot(at, f"`{field}` can hold no `{needle}`", None)
        return self._guarded(test, "==", guards, at)

    def _one_of(self, field: str, heap: list[Any], at: str) -> ast.Expr:
        declared = self.schema.field(field, at)
        kind = kind_of(declared)
        if not heap:
            return ast.Bool(False)
        if kind is Kind.ENUM and all(isinstance(item, str) for item in heap):
            self._require_members(declared, heap, at)
            return ast.In(name(field), members(heap))
        if kind is Kind.TEXT and all(isinstance(item, str) for item in heap):
            return ast.In(name(field), ast.SetLiteral(tuple(ast.String(item) for item in heap)))
        if kind is Kind.NUMBER and all(constant_kind(item) is Kind.NUMBER for item in heap):
            unit = unit_of(declared, None)
            literals = tuple(number(_short(item, at), unit) for item in heap)
            return ast.In(name(field), ast.SetLiteral(literals))
        raise coerces(at, "a list of another type", "list values of the field's own type")

    def _require_members(self, field: ast.Field, words: Sequence[str], at: str) -> None:
        """Refuse words that the enumeration or set does not have."""
        known = (
            {m.text for m in field.type.members} if isinstance(field.type, ENUMERATED) else set()
        )
        for word in words:
            if word not in known:
                help_line = did_you_mean(word, known) or "use a member of the schema"
                raise cannot(at, f"`{word}` is no member of `{field.name.text}`", help_line)

    # --- values -------------------------------------------------------------------------------

    def value(self, node: Any, at: str, present: Present, unit: str | None) -> ast.Expr:
        """A number or a text; bare numbers take `unit`; raises `GovError` as `condition` does."""
        if isinstance(node, bool):
            return ast.Bool(node)
        if isinstance(node, int | Decimal):
            return _signed(_short(node, at), unit)
        if isinstance(node, str):
            return ast.String(node)
        op, args = operation(node, at)
        path = f"{at}.{op}"
        match op:
            case "var":
                return self._variable(args, path, present, unit)
            case "if" | "?:":
                return self._choice(args, path, present, lambda n, p, k: self.value(n, p, k, unit))
            case "+" | "-" | "*" | "/":
                return self._arithmetic(op, args, path, present, unit)
            case "min" | "max":
                word = "least" if op == "min" else "greatest"
                _refuse_words(args, path)
                values = [self.value(a, path, present, unit) for a in at_least(args, 1, path)]
                return values[0] if len(values) == 1 else ast.Call(word, tuple(values))
            case _:
                raise cannot(at, f"`{op}` gives no number or text", "known: + - * / min max if var")

    def _variable(self, args: list[Any], at: str, present: Present, unit: str | None) -> ast.Expr:
        if not args or len(args) > 2:
            raise wrong(at, "needs a field's name and at most a default", None)
        field = self.schema.field(args[0], at)
        word = field.name.text
        if not field.optional or word in present:
            return name(word)
        if len(args) < 2 or args[1] is None:
            raise coerces(
                at, f"`{word}` where it is missing", f'give a default: {{"var": ["{word}", …]}}'
            )
        if constant_kind(args[1]) is not kind_of(field):
            raise coerces(at, f"a default of another type than `{word}`", None)
        return ast.If(
            ast.Has(name(word)), name(word), self.value(args[1], f"{at}[1]", present, unit)
        )

    def _arithmetic(
        self, op: str, args: list[Any], at: str, present: Present, unit: str | None
    ) -> ast.Expr:
        if op == "/":
            raise cannot(at, "`/` keeps fractions there and rounds down here", "multiply instead")
        _refuse_words(args, at)
        scales = op == "*" and unit is not None
        values = [
            self.value(a, at, present, None if scales and self.schema.kind(a) is None else unit)
            for a in at_least(args, 1, at)
        ]
        if len(values) == 1:
            if op == "+":
                raise coerces(at, "`+` with one argument", "leave it out")
            return ast.Unary("-", values[0]) if op == "-" else values[0]
        result = values[0]
        for one in values[1:]:
            result = ast.Binary(op, result, one)
        return result


def _refuse_words(args: Sequence[Any], at: str) -> None:
    for arg in args:
        if isinstance(arg, str | bool) or arg is None:
            raise coerces(at, "arithmetic on a text, a bool or null", "use numbers")


def _short(value: int | Decimal, at: str) -> int | Decimal:
    """A number that is worth writing out; `1e999999999` has as many digits as it says."""
    exact = Decimal(value)
    if max(abs(exact.adjusted()), abs(int(exact.as_tuple().exponent))) > DIGITS_MAX:
        raise cannot(at, f"a number has more than {DIGITS_MAX} digits", "round it")
    return value


def _signed(value: int | Decimal, unit: str | None) -> ast.Expr:
    size = number(Decimal(value).copy_abs(), unit)  # `-value` would round to 28 digits
    return ast.Unary("-", size) if value < 0 else size
