"""Nodes of what happens and of expressions that remember; between `ExpressionBuilder` and `Builder`.

In: a span and the children that the rule's plan names. Out: nodes of `ast`. An operator over time
that a reader could take with more or with less of what stands before it is refused here (GOV121).
"""

from __future__ import annotations

from govlang.dsl import ast
from govlang.dsl.expression_builder import ExpressionBuilder
from govlang.dsl.record import record
from govlang.dsl.source import Span

_SHOWN = 40
_DEVIATES = "deviates(x, alpha 0.3, by 3, floor 0.05, after 10 samples)"


@record
class _Within:
    duration: ast.Number
    span: Span


@record
class _Ago:
    newest: ast.Number
    oldest: ast.Number
    span: Span


@record
class _For:
    duration: ast.Number
    span: Span


@record
class _Since:
    event: ast.Occurrence
    within: ast.Number | None
    span: Span


_Lasting = _Within | _Ago | _For | _Since


class TimeBuilder(ExpressionBuilder):
    """Builds what reads more than this sample."""

    # --- what happens ---

    def happening(self, span: Span, name: ast.Name) -> ast.EventRef:
        return ast.EventRef(name, None, None, span)

    def happening_of(self, span: Span, name: ast.Name, member: ast.Name) -> ast.EventRef:
        return ast.EventRef(name, member, None, span)

    def happening_per(self, span: Span, name: ast.Name, per: ast.Name) -> ast.EventRef:
        return ast.EventRef(name, None, per, span)

    def happening_of_per(
        self, span: Span, name: ast.Name, member: ast.Name, per: ast.Name
    ) -> ast.EventRef:
        return ast.EventRef(name, member, per, span)

    def enters(self, span: Span, machine: ast.Name, state: ast.Name) -> ast.Enters:
        return ast.Enters(machine, state, span)

    def occurrences(self, _span: Span, *events: ast.Occurrence) -> tuple[ast.Occurrence, ...]:
        return events

    # --- conditions over time ---

    def happened_within(self, span: Span, duration: ast.Number) -> _Within:
        return _Within(duration, span)

    def ago(self, span: Span, newest: ast.Number, oldest: ast.Number) -> _Ago:
        return _Ago(*self.same_unit(newest, oldest), span)

    def held_for(self, span: Span, duration: ast.Number) -> _For:
        return _For(duration, span)

    def since(self, span: Span, event: ast.Occurrence) -> _Since:
        return _Since(event, None, span)

    def since_within(self, span: Span, event: ast.Occurrence, within: ast.Number) -> _Since:
        return _Since(event, within, span)

    def over_time(self, span: Span, operand: ast.Expr, lasting: _Lasting) -> ast.OverTime:
        if isinstance(operand, ast.OverTime) and operand.span.start == span.start:
            self._two_in_a_row(span, operand, lasting)
        match lasting:
            case _Within(duration=duration):
                return ast.HappenedWithin(operand, duration, span)
            case _Ago(newest=newest, oldest=oldest):
                return ast.Ago(operand, newest, oldest, span)
            case _For(duration=duration):
                return ast.HeldFor(operand, duration, span)
            case _Since(event=event, within=within):
                return ast.Since(operand, event, within, span)

    def _two_in_a_row(self, span: Span, operand: ast.OverTime, lasting: _Lasting) -> None:
        last = _words(lasting.span)
        ways = [f"`({_words(operand.span)}) {last}`"]
        if isinstance(operand, ast.Since) and isinstance(lasting, _Within):
            event = _words(operand.event.span)
            ways.append(f"`{_words(operand.operand.span)} since ({event} {last})`")
        self.found.error(
            "GOV121",
            f"`{last}` can be read with more or with less of what stands before it",
            span,
            help=f"write {' or '.join(ways)}",
        )

    def negate(self, span: Span, operand: ast.Expr) -> ast.Unary:
        if isinstance(operand, ast.OverTime) and operand.span.end == span.end:
            self._negated(span, operand)
        return ast.Unary("not", operand, span)

    def _negated(self, span: Span, operand: ast.OverTime) -> None:
        whole, end = operand.span, operand.operand.span.end
        rest = Span(whole.source, end, whole.end).text
        closed = len(rest) - len(rest.lstrip(") \t\r\n"))
        x = _words(Span(whole.source, whole.start, end + closed))
        lasting = _words(Span(whole.source, end + closed, whole.end))
        self.found.error(
            "GOV121",
            f"`not {x} {lasting}` can be read in two ways",
            span,
            help=f"write `not ({x} {lasting})` or `(not {x}) {lasting}`",
        )

    # --- values that remember ---

    def window(
        self, span: Span, duration: ast.Number, pane: ast.Number | None, whole: str | None
    ) -> ast.Window:
        return ast.Window(duration, pane, whole is not None, span)

    def whole(self, _span: Span, *_words: str) -> str:
        return "under"

    def count_in(self, span: Span, event: ast.Occurrence, window: ast.Window) -> ast.Count:
        return ast.Count(event, window, span)

    def count_since(self, span: Span, event: ast.Occurrence, since: ast.Occurrence) -> ast.Count:
        return ast.Count(event, since, span)

    def total(self, _span: Span, word: str) -> str:
        return word

    extreme = total

    def total_in(
        self, span: Span, function: str, of: ast.Occurrence, window: ast.Window
    ) -> ast.Total:
        return ast.Total(function, of, window, span)

    def extreme_in(
        self, span: Span, function: str, operand: ast.Expr, duration: ast.Number
    ) -> ast.Extreme:
        return ast.Extreme(function, operand, duration, span)

    def elapsed(self, span: Span, event: ast.Occurrence) -> ast.Elapsed:
        return ast.Elapsed(event, span)

    def ewma(self, span: Span, reading: ast.Reading, alpha: ast.Number) -> ast.Ewma:
        return ast.Ewma(reading, alpha, span)

    def deviates(
        self, span: Span, reading: ast.Reading, *deviations: tuple[str, ast.Number]
    ) -> ast.Deviates:
        said: dict[str, ast.Number] = {}
        for word, value in deviations:
            if word in said:
                self.twice(word, "`deviates`", value.span)
            said[word] = value
        for word in ("alpha", "by"):
            if word not in said:
                message = f"`deviates` lacks `{word}`"
                self.found.error("GOV113", message, span, help=f"write `{_DEVIATES}`")
                said[word] = ast.Number("1", None, span)
        return ast.Deviates(
            reading, said["alpha"], said["by"], said.get("floor"), said.get("after"), span
        )

    def deviation(
        self, _span: Span, _comma: str, word: str, value: ast.Number
    ) -> tuple[str, ast.Number]:
        return word, value

    def fresh(self, span: Span, reading: ast.Reading, duration: ast.Number) -> ast.Fresh:
        return ast.Fresh(reading, duration, span)

    def stale(self, span: Span, reading: ast.Reading, duration: ast.Number) -> ast.Stale:
        return ast.Stale(reading, duration, span)

    def previous(self, span: Span, reading: ast.Reading) -> ast.Previous:
        return ast.Previous(reading, span)

    def changed(self, span: Span, reading: ast.Reading) -> ast.Changed:
        return ast.Changed(reading, span)

    def reserved(self, span: Span, field: ast.Name) -> ast.Reserved:
        return ast.Reserved(field, span)

    def always_possible(self, span: Span, condition: ast.Expr) -> ast.Possible:
        return ast.Possible(condition, span)


def _words(span: Span) -> str:
    """What stands there, on one line and short."""
    text = " ".join(span.text.split())
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
