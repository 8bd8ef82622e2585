"""Sums by panes that err on the unsafe side of the rule that reads them: a warning, GOV249.

In: the rules before they are checked.  Out: warnings.

A sum by panes reaches over a little more than its window, one with `under` over a little less (language.md), so
it is never too small, or never too large.  A rule that restricts must not miss anything, one that permits must not
count what is too old.  What is held against an average, or equal to a sum, errs either way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from govlang.compiler.comparisons import MIRRORED
from govlang.compiler.desugar import Draft
from govlang.compiler.refusal import shortened
from govlang.dsl import ast
from govlang.dsl.diagnostics import Diagnostics
from govlang.dsl.source import Span

Summed = ast.Count | ast.Total
Read = tuple[ast.Window, Summed, bool]
"""A sum by panes, and whether the condition holds more often where it is larger."""


def check_sides(
    drafts: Iterable[Draft], lets: Mapping[str, ast.LetDecl], found: Diagnostics
) -> None:
    """Warn of every sum that errs on the unsafe side of its rule, once each."""
    walk, seen = _Walk(lets), set[tuple[Span, bool]]()
    for draft in drafts:
        permits = draft.decision.effect is ast.Effect.ALLOW
        for condition in (draft.tier_condition, draft.condition):
            for window, summed, rising in () if condition is None else walk.condition(condition):
                # more often restricted: safe; so is less often permitted
                errs_up = not window.under
                if (errs_up == rising) == permits and (summed.span, permits) not in seen:
                    seen.add((summed.span, permits))
                    _warn(draft, window, summed, found)


def _warn(draft: Draft, window: ast.Window, summed: Summed, found: Diagnostics) -> None:
    assert window.pane is not None, "what is exact errs on no side"
    text, pane = shortened(summed.span), shortened(window.pane.span)
    if window.under:
        message = (
            f"`{text}` leaves out up to {pane} of its window, which `{draft.id}` then does not see"
        )
        help_ = "leave out `, under`: then the sum is never too small"
    else:
        message = (
            f"`{text}` reaches up to {pane} beyond its window, on which `{draft.id}` then relies"
        )
        help_ = f"write `by {pane}, under`: then the sum is never too large"
    found.warning("GOV249", message, summed.span, help=help_)


@dataclass(frozen=True, slots=True)
class _Walk:
    """Finds sums in conditions, with the direction in which they move them."""

    lets: Mapping[str, ast.LetDecl]

    def condition(self, expr: ast.Expr, *, rising: bool = True) -> Iterator[Read]:
        """The sums of a condition that counts as it is (or, not `rising`, by its contrary)."""
        match expr:
            case ast.Unary(op="not", operand=operand):
                yield from self.condition(operand, rising=not rising)
            case ast.Logical(operands=operands):
                for one in operands:
                    yield from self.condition(one, rising=rising)
            case ast.Implies(left=left, right=right):
                yield from self.condition(left, rising=not rising)
                yield from self.condition(right, rising=rising)
            case ast.If(then=then, otherwise=otherwise):
                yield from self.condition(then, rising=rising)
                yield from self.condition(otherwise, rising=rising)
            case ast.Compare():
                yield from self._compared(expr, rising=rising)
            case ast.HappenedWithin() | ast.Ago() | ast.HeldFor() | ast.Since():
                yield from self.condition(expr.operand, rising=rising)
            case ast.Name(text=text) if text in self.lets:
                yield from self.condition(self.lets[text].value, rising=rising)
            case _:
                return

    def _compared(self, expr: ast.Compare, *, rising: bool) -> Iterator[Read]:
        for side, op in ((expr.left, expr.op), (expr.right, MIRRORED[expr.op])):
            if op in ("==", "!="):
                continue
            yield from self._terms(side, rising=rising == (op in (">", ">=")))

    def _terms(self, expr: ast.Expr, *, rising: bool) -> Iterator[Read]:
        """The sums that are added in a number, which grows with them."""
        match expr:
            case ast.Count(since=ast.Window(pane=ast.Number()) as window):
                yield window, expr, rising
            case ast.Total(function="sum", window=ast.Window(pane=ast.Number()) as window):
                yield window, expr, rising
            case ast.Binary(op="+" | "-" as op, left=left, right=right):
                yield from self._terms(left, rising=rising)
                yield from self._terms(right, rising=rising == (op == "+"))
            case ast.Binary(op="*" | "/", left=part, right=ast.Number()):
                yield from self._terms(part, rising=rising)
            case ast.Binary(op="*", left=ast.Number(), right=part):
                yield from self._terms(part, rising=rising)
            case ast.Unary(op="-", operand=operand):
                yield from self._terms(operand, rising=not rising)
            case ast.Call(function="least" | "greatest", arguments=arguments):
                for one in arguments:
                    yield from self._terms(one, rising=rising)
            case ast.Name(text=text) if text in self.lets:
                yield from self._terms(self.lets[text].value, rising=rising)
            case _:
                return
