"""Conditions that are always true or always false where they stand, and overrides that never matter.

In: a context and the rules that never fire (which are another finding).  Out: warnings GOV304.

What always holds: a part of a condition is vacuous when the rule would fire on the same requests
with a constant in its place; the value that an absent field happens to read as does not count.
Parts that share a place in the source (a `let`, the `when` of a tier) are one part: vacuous only if
they are so everywhere, with the same constant.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Final

import z3

from govlang.compiler import ir
from govlang.compiler.interpret import Environment
from govlang.compiler.ir import Ranges
from govlang.dsl.source import Span
from govlang.verifier import ranges
from govlang.verifier.findings import UNSEEN, VACUOUS, Finding, Severity, undecided
from govlang.verifier.firing import report_at_work
from govlang.verifier.idle_overrides import find_idle_overrides
from govlang.verifier.options import Context
from govlang.verifier.parts import Path, children, compared_fields, describe, part_of, replaced
from govlang.verifier.shapes import Box, Terms, intersection, terms
from govlang.verifier.solve import Open, Session

OPERANDS_MAX: Final = 12
"""Operands of one condition for which a corner is tried."""

PARTS_MAX: Final = 400
"""Parts of one condition that are looked at one by one."""

TESTS_MAX: Final = 1_000
"""Tests of a plain conjunction that are held against each other."""

STEPS_MAX: Final = 160_000
"""Parts times atoms of one condition: each part asks the whole of it again."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a rule's condition."""

    rule: int
    path: Path
    node: ir.BoolExpr


def find_vacuous(context: Context, silent: frozenset[int]) -> None:
    """Add what never makes a difference."""
    _Parts(context, silent).report()
    find_idle_overrides(context)


