"""The policy's side of the proof: its conditions and expressions as trees over columns.

In: the policy, and the columns of a table, or of an artefact of the edge, whose schema was found
equal to it.  Out: `Layout` (which column holds what, and what its words can be) and the trees of
conditions and expressions.

A policy that remembers is read at several moments of a sample (`Moment`): they differ in the samples that come
that far, and in whether there is a decision.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from typing import Final, assert_never

from govlang.compiler import ir
from govlang.native.layout import ColumnKind
from govlang.native.words import MASK64, signed
from govlang.verifier.translation.deadline import NEVER, Deadline
from govlang.verifier.translation.decode import Automaton, Column, Decoded
from govlang.verifier.translation.texts import Cell, Samples, find_cells
from govlang.verifier.translation.tree import (
    FALSE,
    TRUE,
    Domain,
    OddColumnError,
    Spans,
    Tree,
    spans_of,
)


@dataclass(frozen=True, slots=True)
class ClassColumn:
    """A class column with the patterns it was held against; `column` None: only the patterns."""

    column: int | None
    patterns: tuple[ir.Pattern, ...]
    cells: tuple[Cell, ...]

    def decided(self) -> dict[ir.Pattern, Spans]:
        """Pattern → the classes whose texts match it, for the patterns that classes tell."""
        if self.column is None:
            return {}
        always: dict[int, frozenset[int]] = {}
        ever: dict[int, frozenset[int]] = {}
        for cell in self.cells:
            assert cell.number is not None
            always[cell.number] = always.get(cell.number, cell.matched) & cell.matched
            ever[cell.number] = ever.get(cell.number, frozenset()) | cell.matched
        torn = frozenset[int]().union(*(ever[n] - always[n] for n in ever))
        classes: dict[int, list[int]] = {}
        for number, matched in always.items():
            for index in matched:
                classes.setdefault(index, []).append(number)
        return {
            pattern: spans_of(classes.get(index, ()))
            for index, pattern in enumerate(self.patterns)
            if index not in torn
        }


@dataclass(frozen=True, slots=True)
class TextModel:
    """A text field: its class columns, and which of them decides which pattern."""

    columns: tuple[ClassColumn, ...]
    decided: Mapping[ir.Pattern, tuple[int, Spans]]


class Moment(Enum):
    """When in a sample something is read."""

    DECIDE = "decide"
    """Rules and assumptions, at a request."""
    UPDATE = "update"
    """Updates before the outcome is known, at any sample."""
    SILENT = "silent"
    """The same at a request or a tick: nothing is reported."""
    CLOSE = "close"
    """Updates that may read the outcome, at a request."""


_KINDS: Final = {
    Moment.DECIDE: (ir.REQUEST, ir.REQUEST),
    Moment.SILENT: (ir.REQUEST, ir.TICK),
    Moment.CLOSE: (ir.REQUEST, ir.REQUEST),
}
"""The kinds of samples that come so far, where that is not all."""

DECISION: Final = "$decision"
"""What the column of the decision is called here; the policy has no name for it."""


class Layout:
    """Which column holds what of a policy: the words of a table, or the variables of an artefact.

    `remembered` names the columns that no request fills.
    """

    def __init__(
        self,
        policy: ir.Policy,
        columns: Sequence[Column],
        texts: Mapping[str, TextModel],
        remembered: Mapping[int, str] | None = None,
        moment: Moment = Moment.DECIDE,
        deadline: Deadline = NEVER,
    ) -> None:
        self.policy = policy
        self.columns = columns
        self.texts = texts
        self.remembered = remembered or {}
        self.moment = moment
        self.fields = {one.name: one for one in (*policy.fields, *policy.columns)}
        names = [one.name for one in policy.fields]
        self.value: dict[str, int] = {}
        self.has: dict[str, int] = {}
        self.equal: dict[tuple[str, str], int] = {}
        self.param: dict[str, int] = {}
        for number, column in enumerate(columns):
            match column.kind:
                case ColumnKind.RANGE | ColumnKind.SET:
                    self.value[names[column.source]] = number
                case ColumnKind.HAS:
                    self.has[names[column.source]] = number
                case ColumnKind.EQUAL:
                    left, right = sorted((names[column.source], names[column.other]))
                    self.equal[left, right] = number
                case ColumnKind.PARAM:
                    self.param[policy.params[column.source].field.name] = number
                case ColumnKind.CLASS:
                    pass
                case ColumnKind.CELL | ColumnKind.SAMPLE | ColumnKind.CARRIED:
                    if number not in self.remembered:
                        raise OddColumnError("a column of a policy that remembers")
                    self.value[self.remembered[number]] = number
                case _:
                    assert_never(column.kind)
        self.domain = self._domain(deadline)

    def _domain(self, deadline: Deadline) -> Domain:
        cells = {
            column.column: column.cells for model in self.texts.values() for column in model.columns
        }
        spans: list[Spans | None] = []
        members: list[int] = []
        sets = {n: f for n, f in self._valued() if f.kind is ir.Kind.SET}
        for number, column in enumerate(self.columns):
            is_set = number in sets
            members.append(len(sets[number].members) if is_set else 0)
            if column.kind is ColumnKind.CLASS:
                spans.append(spans_of(c.number for c in cells[number] if c.number is not None))
            else:
                spans.append(None if is_set else (self._span(number),))
        return Domain(tuple(spans), tuple(members), deadline)

    def _valued(self) -> Iterator[tuple[int, ir.Field]]:
        """The columns of values with the fields whose values they are."""
        yield from ((n, self.fields[name]) for name, n in self.value.items() if name != DECISION)

    def _span(self, number: int) -> tuple[int, int]:
        """What the words of a column can be at this moment."""
        column = self.columns[number]
        match self.remembered.get(number):
            case ir.SAMPLE if self.moment in _KINDS:
                return _KINDS[self.moment]
            case name if name == DECISION and self.moment is not Moment.CLOSE:
                return 0, 0
            case _:
                return column.lo, column.hi

    # --- conditions ------------------------------------------------------------------------------

    def condition(self, condition: ir.BoolExpr) -> Tree:
        """A condition of the policy as a tree."""
        domain = self.domain
        match condition:
            case ir.BoolConst(value=value):
                return TRUE if value else FALSE
            case ir.Not(operand=operand):
                return domain.neg(self.condition(operand))
            case ir.And(operands=operands):
                return domain.conj([self.condition(operand) for operand in operands])
            case ir.Or(operands=operands):
                return domain.disj([self.condition(operand) for operand in operands])
            case ir.InRanges(name=name, ranges=ranges):
                return domain.inside(self.value[name], ranges)
            case ir.Compare(op=op, left=left, right=right):
                return domain.compared(_COMPARE[op], self.integer(left), self.integer(right))
            case ir.SetTest(name=name, op=op, mask=mask):
                return self._set(self.value[name], op, mask)
            case ir.TextTest(name=name, patterns=patterns):
                return domain.disj([self._text(name, pattern) for pattern in patterns])
            case ir.TextEqual(left=left, right=right):
                column = self.equal.get((min(left, right), max(left, right)))
                same = ("same", min(left, right), max(left, right))
                return same if column is None else domain.inside(column, ((1, 1),))
            case ir.Has(name=name):
                return (
                    domain.inside(self.has[name], ((1, 1),))
                    if name in self.has
                    else self._brought(name)
                )
            case ir.DecisionIn(effects=effects):
                if self.moment is not Moment.CLOSE:
                    return FALSE
                return domain.inside(self.value[DECISION], spans_of(map(int, effects)))
            case _:
                assert_never(condition)

    def _brought(self, name: str) -> Tree:
        """A field that is not optional has a value at the samples that bring it: a request, or its own kind."""
        time = self.policy.time
        if time is None:
            return TRUE
        if self.fields[name].optional:
            raise OddColumnError("nothing tells whether a field of a sample has a value")
        kinds = [
            ir.FIRST_KIND + number
            for number, one in enumerate(time.samples)
            if any(field.name == name for field in one.fields)
        ]
        return self.domain.inside(self.value[ir.SAMPLE], spans_of(kinds or [ir.REQUEST]))

    def _set(self, column: int, op: ir.SetOp, mask: int) -> Tree:
        match op:
            case ir.SetOp.ANY:
                return self.domain.any_of(column, mask)
            case ir.SetOp.ALL:
                return self.domain.all_of(column, mask)
            case ir.SetOp.WITHIN:
                return self.domain.within(column, mask)
            case _:
                assert_never(op)

    def _text(self, name: str, pattern: ir.Pattern) -> Tree:
        found = self.texts[name].decided.get(pattern)
        return ("text", name, pattern) if found is None else self.domain.inside(*found)

    # --- integers --------------------------------------------------------------------------------

    def integer(self, expr: ir.IntExpr) -> Tree:
        """An integer expression of the policy as a tree."""
        match expr:
            case ir.IntConst(value=value):
                return ("const", signed(value & MASK64))  # a set may have a 64th member
            case ir.FieldValue(name=name):
                return ("load", self.value[name])
            case ir.ParamValue(name=name):
                return ("load", self.param[name])
            case ir.Arith(op=op, left=left, right=right):
                return self.domain.arithmetic(op.value, self.integer(left), self.integer(right))
            case ir.FloorDiv(dividend=dividend, divisor=divisor):
                return self.domain.node("floor", self.integer(dividend), divisor)
            case ir.Choose(condition=condition, then=then, otherwise=otherwise):
                chosen = self.condition(condition)
                return self.domain.chosen(chosen, self.integer(then), self.integer(otherwise))
            case _:
                assert_never(expr)


_COMPARE: Final = {
    ir.CompareOp.EQ: "eq",
    ir.CompareOp.NE: "ne",
    ir.CompareOp.LT: "lt",
    ir.CompareOp.LE: "le",
}


def text_models(policy: ir.Policy, decoded: Decoded) -> dict[str, TextModel]:
    """What the class columns of a table say of every text field.

    Raises:
        TooManyTextsError: a text cannot be walked.
    """
    return {
        one.name: text_model(one, _own(decoded.automata, number), patterns)
        for number, (one, patterns) in enumerate(patterns_read(policy))
        if one.is_text
    }


def _own(automata: Sequence[Automaton], number: int) -> list[Automaton]:
    return [automaton for automaton in automata if automaton.field == number]


def patterns_read(policy: ir.Policy) -> Iterator[tuple[ir.Field, tuple[ir.Pattern, ...]]]:
    """Every input field with the patterns that decisions hold it against."""
    found: dict[str, dict[ir.Pattern, None]] = {one.name: {} for one in policy.fields}
    for condition in conditions_read(policy):
        for atom in ir.atoms(condition):
            if isinstance(atom, ir.TextTest):
                found[atom.name].update(dict.fromkeys(atom.patterns))
    yield from ((one, tuple(found[one.name])) for one in policy.fields)


def conditions_read(policy: ir.Policy) -> Iterator[ir.BoolExpr]:
    """Every condition that a decision or what is remembered depends on, those inside expressions too."""
    yield from (assumption.condition for assumption in policy.assumptions)
    for rule in policy.rules:
        yield rule.condition
        yield from chain.from_iterable(map(_choices, expressions(rule)))
    for update in policy.time.updates if policy.time else ():
        yield update.condition
        yield from _choices(update.value)


def _choices(expr: ir.IntExpr) -> Iterator[ir.BoolExpr]:
    yield from (part.condition for part in ir.int_parts(expr) if isinstance(part, ir.Choose))


def expressions(rule: ir.Rule) -> Iterator[ir.IntExpr]:
    """The integer expressions of a rule's effect."""
    values: list[ir.ArgValue] = [end for limit in rule.limits for end in (limit.lo, limit.hi)]
    values += [arg for do in rule.dos for arg in do.args]
    values += [value for _, value in rule.remedy.values] if rule.remedy else []
    for value in values:
        if not isinstance(value, ir.TextConst | ir.TextField):
            yield value


def text_model(
    one: ir.Field, automata: Sequence[Automaton], patterns: tuple[ir.Pattern, ...]
) -> TextModel:
    """The class columns of a field, held against the patterns that decisions hold it against.

    Raises:
        TooManyTextsError: there are too many states.
    """
    columns = []
    samples = Samples(patterns, one.separator) if len(automata) > 1 else None
    for automaton in automata:
        own = patterns if samples is None else samples.may_decide(automaton)
        cells = find_cells(one, automaton, own)
        columns.append(ClassColumn(automaton.column, own, tuple(cells)))
    missing = set(patterns).difference(*(column.patterns for column in columns))
    if missing:
        left = tuple(pattern for pattern in patterns if pattern in missing)
        columns.append(ClassColumn(None, left, tuple(find_cells(one, None, left))))
    decided: dict[ir.Pattern, tuple[int, Spans]] = {}
    for column in columns:
        for pattern, classes in column.decided().items():
            assert column.column is not None
            decided.setdefault(pattern, (column.column, classes))
    return TextModel(tuple(columns), decided)
