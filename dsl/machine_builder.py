"""Nodes of events, signals, machines, contracts and autonomy; between `TimeBuilder` and `Builder`.

In: a span and the children that the rule's plan names. Out: nodes of `ast`. Clauses that are missing
or said twice are reported here (GOV113).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from govlang.dsl import ast
from govlang.dsl.record import record
from govlang.dsl.source import Span
from govlang.dsl.time_builder import TimeBuilder

CALLS = frozenset({"call", "calls"})
"""The units of a contract's bound that count calls."""


@record
class When:
    """`when CONDITION` of a rule or a transition."""

    condition: ast.Expr
    span: Span


@record
class _On:
    events: tuple[ast.Occurrence, ...]
    span: Span


@record
class _After:
    duration: ast.Number
    span: Span


@record
class _May:
    members: tuple[ast.Name, ...]
    span: Span


@record
class _Scope:
    condition: ast.Expr
    span: Span


@record
class _Needs:
    fields: tuple[ast.Name, ...]
    span: Span


@record
class _Revoke:
    events: tuple[ast.Occurrence, ...]
    span: Span


_Clause = _May | _Scope | _Needs | ast.Stop | _Revoke
_WORDS: dict[type, str] = {
    When: "when",
    _On: "on",
    _After: "after",
    _May: "may",
    _Scope: "scope",
    _Needs: "needs",
    ast.Stop: "stop",
    _Revoke: "revoke",
}
_T = TypeVar("_T")