class _Parts:
    """Settles the parts of all conditions, each place of the source once."""

    def __init__(self, context: Context, silent: frozenset[int]) -> None:
        self.context = context
        self.columns = context.judge.columns
        self.session: Session | None = None
        self.beside: tuple[int, list[Environment], Iterator[Environment]] = -1, [], iter(())
        self.rules = [
            i
            for i, rule in enumerate(context.judge.rules)
            if i not in silent and rule.kind is not ir.RuleKind.GUARD
        ]
        self.open: dict[int, str] = {}
        self.cut: dict[int, int] = {}  # rules of which parts are left, with how many were looked at

    def report(self) -> None:
        """Add a finding for each outermost vacuous part."""
        verdicts: dict[tuple[object, ...], list[tuple[Part, bool | None]]] = {}
        for place, i in enumerate(self.rules):
            self.context.tell("conditions that matter", place, len(self.rules))
            for part, verdict in self._outermost(i):
                verdicts.setdefault(_place(part), []).append((part, verdict))
        for found in verdicts.values():
            values = {verdict for _, verdict in found}
            if len(values) == 1 and None not in values:
                self._add(found[0][0], sorted({p.rule for p, _ in found}), values.pop() is True)
        for i, why in self.open.items():
            self.context.findings.append(undecided(_finding(self.context, [i], "", None), why))
        self.context.findings += [_unseen(self.context, *one) for one in self.cut.items()]

    def _add(self, part: Part, rules: Sequence[int], value: bool) -> None:  # noqa: FBT001
        shown = part.node.span.text.strip() if part.node.span else describe(part.node)
        word = "true" if value else "false"
        owners = ", ".join(f"`{self.context.judge.rules[i].id}`" for i in rules)
        message = f"`{shown}` is always {word} in {owners}"
        finding = _finding(self.context, rules, message, part.node.span)
        report_at_work(self.context, finding, rules[0])

    def _outermost(self, i: int) -> Iterator[tuple[Part, bool | None]]:
        """Each part down to the first vacuous one on its way, with its constant (None: it matters)."""
        condition = self.context.judge.rules[i].condition
        size = sum(1 for _ in ir.atoms(condition))
        quick = self._plain_conjunction(i, condition) if size <= TESTS_MAX else None
        if quick is not None:
            yield from (one for one in quick if not _is_unwritten(one[0].node, condition))
            return
        pool = self._pool(i, condition)
        stack: list[tuple[Path, ir.BoolExpr, ir.BoolExpr | None]] = [((), condition, None)]
        looked_at = min(PARTS_MAX, STEPS_MAX // max(1, size))
        for _ in range(looked_at):
            if not stack:
                return
            path, node, around = stack.pop()
            if isinstance(node, ir.BoolConst):
                continue
            unwritten = _is_unwritten(node, around)
            verdict = None if unwritten else self._verdict(i, condition, path, pool)
            if not unwritten:
                yield Part(i, path, node), verdict
            if verdict is None:
                inner = [((*path, k), one, node) for k, one in enumerate(children(node))]
                stack += inner[::-1]
        if stack:
            self.cut[i] = looked_at

    # --- by interval arithmetic ----------------------------------------------------------------

    def _plain_conjunction(
        self, i: int, condition: ir.BoolExpr
    ) -> list[tuple[Part, bool | None]] | None:
        """Verdicts of a conjunction of tests of single, independent columns; None if it is none."""
        operands = condition.operands if isinstance(condition, ir.And) else (condition,)
        boxes = [self._single(one) for one in operands]
        if self.context.policy.assumptions or any(box is None for box in boxes):
            return None
        own = [box for box in boxes if box is not None]
        found: list[tuple[Part, bool | None]] = []
        if isinstance(condition, ir.And):
            found.append((Part(i, (), condition), True if not any(own) else None))
            if found[0][1]:
                return found
        for k, (node, box) in enumerate(zip(operands, own, strict=True)):
            path = (k,) if isinstance(condition, ir.And) else ()
            found.append((Part(i, path, node), True if self._implied(k, box, own) else None))
        return found

    def _single(self, node: ir.BoolExpr) -> Box | None:
        """The box of an atom, or of one denied, that is one exact term on untangled columns."""
        inner = node.operand if isinstance(node, ir.Not) else node
        if isinstance(inner, ir.And | ir.Or | ir.Not | ir.BoolConst):
            return None
        shape = terms(self.columns, node)
        if len(shape) != 1 or not shape[0].exact or set(shape[0].box) & self.columns.tangled:
            return None
        return shape[0].box

    def _implied(self, k: int, box: Box, own: Sequence[Box]) -> bool:
        """Whether the other tests, and the domain, say the same already."""
        for column, allowed in box.items():
            others: Ranges = reduce(
                ranges.meet,
                (b[column] for n, b in enumerate(own) if n != k and column in b),
                self.columns.domain(column),
            )
            if not ranges.within(others, allowed):
                return False
        return True

    # --- by requests ---------------------------------------------------------------------------

    def _pool(self, i: int, condition: ir.BoolExpr) -> list[Environment]:
        """Requests on which parts of a condition are likely to matter."""
        judge = self.context.judge
        found = list(self.context.explorer.environments(i))
        for box in self._likely(condition):
            point = self.context.explorer.point(box)
            env = None if point is None else judge.environment(point)
            if env is not None and judge.valid(env):
                found.append(env)
        return found

    def _likely(self, condition: ir.BoolExpr) -> Iterator[Box]:
        """Corners where all operands hold, and where all but one do."""
        operands = condition.operands if isinstance(condition, ir.And | ir.Or) else (condition,)
        numbers = [
            self.columns.value[n] for n in compared_fields(condition) if n in self.columns.value
        ]
        shapes = [terms(self.columns, one) for one in operands[:OPERANDS_MAX]]
        against = [terms(self.columns, ir.Not(one)) for one in operands[:OPERANDS_MAX]]
        whole = isinstance(condition, ir.And)
        for odd in range(-1, len(shapes)):
            kept = shapes if whole else against
            chosen = [
                (against if whole else shapes)[k] if k == odd else kept[k]
                for k in range(len(shapes))
            ]
            box = _together(chosen)
            if box is not None:
                yield from self._corners(box, numbers)

    def _corners(self, box: Box, numbers: Sequence[int]) -> Iterator[Box]:
        """The box, and its ends in the columns that are computed with."""
        yield box
        if numbers:
            own = {n: box.get(n, self.columns.domain(n)) for n in numbers}
            yield {**box, **{n: ((a[0][0], a[0][0]),) for n, a in own.items()}}
            yield {**box, **{n: ((a[-1][1], a[-1][1]),) for n, a in own.items()}}

    # --- by the solver -------------------------------------------------------------------------

    def _verdict(
        self, i: int, condition: ir.BoolExpr, path: Path, pool: Sequence[Environment]
    ) -> bool | None:
        """The constant that could stand in a part's place."""
        asked = part_of(condition, path)
        for value in (True, False):
            if self._guards_reading(ir.negation(asked) if not value else asked):
                continue
            changed = replaced(condition, path, ir.BoolConst(value))
            if any(env.holds(condition) != env.holds(changed) for env in self._at_hand(i, pool)):
                continue
            differs = self._differ(condition, changed)
            if differs is False:
                return value
            if isinstance(differs, Open):
                self.open[i] = differs.why
        return None

    def _at_hand(self, i: int, pool: Sequence[Environment]) -> Iterator[Environment]:
        """The requests of a pool, and behind them, each made when first needed, those beside where a rule fires."""
        yield from pool
        if self.beside[0] != i:
            self.beside = i, [], self.context.explorer.beside(i)
        _, made, coming = self.beside
        yield from made
        for env in coming:
            made.append(env)
            yield env

    def _guards_reading(self, node: ir.BoolExpr) -> bool:
        """Whether a part is the `has` of a signal, without which its value could not be read."""
        if not isinstance(node, ir.InRanges) or node.ranges != ((1, 1),):
            return False
        name, _, last = node.name.rpartition(".")
        return last == "seen" and name in self.columns.value

    def _differ(self, a: ir.BoolExpr, b: ir.BoolExpr) -> bool | Open:
        encoder = self.context.encoder
        differ = z3.Xor(encoder.condition(a), encoder.condition(b))
        return self._loose_session().satisfiable([differ])

    def _loose_session(self) -> Session:
        """A session in which an absent field may read as anything."""
        if self.session is None:
            encoder = self.context.session.encoder  # which by then knows what holds of all states
            validity = encoder.validity(absent_as_lowest=False)
            timeout_s = self.context.options.timeout_s
            self.session = Session(encoder, timeout_s, validity, self.context.watch)
        return self.session


def _together(shapes: Sequence[Terms]) -> Box | None:
    """A box in which the first terms of all shapes meet."""
    found: Box | None = {}
    for shape in shapes:
        if not shape or found is None:
            return None
        found = intersection(found, shape[0].box)
    return found


def _is_unwritten(node: ir.BoolExpr, around: ir.BoolExpr | None) -> bool:
    """Whether nobody wrote a part by itself: the `not` of an `else`, what an operator or sugar tests."""
    if around is None or node is around or node.span is None or node.span != around.span:
        return False
    return not children(node) or isinstance(node, ir.Not)


def _place(part: Part) -> tuple[object, ...]:
    span = part.node.span
    if span is None:
        return (part.rule, part.path)
    return (span.file, span.start, span.end, type(part.node).__name__)


def _finding(context: Context, rules: Sequence[int], message: str, span: Span | None) -> Finding:
    own = [context.judge.rules[i] for i in rules]
    return Finding(
        VACUOUS,
        "vacuous",
        Severity.WARNING,
        tuple(rule.id for rule in own),
        message or f"every part of the condition of `{own[0].id}` matters",
        "remove it, or write what was meant",
        span=span or own[0].span,
    )


def _unseen(context: Context, i: int, parts: int) -> Finding:
    looked_at = "1 part was" if parts == 1 else f"{parts} parts were"
    said = f"of the condition of `{context.judge.rules[i].id}` only {looked_at} looked at"
    help_line = "split the rule, if every part should be known to matter"
    found = _finding(context, [i], said, None)
    return replace(found, code=UNSEEN, severity=Severity.NOTE, help=help_line)
