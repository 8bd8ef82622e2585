"""What the parser makes of each rule of `policy.lark`: the nodes of the syntax tree.

In: a span and the children that the rule's plan names. Out: nodes of `ast`. The form that the
grammar leaves open is tested here: clauses missing or said twice (GOV113), rows that do not fit
their table (GOV114), the language's version (GOV112). A method is named after its rule or alias.
"""

from __future__ import annotations

from govlang.dsl import ast
from govlang.dsl.diagnostics import did_you_mean
from govlang.dsl.keywords import EFFECTS
from govlang.dsl.machine_builder import When
from govlang.dsl.record import record
from govlang.dsl.source import Span
from govlang.dsl.step_builder import StepBuilder
from govlang.dsl.table_rows import RawCell, RawRow, Result, typed_rows

LANGUAGE_VERSION = 1

ALLOW = ast.Decision(ast.Effect.ALLOW)


@record
class _Because:
    text: ast.String
    span: Span


@record
class _Overrides:
    names: tuple[ast.Name, ...]
    span: Span


_Clause = When | ast.Decision | _Because | ast.Remedy | _Overrides
_CLAUSES: dict[type, str] = {
    When: "when",
    _Because: "because",
    ast.Remedy: "remedy",
    _Overrides: "overrides",
}


class Builder(StepBuilder):
    """Builds files, rules and tables; its bases build what stands in them."""

    # --- files ---

    def file(
        self, span: Span, header: ast.Header | None, *declarations: ast.Declaration
    ) -> ast.Policy:
        return ast.Policy(header, declarations, (), span)

    def header(self, span: Span, language: str, name: ast.Name, version: ast.String) -> ast.Header:
        if language != str(LANGUAGE_VERSION):
            self.found.error(
                "GOV112",
                f"language {language} is not known to this compiler",
                span,
                help=f"write `language {LANGUAGE_VERSION}`, or use a newer govlang",
            )
        return ast.Header(LANGUAGE_VERSION, name, version, span)

    # --- small declarations ---

    def combine(self, span: Span, word: str) -> ast.CombineDecl:
        return ast.CombineDecl(ast.Combine(word), span)

    def combining(self, _span: Span, word: str) -> str:
        return word

    def default(self, span: Span, word: str) -> ast.DefaultDecl:
        return ast.DefaultDecl(None if word == "none" else ast.Effect(word), span)

    def default_effect(self, _span: Span, word: str) -> str:
        return word

    def tiers(self, span: Span, names: tuple[ast.Name, ...]) -> ast.TiersDecl:
        return ast.TiersDecl(names, span)

    def tier(
        self, span: Span, name: ast.Name, when: ast.Expr | None, *members: ast.Rule | ast.Table
    ) -> ast.TierBlock:
        return ast.TierBlock(name, when, members, span)

    def input(self, span: Span, *fields: ast.Field) -> ast.InputDecl:
        return ast.InputDecl(fields, span)

    def output(self, span: Span, name: ast.Name, type_: ast.Type) -> ast.OutputDecl:
        return ast.OutputDecl(ast.Field(name, type_, span=span), span)

    def action(self, span: Span, name: ast.Name, *fields: ast.Field) -> ast.ActionDecl:
        return ast.ActionDecl(name, fields, span)

    def let(self, span: Span, name: ast.Name, value: ast.Expr) -> ast.LetDecl:
        return ast.LetDecl(name, value, span)

    def param(
        self, span: Span, name: ast.Name, type_: ast.Type, default: ast.Literal
    ) -> ast.ParamDecl:
        return ast.ParamDecl(name, type_, default, span)

    def assume(self, span: Span, condition: ast.Expr) -> ast.AssumeDecl:
        return ast.AssumeDecl(condition, span)

    def accept(
        self, span: Span, code: ast.Name, names: tuple[ast.Name, ...], because: ast.String
    ) -> ast.AcceptDecl:
        return ast.AcceptDecl(code, names, because, span)

    def import_(self, span: Span, path: ast.String) -> ast.ImportDecl:
        return ast.ImportDecl(path, span)

    def time_zone(self, span: Span, zone: ast.String) -> ast.TimeZoneDecl:
        return ast.TimeZoneDecl(zone, span)

    def longest_window(self, span: Span, duration: ast.Number) -> ast.LongestWindowDecl:
        return ast.LongestWindowDecl(duration, span)

    def invariant(
        self, span: Span, name: ast.Name | ast.String, condition: ast.Expr
    ) -> ast.Invariant:
        return ast.Invariant(self.label(name), condition, span)

    def prove(self, span: Span, name: ast.Name | ast.String, claim: ast.Expr) -> ast.Prove:
        return ast.Prove(self.label(name), claim, span)

    # --- fields and types ---

    def field(self, span: Span, name: ast.Name, type_: ast.Type, *modifiers: str) -> ast.Field:
        for i, modifier in enumerate(modifiers):
            if modifier in modifiers[:i]:
                self.twice(modifier, f"the field `{name.text}`", span)
        return ast.Field(
            name,
            type_,
            "optional" in modifiers,
            "from runtime" in modifiers,
            "private" in modifiers,
            span,
        )

    def modifier(self, _span: Span, *words: str) -> str:
        return " ".join(words)

    def number_type(
        self,
        span: Span,
        low: ast.Number,
        high: ast.Number,
        step: ast.Number | None,
        rounding: str | None,
    ) -> ast.NumberType:
        low, high = self.same_unit(low, high)
        rounded = None if rounding is None else ast.Rounding(rounding)
        return ast.NumberType(low, high, step, rounded, span)

    def rounding(self, _span: Span, word: str) -> str:
        return word

    def enum_type(self, span: Span, members: tuple[ast.Name, ...]) -> ast.EnumType:
        return ast.EnumType(members, span)

    def set_type(self, span: Span, members: tuple[ast.Name, ...]) -> ast.SetType:
        return ast.SetType(members, span)

    def plain_type(self, span: Span, word: str) -> ast.PlainType:
        return ast.PlainType(ast.Plain(word), span)

    def text_type(self, span: Span, kind: str, max_bytes: str | None) -> ast.TextType:
        size = None if max_bytes is None else ast.Number(max_bytes, None, span)
        return ast.TextType(kind == "path", size, span)

    def text_kind(self, _span: Span, word: str) -> str:
        return word

    # --- rules ---

    def rule(self, span: Span, name: ast.Name | ast.String, *clauses: _Clause) -> ast.Rule:
        label = self.label(name)
        said: dict[type, _Clause] = {}
        for clause in clauses:
            if type(clause) in said and isinstance(clause, ast.Decision):
                help_ = "keep one; add obligations with `and do ACTION`"
                self.found.error(
                    "GOV113", f"the rule `{label.text}` has two effects", clause.span, help=help_
                )
            elif type(clause) in said:
                self.twice(_CLAUSES[type(clause)], f"the rule `{label.text}`", clause.span)
            said.setdefault(type(clause), clause)
        when, decision = said.get(When), said.get(ast.Decision)
        because, remedy, overrides = said.get(_Because), said.get(ast.Remedy), said.get(_Overrides)
        if not isinstance(decision, ast.Decision):
            self._no_effect(label, when)
            decision = ALLOW
        return ast.Rule(
            label,
            when.condition if isinstance(when, When) else None,
            decision,
            because.text if isinstance(because, _Because) else None,
            remedy if isinstance(remedy, ast.Remedy) else None,
            overrides.names if isinstance(overrides, _Overrides) else (),
            span,
        )

    def _no_effect(self, name: ast.Name, when: _Clause | None) -> None:
        last = when.span.text.split()[-1] if when is not None and when.span.text else ""
        near = did_you_mean(last, EFFECTS) if last.isalpha() else None
        self.found.error(
            "GOV113",
            f"the rule `{name.text}` has no effect",
            name.span,
            help=near
            or "add `allow`, `limit FIELD to VALUE`, `throttle`, `require human` or `deny`",
        )

    def because(self, span: Span, text: ast.String) -> _Because:
        return _Because(text, span)

    def remedy(
        self, span: Span, text: ast.String, arguments: tuple[ast.Argument, ...] | None
    ) -> ast.Remedy:
        return ast.Remedy(text, arguments or (), span)

    def overrides(self, span: Span, names: tuple[ast.Name, ...]) -> _Overrides:
        return _Overrides(names, span)

    # --- effects and obligations ---

    def decision(
        self, span: Span, first: ast.Decision | ast.Limit, *more: ast.Obligation
    ) -> ast.Decision:
        if isinstance(first, ast.Limit):
            return ast.Decision(ast.Effect.LIMIT, (first, *more), span)
        return ast.Decision(first.effect, (*first.obligations, *more), span)

    def allow(self, span: Span, _word: str) -> ast.Decision:
        return ast.Decision(ast.Effect.ALLOW, (), span)

    def deny(self, span: Span, _word: str) -> ast.Decision:
        return ast.Decision(ast.Effect.DENY, (), span)

    def throttle(self, span: Span, retry: ast.Number | None) -> ast.Decision:
        obligations = () if retry is None else (ast.Retry(retry, span),)
        return ast.Decision(ast.Effect.THROTTLE, obligations, span)

    def require(
        self, span: Span, roles: tuple[ast.Name, ...] | None, expires: ast.Number | None
    ) -> ast.Decision:
        require = ast.Require(roles or (), expires, span)
        return ast.Decision(ast.Effect.REQUIRE_HUMAN, (require,), span)

    def limit(
        self, span: Span, name: ast.Name, first: ast.Expr, second: ast.Expr | None
    ) -> ast.Limit:
        if second is None:
            return ast.Limit(name, None, first, span)
        low, high = self.same_unit_expressions(first, second)
        return ast.Limit(name, low, high, span)

    def also(self, _span: Span, obligation: ast.Obligation) -> ast.Obligation:
        return obligation

    also_limit = also

    def do(
        self,
        span: Span,
        action: ast.Name,
        arguments: tuple[ast.Argument, ...] | None,
        duration: ast.Number | None,
    ) -> ast.Do:
        return ast.Do(action, arguments or (), duration, span)

    # --- tables ---

    def table(
        self,
        span: Span,
        name: ast.Name,
        columns: tuple[ast.Name, ...],
        result: Result,
        because: ast.String | None,
        rows: tuple[RawRow, ...] | ast.String,
    ) -> ast.Table:
        if isinstance(rows, ast.String):
            csv, here = rows, tuple[ast.TableRow, ...]()
        else:
            csv, here = None, typed_rows(name, columns, result, rows, self.found)
        return ast.Table(name, columns, result.limit, result.has_because, because, csv, here, span)

    def limit_result(self, span: Span, name: ast.Name) -> Result:
        return Result(name, has_because=False, span=span)

    def decision_result(self, span: Span) -> Result:
        return Result(None, has_because=False, span=span)

    def decision_because_result(self, span: Span) -> Result:
        return Result(None, has_because=True, span=span)

    def table_rows(self, _span: Span, *rows: RawRow) -> tuple[RawRow, ...]:
        return rows

    def table_csv(self, _span: Span, path: ast.String) -> ast.String:
        return path

    def row(self, span: Span, *cells: RawCell) -> RawRow:
        return RawRow(cells, span)

    def cell_source(self, _span: Span, cell: RawCell) -> RawCell:
        return cell
