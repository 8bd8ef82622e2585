"""The checked IR as Z3 terms over integers.

In: the columns of a policy and its conditions.  Out: terms; a model of `validity` and any terms is a
valid request with parameters, once `concretize.py` has found texts for it.

What always holds: a number, enumeration, bool, parameter or text class is an integer in its domain,
a member of a set, the presence of an optional field and an equality of texts are booleans; absent
fields read as the interpreter reads them; equal texts have equal classes, equality is transitive,
and a class with fewer texts than fields makes some of them equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from functools import cached_property
from itertools import combinations
from typing import Any, assert_never

import z3

from govlang.compiler import ir
from govlang.compiler.ir import Effect, Ranges
from govlang.verifier import ranges
from govlang.verifier.columns import ColumnKind, Columns, argument_equal
from govlang.verifier.shapes import Box
from govlang.verifier.smtlib import total

Term = Any
"""A Z3 expression; the library ships no types."""


class Encoder:
    """Variables for the columns of a policy, and its conditions over them."""

    def __init__(self, columns: Columns, mark: str = "") -> None:
        """`mark` keeps the variables of several samples apart; parameters are the same in all."""
        self.columns = columns
        self.variables: list[Term] = [
            z3.Int(f"c{i}{'' if c.kind is ColumnKind.PARAM else mark}")
            if c.kind in (ColumnKind.VALUE, ColumnKind.PARAM, ColumnKind.CLASS)
            else z3.Bool(f"c{i}{mark}")
            for i, c in enumerate(columns.columns)
        ]
        self._conditions: dict[int, tuple[ir.BoolExpr, Term]] = {}
        self._same: dict[tuple[ir.ArgValue, ir.ArgValue], Term] = {}
        self.lemmas: list[Term] = []  # what texts were found not to be able to do

    def over(self, terms: Mapping[str, Term]) -> Encoder:
        """The same conditions where some numbers are given by terms."""
        other = copy(self)
        other.variables = list(self.variables)
        for name, term in terms.items():
            other.variables[self.columns.value[name]] = term
        other.forget()
        return other

    def forget(self) -> None:
        """Make the terms of all conditions anew."""
        self._conditions, self._same = {}, {}

    # --- what makes a request valid ----------------------------------------------------------------

    def validity(self, *, absent_as_lowest: bool = True) -> list[Term]:
        """What every valid request satisfies; optionally absent fields may read as anything."""
        return [
            *self.domains(),
            *(self.absences() if absent_as_lowest else ()),
            *self.text_laws(),
            *self.assumptions(),
            *self.lemmas,
        ]

    def domains(self) -> Iterator[Term]:
        """Every column lies in its domain."""
        for variable, column in zip(self.variables, self.columns.columns, strict=True):
            if z3.is_int(variable):
                yield self.inside(variable, column.domain)

    def absences(self) -> Iterator[Term]:
        """An absent field reads as its lowest value, the empty set, or the empty text."""
        for name, has in self.columns.has.items():
            absent = z3.Not(self.variables[has])
            for term in self._canonical(name):
                yield z3.Implies(absent, term)
        for (left, right), equal in self.columns.equal.items():
            both = [
                z3.Not(self.variables[self.columns.has[n]])
                for n in (left, right)
                if n in self.columns.has
            ]
            if len(both) == 2:
                yield z3.Implies(z3.And(both), self.variables[equal])

    def _canonical(self, name: str) -> Iterator[Term]:
        columns, variables = self.columns, self.variables
        if name in columns.value:
            yield variables[columns.value[name]] == columns.fields[name].lo
        for member in columns.members.get(name, ()):
            yield z3.Not(variables[member])
        numbers = columns.classes.get(name, ())
        empty = columns.texts.classes[name].class_of(b"") if numbers else ()
        for number, one in zip(numbers, empty, strict=True):
            yield variables[number] == one

    def text_laws(self) -> Iterator[Term]:
        """Facts of split fields; equal texts, equal classes; transitive equality; pigeonholes."""
        yield from self._facts
        equal = {pair: self.variables[n] for pair, n in self.columns.equal.items()}
        names = sorted({name for pair in equal for name in pair})
        for (left, right), same in equal.items():
            for a, b in zip(self.columns.classes[left], self.columns.classes[right], strict=True):
                yield z3.Implies(same, self.variables[a] == self.variables[b])
        for three in combinations(names, 3):
            pairs = [equal.get(pair) for pair in combinations(three, 2)]
            if all(pair is not None for pair in pairs):
                for i in range(3):
                    yield z3.Implies(z3.And(pairs[:i] + pairs[i + 1 :]), pairs[i])
        for most in range(1, min(len(names), 4)):
            for some in combinations(names, most + 1):
                yield from self._pigeonhole(some)

    @cached_property
    def _facts(self) -> tuple[Term, ...]:
        """What the columns of one text say of one another."""
        terms: dict[tuple[int, frozenset[int]], Term] = {}

        def one_of(number: int, allowed: frozenset[int]) -> Term:
            key = number, allowed
            if key not in terms:
                within = ranges.of_values(sorted(allowed))
                terms[key] = self.inside(self.variables[number], within)
            return terms[key]

        return tuple(
            z3.Or(
                [
                    one_of(numbers[i], allowed)
                    for i, allowed in ((fact.index, fact.classes), (fact.other, fact.others))
                    if allowed
                ]
            )
            for name, numbers in self.columns.classes.items()
            for fact in self.columns.texts.facts(name)
        )

    def at_hand(self) -> list[Term]:
        """That every text with several columns has the classes of a text that is at hand."""
        found = []
        for name, numbers in self.columns.classes.items():
            if len(numbers) > 1:
                rows = set(self.columns.texts.pool(name))
                if name in self.columns.has:
                    rows.add(self.columns.texts.classes[name].class_of(b""))
                found.append(z3.Or([self._row(numbers, row) for row in sorted(rows)]))
        return found

    def _row(self, numbers: tuple[int, ...], row: tuple[int, ...]) -> Term:
        return z3.And([self.variables[n] == c for n, c in zip(numbers, row, strict=True)])

    def _pigeonhole(self, names: tuple[str, ...]) -> Iterator[Term]:
        """Where all of these have a class with fewer texts than they are, two are equal."""
        columns = self.columns
        pairs = [columns.equal.get(pair) for pair in combinations(names, 2)]
        if any(pair is None for pair in pairs) or not columns.classes[names[0]]:
            return
        first = columns.classes[names[0]]
        for index, number in enumerate(first):
            few = [
                c
                for c in range(columns.texts.classes[names[0]].columns[index].classes)
                if self._texts_of(names, index, c) < len(names)
            ]
            if few:
                scarce = self.inside(self.variables[number], ranges.of_values(few))
                alike = [
                    self.variables[columns.classes[n][index]] == self.variables[number]
                    for n in names[1:]
                ]
                present = [self.variables[columns.has[n]] for n in names if n in columns.has]
                some = z3.Or([self.variables[p] for p in pairs if p is not None])
                yield z3.Implies(z3.And([scarce, *alike, *present]), some)

    def _texts_of(self, names: tuple[str, ...], index: int, number: int) -> int:
        texts = self.columns.texts.column(names[0], index)
        found: set[bytes] = set()
        for name in names:
            found.update(texts.of(self.columns.fields[name], number))
        return len(found)

    def assumptions(self) -> Iterator[Term]:
        """What the policy assumes of requests."""
        return (self.condition(one.condition) for one in self.columns.policy.assumptions)

    # --- expressions -------------------------------------------------------------------------------

    def condition(self, condition: ir.BoolExpr) -> Term:
        """A condition that does not speak of the decision; the same term for the same object."""
        found = self._conditions.get(id(condition))
        if found is None:
            found = condition, self._condition(condition)
            self._conditions[id(condition)] = found
        return found[1]

    def _condition(self, condition: ir.BoolExpr) -> Term:
        columns, variables = self.columns, self.variables
        match condition:
            case ir.BoolConst(value=value):
                return z3.BoolVal(value)
            case ir.Not(operand=operand):
                return z3.Not(self._condition(operand))
            case ir.And(operands=operands):
                return z3.And([self.condition(one) for one in operands])
            case ir.Or(operands=operands):
                return z3.Or([self.condition(one) for one in operands])
            case ir.InRanges(name=name, ranges=allowed):
                return self.inside(variables[columns.value[name]], allowed)
            case ir.Compare(op=op, left=left, right=right):
                return compare(op, self.integer(left), self.integer(right))
            case ir.SetTest(name=name, op=op, mask=mask):
                return self._set_test(name, op, mask)
            case ir.TextTest(name=name, patterns=patterns):
                return self._text_test(name, patterns)
            case ir.TextEqual(left=left, right=right):
                return variables[columns.equal[left, right]]
            case ir.Has(name=name):
                return variables[columns.has[name]] if name in columns.has else z3.BoolVal(True)
            case ir.DecisionIn():
                raise ValueError("a condition of a request speaks of the decision")
            case _:
                assert_never(condition)

    def same(self, a: ir.ArgValue, b: ir.ArgValue) -> Term:
        """Two arguments of one parameter have one value."""
        found = self._same.get((a, b))
        if found is None:
            found = self._same[a, b] = self._condition(argument_equal(a, b))
        return found

    def integer(self, expr: ir.IntExpr) -> Term:
        """An integer expression."""
        columns, variables = self.columns, self.variables
        match expr:
            case ir.IntConst(value=value):
                return z3.IntVal(value)
            case ir.FieldValue(name=name) if name in columns.members:
                bits = enumerate(columns.members[name])
                return total([z3.If(variables[n], 1 << i, 0) for i, n in bits])
            case ir.FieldValue(name=name):
                return variables[columns.value[name]]
            case ir.ParamValue(name=name):
                return variables[columns.param[name]]
            case ir.Arith(op=op, left=left, right=right):
                return arithmetic(op, self.integer(left), self.integer(right))
            case ir.FloorDiv(dividend=dividend, divisor=divisor):
                above = self.integer(dividend)
                # Z3 floors for positive divisors only
                return above / divisor if divisor > 0 else (-above) / (-divisor)
            case ir.Choose(condition=condition, then=then, otherwise=otherwise):
                return z3.If(
                    self._condition(condition), self.integer(then), self.integer(otherwise)
                )
            case _:
                assert_never(expr)

    def inside(self, variable: Term, allowed: Ranges) -> Term:
        """An integer lies in a set."""
        parts = [
            variable == lo if lo == hi else z3.And(variable >= lo, variable <= hi)
            for lo, hi in allowed
        ]
        return parts[0] if len(parts) == 1 else z3.Or(parts)

    def _set_test(self, name: str, op: ir.SetOp, mask: int) -> Term:
        members = [self.variables[n] for n in self.columns.members[name]]
        inside = [m for i, m in enumerate(members) if mask >> i & 1]
        outside = [m for i, m in enumerate(members) if not mask >> i & 1]
        match op:
            case ir.SetOp.ANY:
                return z3.Or(inside)
            case ir.SetOp.ALL:
                return z3.And(inside)
            case ir.SetOp.WITHIN:
                return z3.Not(z3.Or(outside))
            case _:
                assert_never(op)

    def _text_test(self, name: str, patterns: tuple[ir.Pattern, ...]) -> Term:
        accepting = self.columns.texts.classes[name].accepting(patterns)
        numbers = self.columns.classes[name]
        return z3.Or(
            [
                self.inside(self.variables[numbers[i]], ranges.of_values(classes))
                for i, classes in accepting.items()
                if classes
            ]
        )

    def box(self, box: Box) -> list[Term]:
        """A row lies in a box."""
        found = []
        for number, allowed in box.items():
            variable = self.variables[number]
            if z3.is_int(variable):
                found.append(self.inside(variable, allowed))
            elif allowed == ((1, 1),):
                found.append(variable)
            elif allowed == ((0, 0),):
                found.append(z3.Not(variable))
        return found

    def approved(self, rule: ir.Rule) -> Term:
        """Every role that a `require human` rule asks for has approved."""
        if rule.effect is not Effect.REQUIRE_HUMAN:
            return z3.BoolVal(False)
        roles = self.columns.policy.roles
        members = self.columns.members[ir.APPROVED]
        return z3.And([self.variables[members[roles.index(role)]] for role in rule.roles])


def compare(op: ir.CompareOp, left: Term, right: Term) -> Term:
    """`left op right`."""
    match op:
        case ir.CompareOp.EQ:
            return left == right
        case ir.CompareOp.NE:
            return left != right
        case ir.CompareOp.LT:
            return left < right
        case ir.CompareOp.LE:
            return left <= right
        case _:
            assert_never(op)


def arithmetic(op: ir.ArithOp, left: Term, right: Term) -> Term:
    """`left op right`."""
    match op:
        case ir.ArithOp.ADD:
            return left + right
        case ir.ArithOp.SUB:
            return left - right
        case ir.ArithOp.MUL:
            return left * right
        case ir.ArithOp.LEAST:
            return z3.If(left <= right, left, right)
        case ir.ArithOp.GREATEST:
            return z3.If(left >= right, left, right)
        case _:
            assert_never(op)
