"""Nodes of tests and their steps; between `MachineBuilder` and `Builder`.

In: a span and the children that the rule's plan names. Out: nodes of `ast`.
"""

from __future__ import annotations

from govlang.dsl import ast
from govlang.dsl.machine_builder import MachineBuilder
from govlang.dsl.source import Span

_Values = tuple[ast.Argument, ...]


class StepBuilder(MachineBuilder):
    """Builds tests."""

    def test(
        self, span: Span, name: ast.String, params: _Values | None, *steps: ast.Step
    ) -> ast.Test:
        return ast.Test(name, params or (), steps, span)

    # --- steps ---

    def request_step(
        self,
        span: Span,
        at: ast.Number | None,
        request: _Values,
        runtime: _Values | None,
        expect: ast.Expect,
        *states: ast.StateIs,
    ) -> ast.RequestStep:
        return ast.RequestStep(at, request, runtime or (), expect, states, span)

    def event_step(
        self,
        span: Span,
        at: ast.Number | None,
        event: ast.EventRef,
        values: _Values | None,
        refused: str | None,
        *states: ast.StateIs,
    ) -> ast.EventStep:
        return ast.EventStep(at, event, values or (), states, refused is not None, span)

    def refused(self, _span: Span) -> str:
        return "refused"

    def signal_step(
        self,
        span: Span,
        at: ast.Number | None,
        signal: ast.Name,
        value: ast.Literal,
        key: _Values | None,
        *states: ast.StateIs,
    ) -> ast.SignalStep:
        return ast.SignalStep(at, signal, value, key or (), states, span)

    def tick_step(self, span: Span, at: ast.Number | None, *states: ast.StateIs) -> ast.TickStep:
        return ast.TickStep(at, states, span)

    def fault_step(
        self,
        span: Span,
        at: ast.Number | None,
        fault: str,
        signal: ast.Name,
        key: _Values | None,
        duration: ast.Number | None,
    ) -> ast.FaultStep:
        return ast.FaultStep(at, ast.Fault(fault), signal, key or (), duration, span)

    def fault(self, _span: Span, word: str) -> str:
        return word

    def clock_step(self, span: Span, at: ast.Number | None, back: ast.Number) -> ast.ClockStep:
        return ast.ClockStep(at, back, span)

    def values(self, _span: Span, *values: ast.Argument) -> _Values:
        return values

    runtime = params = arguments = values

    def argument(self, span: Span, name: ast.Name, value: ast.Literal) -> ast.Argument:
        return ast.Argument(name, value, span)

    binding = argument

    # --- what is expected ---

    def expect(
        self,
        span: Span,
        decision: ast.Decision,
        rule: ast.Name | ast.String | None,
        *more: ast.Obligation,
    ) -> ast.Expect:
        whole = ast.Decision(decision.effect, (*decision.obligations, *more), decision.span)
        return ast.Expect(whole, None if rule is None else self.label(rule), span)

    def expected(self, span: Span, what: ast.Decision | ast.Limit) -> ast.Decision:
        if isinstance(what, ast.Limit):
            return ast.Decision(ast.Effect.LIMIT, (what,), span)
        if what.obligations == (ast.Require(),):
            return ast.Decision(what.effect, (), span)
        return what

    def bare_limit(self, span: Span, _word: str) -> ast.Decision:
        return ast.Decision(ast.Effect.LIMIT, (), span)

    def state_is(self, span: Span, machine: ast.Name, state: ast.Name) -> ast.StateIs:
        return ast.StateIs(machine, state, negated=False, span=span)

    def state_is_not(self, span: Span, machine: ast.Name, state: ast.Name) -> ast.StateIs:
        return ast.StateIs(machine, state, negated=True, span=span)
