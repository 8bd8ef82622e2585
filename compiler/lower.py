"""A program of many declarations to one checked policy.

In: declarations with imports in place.  Out: `Checked`, or `GovError` with everything that is wrong
with names, types, units, ranges, flow, tiers, overrides, tests and acceptances.

INVARIANT: a policy comes out only if no error was found; so every integer node has been held
against int64 (when it was made, and once more when all is done), and every read of an optional field
is guarded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from govlang.compiler import desugar, ir
from govlang.compiler.check import Checker
from govlang.compiler.checked import ACCEPTABLE, Accept, Checked
from govlang.compiler.desugar import Draft
from govlang.compiler.effects import Effects
from govlang.compiler.fields import lasting
from govlang.compiler.flow import Fields
from govlang.compiler.imports import Program
from govlang.compiler.intervals import check_policy
from govlang.compiler.literals import literal_value
from govlang.compiler.overrides import SUGGESTIONS_MAX, Overrides, overrides_of
from govlang.compiler.refusal import RefusalError, listed
from govlang.compiler.resolve import RESERVED_RULES, Resolver, Scope, unique, unknown
from govlang.compiler.testcases import Tests
from govlang.compiler.types import Condition
from govlang.compiler.values import effect_of
from govlang.dsl import ast
from govlang.dsl.codes import CODES
from govlang.dsl.diagnostics import Diagnostics, Note, did_you_mean, in_order
from govlang.dsl.expression_text import expression
from govlang.dsl.source import Span

if TYPE_CHECKING:
    from govlang.compiler.state_uses import Use

Kind = TypeVar("Kind")


def lower_policy(program: Program) -> Checked:
    """Check and lower everything that a policy declares.

    Raises:
        GovError: every error found, GOV2xx.
    """
    return _Lowering(program).run()


@dataclass(slots=True)
class _Lowering:
    program: Program
    found: Diagnostics = field(default_factory=Diagnostics)
    tier_conditions: dict[int, Condition | None] = field(default_factory=dict)

    def run(self) -> Checked:
        scope = self._scope()
        self._longest_window(scope)
        self._starts(scope)
        checker = Checker(scope, self.found)
        checker.lets.prepare()
        self._sound_needs(scope)
        assumptions, facts = self._assumptions(checker)
        combine, default, time_zone = self._combine(), self._default(), self._time_zone()
        drafts = list(desugar.drafts(self.program.declarations, scope, self.found))
        tables = {table.name.text: desugar.row_ids(table) for table in self._tables()}
        self._check_rule_names(drafts)
        overrides = overrides_of(drafts, tables, tuple(scope.tiers), combine, self.found)
        effects = Effects(checker)
        rules = [self._rule(draft, checker, effects, facts, overrides) for draft in drafts]
        properties = self._properties(checker, facts)
        params = self._params(scope)
        names = {draft.id: None for draft in drafts}
        cases = tuple(map(Tests(scope, names, self.found).case, self._all(ast.Test)))
        accepts = self._accepts({p.name for p in properties} | set(names), tables)
        remembered = self._remembered(checker, drafts)
        uses = () if remembered is None else _uses(checker, remembered)
        scope.roles.check(self.found)
        self.found.raise_errors()
        header = self.program.header
        policy = ir.Policy(
            header.name.text,
            header.version.value,
            header.language,
            combine,
            default,
            _fields(scope),
            tuple(sorted(rules, key=lambda rule: rule.tier)),
            tuple(scope.outputs.values()),
            tuple(scope.actions.values()),
            params,
            assumptions,
            properties,
            tuple(scope.tiers),
            time_zone=time_zone,
            time=remembered,
        )
        check_policy(policy)
        sources, warnings = self.program.sources, in_order(self.found)
        words = None if remembered is None else checker.temporal.memory.words()
        return Checked(policy, cases, accepts, sources, warnings, uses, words)

    def _scope(self) -> Scope:
        resolver = Resolver(self.found)
        for declaration in self.program.declarations:
            resolver.take(declaration)
        if any("reserved" in source.text for source in self.program.sources):
            from govlang.compiler.reservations import enter_reservations

            enter_reservations(resolver.scope, self.program.declarations, self.found)
        return resolver.scope

    def _remembered(self, checker: Checker, drafts: Sequence[Draft]) -> ir.Time | None:
        if not checker.is_over_time:
            return None
        from govlang.compiler.remembered import lower_time
        from govlang.compiler.window_sides import check_sides

        check_sides(drafts, checker.scope.lets, self.found)
        written = (expr for draft in drafts for expr in (draft.tier_condition, draft.condition))
        return lower_time(checker, [expr for expr in written if expr is not None])

    # --- declarations of which there is one ---

    def _all(self, kind: type[Kind]) -> Iterator[Kind]:
        return (one for one in self.program.declarations if isinstance(one, kind))

    def _tables(self) -> Iterator[ast.Table]:
        for declaration in self.program.declarations:
            match declaration:
                case ast.Table():
                    yield declaration
                case ast.TierBlock(members=members):
                    yield from (member for member in members if isinstance(member, ast.Table))
                case _:
                    pass

    def _only(self, kind: type[Kind], word: str) -> Kind | None:
        written = list(self._all(kind))
        for extra in written[1:]:
            self.found.error(
                "GOV233",
                f"`{word}` is written twice",
                _span_of(extra),
                help="remove one",
                notes=(Note("the first stands here", _span_of(written[0])),),
            )
        return written[0] if written else None

    def _combine(self) -> ir.Combine:
        self._only(ast.TiersDecl, "tiers")
        written = self._only(ast.CombineDecl, "combine")
        return ir.Combine(written.combine.value) if written else ir.Combine.STRICT

    def _default(self) -> ir.Default:
        written = self._only(ast.DefaultDecl, "default")
        if written is None:
            return ir.Default.DENY
        return ir.Default(written.effect.value) if written.effect else ir.Default.NONE

    def _time_zone(self) -> str | None:
        written = self._only(ast.TimeZoneDecl, "time zone")
        return written.zone.value if written else None

    def _longest_window(self, scope: Scope) -> None:
        """The bound of every window."""
        written = self._only(ast.LongestWindowDecl, "longest window")
        if written is None:
            return
        try:
            scope.time.longest_ms = lasting(written.duration, scope.units, "leave it out for 24 h")
        except RefusalError as refusal:
            self.found.add(refusal.diagnostic)

    def _sound_needs(self, scope: Scope) -> None:
        """Leave out what contracts need and cannot be asked; it is reported."""
        if scope.time.contracts:
            from govlang.compiler.needs import with_sound_needs

            sound = with_sound_needs(self.program.declarations, scope, self.found)
            self.program = replace(self.program, declarations=sound)

    def _starts(self, scope: Scope) -> None:
        """The values of signals before their first sample."""
        for name, signal in scope.time.signals.items():
            if signal.initial is None:
                continue
            try:
                start = literal_value(signal.initial, signal.cell, scope.units)
            except RefusalError as refusal:
                self.found.add(refusal.diagnostic)
                start = signal.column.lo
            assert isinstance(start, int), "no signal is a text"
            scope.time.signals[name] = replace(signal, start=start)

    # --- claims ---

    def _assumptions(self, checker: Checker) -> tuple[tuple[ir.Assumption, ...], Fields]:
        """The assumptions, each of which may rely on those before, and what they make present."""
        facts: Fields = frozenset()
        found: list[ir.Assumption] = []
        for one in self._all(ast.AssumeDecl):
            condition = checker.condition(one.condition, facts)
            if condition is not None:
                self._check_asked(condition.expr, one, checker.scope)
                facts |= condition.flow.when_true
                found.append(ir.Assumption(expression(one.condition), condition.expr, one.span))
        return tuple(found), facts

    def _check_asked(self, holds: ir.BoolExpr, one: ast.AssumeDecl, scope: Scope) -> None:
        """An assumption says what makes a request valid, whatever came before it."""
        if ir.fields_read(holds) <= {*scope.fields, ir.APPROVED}:
            return
        self.found.error(
            "GOV246",
            "an assumption is about a request, and a request is valid whatever came before it",
            one.span,
            help="write a rule that denies instead",
        )

    def _properties(self, checker: Checker, facts: Fields) -> tuple[ir.Property, ...]:
        seen: dict[str, Span] = {}
        found: list[ir.Property] = []
        for one in desugar.proofs(self.program.declarations, checker.scope):
            unique(one.name, seen, "property", self.found)
            possible = isinstance(one.claim, ast.Possible)
            claim = one.claim.condition if isinstance(one.claim, ast.Possible) else one.claim
            condition = checker.condition(claim, facts, in_proof=True)
            if condition is not None:
                found.append(ir.Property(one.name.text, condition.expr, possible, one.span))
        return tuple(found)

    def _params(self, scope: Scope) -> tuple[ir.Param, ...]:
        found: list[ir.Param] = []
        for one in self._all(ast.ParamDecl):
            declared = scope.params.get(one.name.text)
            if declared is None:
                continue
            try:
                value = literal_value(one.default, declared, scope.units)
            except RefusalError as refusal:
                self.found.add(refusal.diagnostic)
                continue
            assert isinstance(value, int), "no parameter is a text"
            found.append(ir.Param(declared, value))
        return tuple(found)

    # --- rules ---

    def _check_rule_names(self, drafts: Iterable[Draft]) -> None:
        seen: dict[str, Span] = {}
        names = [*(_draft_name(d) for d in drafts), *(table.name for table in self._tables())]
        for name in names:
            if name.text in RESERVED_RULES:
                message = (
                    f"no rule may be called `{name.text}`, which outcomes use when none decided"
                )
                self.found.error("GOV203", message, name.span, help="use another name")
            unique(name, seen, "rule", self.found)

    def _rule(
        self, draft: Draft, checker: Checker, effects: Effects, facts: Fields, overrides: Overrides
    ) -> ir.Rule:
        """A rule; what was refused in it is reported and left out, since no policy comes of it."""
        parts: list[ir.BoolExpr] = []
        known, fine = facts, True
        for expr in (draft.tier_condition, draft.condition):
            if expr is None:
                continue
            condition = self._condition(draft, expr, checker, known)
            if condition is None:
                fine = False
            else:
                known |= condition.flow.when_true
                parts.append(condition.expr)
        if not fine:
            known = frozenset(checker.scope.fields)  # what the condition guards is not known
        obligations = effects.obligations(draft.decision, known)
        remedy = effects.remedy(draft.remedy, known)
        return ir.Rule(
            draft.id,
            ir.conjunction(parts, draft.span),
            effect_of(draft.decision.effect),
            draft.tier,
            draft.kind,
            tuple(obligations.limits),
            tuple(obligations.dos),
            obligations.roles,
            obligations.expires_ms,
            obligations.retry_ms,
            draft.because,
            remedy,
            overrides.get(draft.id, ()),
            draft.span,
        )

    def _condition(
        self, draft: Draft, expr: ast.Expr, checker: Checker, known: Fields
    ) -> Condition | None:
        """A condition of a rule; that of its tier block is checked once for all its rules."""
        if expr is not draft.tier_condition:
            return checker.condition(expr, known)
        if id(expr) not in self.tier_conditions:
            self.tier_conditions[id(expr)] = checker.condition(expr, known)
        return self.tier_conditions[id(expr)]

    # --- acceptances ---

    def _accepts(self, names: set[str], tables: dict[str, tuple[str, ...]]) -> tuple[Accept, ...]:
        found: list[Accept] = []
        for one in self._all(ast.AcceptDecl):
            if one.code.text not in ACCEPTABLE:
                self._refuse_accept(one.code)
            for name in one.names:
                rows = tables.get(name.text, (name.text,))
                if name.text not in names and name.text not in tables and name.text != "default":
                    near = (*sorted(names), *tables) if len(self.found) < SUGGESTIONS_MAX else ()
                    refusal = unknown("rule or property", name, near)
                    self.found.add(replace(refusal.diagnostic, code="GOV229"))
                found += [Accept(one.code.text, row, one.because.value, name.span) for row in rows]
        return tuple(found)

    def _refuse_accept(self, code: ast.Name) -> None:
        known = code.text in CODES and code.text.startswith("GOV3")
        self.found.error(
            "GOV229",
            f"`{code.text}` cannot be accepted in a policy"
            if known
            else f"`gov verify` has no finding `{code.text}`",
            code.span,
            help=(None if known else did_you_mean(code.text, ACCEPTABLE))
            or f"write {listed(ACCEPTABLE, 12)}",
        )


def _fields(scope: Scope) -> tuple[ir.Field, ...]:
    """The declared fields, then `approved` where the policy names roles."""
    roles = scope.roles.names
    approved = ir.Field(
        ir.APPROVED,
        ir.Kind.SET,
        hi=2 ** len(roles) - 1,
        members=roles,
        origin=ir.Origin.RUNTIME,
        implied=0,
    )
    return (*scope.fields.values(), *([approved] if roles or scope.roles.asked else []))


def _uses(checker: Checker, time: ir.Time) -> tuple[Use, ...]:
    from govlang.compiler.state_uses import uses_of

    return tuple(uses_of(time, checker.scope.time, checker.temporal.operators))


def _draft_name(draft: Draft) -> ast.Name:
    return ast.Name(draft.id, draft.name_span)


def _span_of(declaration: object) -> Span:
    span = getattr(declaration, "span", None)
    assert isinstance(span, Span)
    return span