class MachineBuilder(TimeBuilder):
    """Builds what a policy remembers."""

    # --- events and signals ---

    def event(
        self,
        span: Span,
        shared: str | None,
        name: ast.Name,
        after: ast.Name | None,
        fields: tuple[ast.Field, ...] | None,
    ) -> ast.EventDecl:
        return ast.EventDecl(name, fields or (), after, shared is not None, span)

    def event_fields_first(
        self,
        span: Span,
        shared: str | None,
        name: ast.Name,
        fields: tuple[ast.Field, ...],
        after: ast.Name,
    ) -> ast.EventDecl:
        return self.event(span, shared, name, after, fields)

    def shared(self, _span: Span, word: str) -> str:
        return word

    def after(self, _span: Span, name: ast.Name) -> ast.Name:
        return name

    def event_fields(self, _span: Span, *fields: ast.Field) -> tuple[ast.Field, ...]:
        return fields

    def signal(
        self,
        span: Span,
        shared: str | None,
        name: ast.Name,
        type_: ast.Type,
        initial: ast.Literal | None,
    ) -> ast.SignalDecl:
        return ast.SignalDecl(name, type_, initial, shared is not None, span)

    # --- machines ---

    def machine(
        self,
        span: Span,
        shared: str | None,
        name: ast.Name,
        per: ast.Name | None,
        start: ast.Name,
        *transitions: ast.Transition,
    ) -> ast.MachineDecl:
        if shared is not None and per is not None:
            message = f"the machine `{name.text}` is both `shared` and `per {per.text}`"
            help_ = "keep `per` for one machine a value, `shared` for one in all"
            self.found.error("GOV113", message, per.span, help=help_)
        return ast.MachineDecl(name, start, transitions, per, shared is not None, span)

    def transition(
        self, span: Span, source: ast.Name, target: ast.Name, *causes: _On | _After | When
    ) -> ast.Transition:
        whose = f"`{source.text} -> {target.text}`"
        self._each_once(causes, f"the transition {whose}")
        if not causes:
            message = f"the transition {whose} has no cause"
            help_ = "add `when CONDITION`, `on EVENT` or `after 30 s`"
            self.found.error("GOV113", message, span, help=help_)
        on, after, when = _only(causes, _On), _only(causes, _After), _only(causes, When)
        return ast.Transition(
            source,
            target,
            on.events if on else (),
            after.duration if after else None,
            when.condition if when else None,
            span,
        )

    def on(self, span: Span, events: tuple[ast.Occurrence, ...]) -> _On:
        return _On(events, span)

    def due(self, span: Span, duration: ast.Number) -> _After:
        return _After(duration, span)

    def when(self, span: Span, condition: ast.Expr) -> When:
        return When(condition, span)

    # --- contracts ---

    def contract(
        self, span: Span, name: ast.Name, key: ast.Name, field: ast.Name, *clauses: _Clause
    ) -> ast.ContractDecl:
        whose = f"the contract `{name.text}`"
        self._each_once(clauses, whose)
        may, scope, needs = _only(clauses, _May), _only(clauses, _Scope), _only(clauses, _Needs)
        stop, revoke = _only(clauses, ast.Stop), _only(clauses, _Revoke)
        if may is None and self._whole(span):
            message = f"{whose} does not say what the {key.text} may do"
            help_ = f"add `may` and members of `{field.text}`"
            self.found.error("GOV113", message, name.span, help=help_)
        return ast.ContractDecl(
            name,
            key,
            field,
            may.members if may else (),
            scope.condition if scope else None,
            needs.fields if needs else (),
            stop,
            revoke.events if revoke else (),
            span,
        )

    def may(self, span: Span, members: tuple[ast.Name, ...]) -> _May:
        return _May(members, span)

    def scope(self, span: Span, condition: ast.Expr) -> _Scope:
        return _Scope(condition, span)

    def needs(self, span: Span, fields: tuple[ast.Name, ...]) -> _Needs:
        return _Needs(fields, span)

    def revoke(self, span: Span, events: tuple[ast.Occurrence, ...]) -> _Revoke:
        return _Revoke(events, span)

    def stop(self, span: Span, *causes: ast.Stop) -> ast.Stop:
        whole = ast.Stop(span=span)
        for cause in causes:
            for word in ("after", "calls"):
                if getattr(cause, word) is not None and getattr(whole, word) is not None:
                    self.twice(
                        "after 2 h" if word == "after" else "200 calls", "`stop`", cause.span
                    )
            whole = replace(
                whole,
                after=whole.after or cause.after,
                calls=whole.calls or cause.calls,
                on=whole.on + cause.on,
            )
        return whole

    def stop_after(self, span: Span, bound: ast.Number) -> ast.Stop:
        return (
            ast.Stop(calls=bound, span=span) if bound.unit in CALLS else ast.Stop(bound, span=span)
        )

    def stop_on(self, span: Span, event: ast.Occurrence) -> ast.Stop:
        return ast.Stop(on=(event,), span=span)

    # --- autonomy ---

    def autonomy(
        self, span: Span, key: ast.Name, field: ast.Name, *members: ast.Level | ast.Drop
    ) -> ast.AutonomyDecl:
        levels = tuple(m for m in members if isinstance(m, ast.Level))
        drops = tuple(m for m in members if isinstance(m, ast.Drop))
        if not levels and self._whole(span):
            help_ = f"add a level: `observer may` and members of `{field.text}`"
            self.found.error("GOV113", "`autonomy` has no levels", span, help=help_)
        return ast.AutonomyDecl(key, field, levels, drops, span)

    def level(
        self, span: Span, name: ast.Name, may: tuple[ast.Name, ...], when: ast.Expr | None
    ) -> ast.Level:
        return ast.Level(name, may, when, span)

    def drop(self, span: Span, level: ast.Name, on: tuple[ast.Occurrence, ...]) -> ast.Drop:
        return ast.Drop(level, on, span)

    # --- clauses ---

    def _whole(self, span: Span) -> bool:
        """Whether no error lies in it, which may have hidden a clause."""
        return all(d.span is None or d.span.start < span.start for d in self.found)

    def _each_once(self, clauses: Iterable[_Clause | _On | _After | When], whose: str) -> None:
        said: set[type] = set()
        for clause in clauses:
            if type(clause) in said:
                self.twice(_WORDS[type(clause)], whose, clause.span)
            said.add(type(clause))


def _only(clauses: Iterable[object], kind: type[_T]) -> _T | None:
    """The first clause of that kind."""
    return next((clause for clause in clauses if isinstance(clause, kind)), None)
