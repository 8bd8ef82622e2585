"""The solver's part of the proof: whether two trees differ for any request, and for which one.

In: trees over the columns of a table.  Out: a verdict and, where they differ, requests to try.

Numbers are unbounded integers; where a program of the table could leave int64, that counts as a
difference, since its arithmetic wraps.  Texts are the cells of their columns (see `texts.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import z3

from govlang.compiler import ir
from govlang.native.layout import ColumnKind
from govlang.verifier.smtlib import Watch, ask, total
from govlang.verifier.translation.source import ClassColumn, Layout
from govlang.verifier.translation.tree import Spans, Tree, spans_of

Values = dict[str, int | str]

_TRIES: Final = 8
_COMBINATIONS: Final = 64


class Answer(StrEnum):
    """What the solver says of a difference."""

    NONE = "none"
    SOME = "some"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A request to try, with parameters."""

    values: Values
    params: dict[str, int]


class Solver:
    """One solver for all questions about a table; what is valid is asserted once."""

    def __init__(self, layout: Layout, timeout_s: float, watch: Watch | None = None) -> None:
        """`timeout_s` bounds each question, of which `watch` is told every one."""
        self.layout = layout
        self.watch = watch
        self.timeout_s = timeout_s
        self.deadline = layout.domain.deadline
        self.solver: Any = z3.Solver()
        self.words: dict[int, Any] = {}
        self.bits: dict[int, list[Any]] = {}
        self.cells: dict[tuple[str, int], Any] = {}
        self.known: dict[Tree, Any] = {}
        for number, column in enumerate(layout.columns):
            self._declare(number, column.kind)
        for one in layout.policy.fields:
            self._declare_text(one)
        self._tie()

    # --- what is valid ---------------------------------------------------------------------------

    def _declare(self, number: int, kind: ColumnKind) -> None:
        spans = self.layout.domain.spans[number]
        if spans is None:
            count = self.layout.domain.members[number]
            self.bits[number] = [z3.Bool(f"b{number}_{i}") for i in range(count)]
        elif kind is not ColumnKind.CLASS:
            self.words[number] = z3.Int(f"w{number}")
            self.solver.add(_within(self.words[number], spans))

    def _declare_text(self, one: ir.Field) -> None:
        columns = self.layout.texts[one.name].columns if one.is_text else ()
        for part in range(len(columns)):
            self.cells[one.name, part] = z3.Int(f"t_{one.name}_{part}")

    def _tie(self) -> None:
        """At a request its fields are valid; at another sample they are absent, all texts the empty one."""
        fields, kind = self.layout.policy.fields, self.layout.value.get(ir.SAMPLE)
        valid = [claim for one in fields for claim in self._valid(one)]
        if (
            kind is None
            or kind >= len(self.layout.columns)
            or self.layout.domain.spans[kind] == ((ir.REQUEST, ir.REQUEST),)
        ):
            self.solver.add(*valid)
            return
        absent = [claim for one in fields for claim in self._absent(one)]
        absent += [self.words[column] == 1 for column in self.layout.equal.values()]
        assert kind is not None
        asked = self.words[kind] == ir.REQUEST
        self.solver.add(z3.If(asked, z3.And(*valid), z3.And(*absent)))
        time = self.layout.policy.time
        for number, sample in enumerate(time.samples if time else ()):
            names = [one for one in sample.fields if not one.is_text]
            lowest = [self._lowest(self.layout.value[one.name], one) for one in names]
            own = self.words[kind] == ir.FIRST_KIND + number
            self.solver.add(z3.Or(own, z3.And(*lowest)))

    def _valid(self, one: ir.Field) -> Iterator[Any]:
        """Absent fields read as their lowest value; texts have the cell of a valid text."""
        has = self.layout.has.get(one.name)
        absent = None if has is None else self.words[has] == 0
        if one.is_text:
            yield from self._valid_text(one, absent)
        elif absent is not None:
            yield z3.Implies(absent, self._lowest(self.layout.value[one.name], one))

    def _lowest(self, column: int, one: ir.Field) -> Any:
        bits = self.bits.get(column)
        return self.words[column] == one.lo if bits is None else z3.Not(z3.Or(*bits))

    def _valid_text(self, one: ir.Field, absent: Any) -> Iterator[Any]:
        for part, column in enumerate(self.layout.texts[one.name].columns):
            cell = self.cells[one.name, part]
            valid = _within(cell, spans_of(i for i, c in enumerate(column.cells) if c.examples))
            yield valid if absent is None else z3.If(absent, cell == 0, valid)

    def _absent(self, one: ir.Field) -> Iterator[Any]:
        """A field at a sample that does not bring it; cell 0 has the empty text."""
        if one.name in self.layout.has:
            yield self.words[self.layout.has[one.name]] == 0
        if not one.is_text:
            yield self._lowest(self.layout.value[one.name], one)
        parts = range(len(self.layout.texts[one.name].columns)) if one.is_text else ()
        yield from (self.cells[one.name, part] == 0 for part in parts)

    # --- trees -----------------------------------------------------------------------------------

    def condition(self, tree: Tree) -> Any:
        """A condition as a formula."""
        if tree not in self.known:
            self.known[tree] = self._condition(tree)
        return self.known[tree]

    def _condition(self, tree: Tree) -> Any:
        match tree[0]:
            case "true" | "false":
                return z3.BoolVal(tree[0] == "true")
            case "in":
                return self._inside(tree[1], tree[2])
            case "bit":
                return self.bits[tree[1]][tree[2]]
            case "any":
                bits = self.bits[tree[1]]
                return z3.Or(*(bit for i, bit in enumerate(bits) if tree[2] >> i & 1))
            case "eq":
                return self.integer(tree[1]) == self.integer(tree[2])
            case "lt":
                return self.integer(tree[1]) < self.integer(tree[2])
            case "le":
                return self.integer(tree[1]) <= self.integer(tree[2])
            case "ne0":
                return self.integer(tree[1]) != 0
            case "text":
                return self._text(tree[1], tree[2])
            case "same":
                return z3.Bool(f"same_{tree[1]}_{tree[2]}")
            case "not":
                return z3.Not(self.condition(tree[1]))
            case "and":
                return z3.And(*(self.condition(part) for part in tree[1:]))
            case _:
                assert tree[0] == "or", tree
                return z3.Or(*(self.condition(part) for part in tree[1:]))

    def _inside(self, number: int, spans: Spans) -> Any:
        if number in self.words:
            return _within(self.words[number], spans)
        name, part, column = self._class_column(number)
        inside = (
            i
            for i, cell in enumerate(column.cells)
            if cell.number is not None and any(lo <= cell.number <= hi for lo, hi in spans)
        )
        return _within(self.cells[name, part], spans_of(inside))

    def _class_column(self, number: int) -> tuple[str, int, ClassColumn]:
        return next(
            (name, part, column)
            for name, model in self.layout.texts.items()
            for part, column in enumerate(model.columns)
            if column.column == number
        )

    def _text(self, name: str, pattern: ir.Pattern) -> Any:
        columns = self.layout.texts[name].columns
        part = next(i for i, column in enumerate(columns) if pattern in column.patterns)
        index = columns[part].patterns.index(pattern)
        matching = (i for i, cell in enumerate(columns[part].cells) if index in cell.matched)
        return _within(self.cells[name, part], spans_of(matching))

    def integer(self, tree: Tree) -> Any:
        """An integer as a term."""
        if tree not in self.known:
            self.known[tree] = self._integer(tree)
        return self.known[tree]

    def _integer(self, tree: Tree) -> Any:
        match tree[0]:
            case "const":
                return z3.IntVal(tree[1])
            case "load":
                return self._load(tree[1])
            case "floor":
                return _floor(self.integer(tree[1]), tree[2])
            case "if":
                return self._cases(tree)
            case "truth":
                return z3.If(self.condition(tree[1]), z3.IntVal(1), z3.IntVal(0))
            case _:
                a, b = self.integer(tree[1]), self.integer(tree[2])
                return _arithmetic(tree[0], a, b)

    def _cases(self, tree: Tree) -> Any:
        """An `if`, whose cases may be as many as the rules: what lies behind `else` does not nest."""
        chain = []
        while tree[0] == "if" and tree not in self.known:
            chain.append(tree)
            tree = tree[3]
        found = self.integer(tree)
        for one in reversed(chain):
            found = self.known[one] = z3.If(self.condition(one[1]), self.integer(one[2]), found)
        return found

    def _load(self, number: int) -> Any:
        if number in self.words:
            return self.words[number]
        if number in self.bits:
            weights = [-(2**63) if i == 63 else 2**i for i in range(len(self.bits[number]))]
            return total(
                [z3.If(bit, w, 0) for bit, w in zip(self.bits[number], weights, strict=True)]
            )
        name, part, column = self._class_column(number)
        value = z3.IntVal(0)
        for i, cell in enumerate(column.cells):
            value = z3.If(self.cells[name, part] == i, z3.IntVal(cell.number or 0), value)
        return value

    # --- questions -------------------------------------------------------------------------------

    def answer(self, claims: Sequence[Any]) -> Answer:
        """Whether some valid request satisfies all the claims."""
        found = self._ask(claims)
        if found == z3.unsat:
            return Answer.NONE
        return Answer.SOME if found == z3.sat else Answer.UNKNOWN

    def _ask(self, claims: Sequence[Any]) -> Any:
        """The verdict on claims, within the time of a question and what is left of that of the proof.

        Raises:
            OutOfTimeError: nothing is left.
        """
        seconds = min(self.timeout_s, self.deadline.left_s())
        self.solver.set("timeout", max(1, int(seconds * 1000)))
        return ask(self.solver, claims, self.watch)

    def differ(self, ours: Tree, theirs: Tree) -> Any:
        """The claim that a condition of the policy and one of the table differ."""
        return z3.Or(z3.Xor(self.condition(ours), self.condition(theirs)), *self.overflows(theirs))

    def differ_as_integers(self, ours: Tree, theirs: Tree) -> Any:
        """The claim that two integers differ."""
        return z3.Or(self.integer(ours) != self.integer(theirs), *self.overflows(theirs))

    def overflows(self, tree: Tree) -> Iterator[Any]:
        """The claims that a part of a program leaves int64."""
        for part in _parts(tree, set()):
            if part[0] in {"+", "-", "*", "floor"}:
                term = self.integer(part)
                yield z3.Or(term < -(2**63), term >= 2**63)

    def candidates(self, claims: Sequence[Any]) -> Iterator[Candidate]:
        """Requests that satisfy the claims, a few, as different as the solver likes."""
        self.solver.push()
        self.solver.add(*claims)
        try:
            for _ in range(_TRIES):
                if self._ask(()) != z3.sat:
                    return
                model = self.solver.model()
                yield from self._candidates(model)
                self.solver.add(self._another(model))
        finally:
            self.solver.pop()

    def _another(self, model: Any) -> Any:
        terms = [*self.words.values(), *self.cells.values(), *itertools.chain(*self.bits.values())]
        return z3.Or(*(term != model.eval(term, model_completion=True) for term in terms))

    def _candidates(self, model: Any) -> Iterator[Candidate]:
        layout = self.layout
        number = {c: model.eval(w, model_completion=True).as_long() for c, w in self.words.items()}
        params = {name: number[column] for name, column in layout.param.items()}
        values: Values = {}
        texts: dict[str, Sequence[str]] = {}
        for one in layout.policy.fields:
            if one.name in layout.has and number[layout.has[one.name]] == 0:
                continue
            if one.is_text:
                texts[one.name] = self._examples(one.name, model)
                continue
            values[one.name] = self._value(layout.value[one.name], model, number)
        for column, name in layout.remembered.items():
            values[name] = self._value(column, model, number)
        for chosen in self._spelled(texts, number):
            yield Candidate(values | chosen, params)

    def _value(self, column: int, model: Any, number: Mapping[int, int]) -> int:
        if column not in self.bits:
            return number[column]
        return sum(
            1 << i
            for i, bit in enumerate(self.bits[column])
            if z3.is_true(model.eval(bit, model_completion=True))
        )

    def _examples(self, name: str, model: Any) -> Sequence[str]:
        """Texts of the chosen cells, at best of all of them at once."""
        chosen = [
            column.cells[
                model.eval(self.cells[name, part], model_completion=True).as_long()
            ].examples
            for part, column in enumerate(self.layout.texts[name].columns)
        ]
        every = [text for examples in chosen for text in examples]
        common = [text for text in every if all(text in examples for examples in chosen)]
        return list(dict.fromkeys((common or every)[:4])) or ["a", "b", ""]

    def _spelled(
        self, texts: Mapping[str, Sequence[str]], number: Mapping[int, int]
    ) -> Iterator[Values]:
        """Texts for all fields; first those that are equal where the model says so."""
        names = list(texts)
        combined = itertools.islice(
            itertools.product(*(self._with_twins(name, texts) for name in names)), _COMBINATIONS
        )
        found = [dict(zip(names, chosen, strict=True)) for chosen in combined]

        def wrong(chosen: dict[str, str]) -> int:
            return sum(
                (chosen.get(left, "") == chosen.get(right, "")) != bool(number[column])
                for (left, right), column in self.layout.equal.items()
            )

        for chosen in sorted(found, key=wrong)[:4]:
            yield dict(chosen)

    def _with_twins(self, name: str, texts: Mapping[str, Sequence[str]]) -> list[str]:
        """The texts of a field, and of those that it is compared with."""
        found = list(texts[name])
        for left, right in self.layout.equal:
            other = right if left == name else left if right == name else None
            if other is not None:
                found += texts.get(other, ())
        return list(dict.fromkeys(found))


def _within(term: Any, spans: Spans) -> Any:
    parts = [term == lo if lo == hi else z3.And(term >= lo, term <= hi) for lo, hi in spans]
    return z3.Or(*parts) if parts else z3.BoolVal(False)


def _floor(term: Any, divisor: int) -> Any:
    """Division that floors: the solver's has a remainder that is never negative."""
    return term / divisor if divisor > 0 else (-term) / (-divisor)


def _arithmetic(op: str, a: Any, b: Any) -> Any:
    match op:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "least":
            return z3.If(a <= b, a, b)
        case _:
            assert op == "greatest", op
            return z3.If(a >= b, a, b)


def _parts(tree: Tree, seen: set[Tree]) -> Iterator[Tree]:
    """A tree and what it is made of, each once."""
    if tree in seen:
        return
    seen.add(tree)
    yield tree
    for part in tree[1:]:
        if isinstance(part, tuple) and part and isinstance(part[0], str):
            yield from _parts(part, seen)
