"""A machine run on all requests at once.

In: a `machine.Function`, what its variables are, and how gathered values are read.  Out: the ways on
which it returns, each with what is returned and the cells stored, as trees over the variables; and
where something may happen that its language leaves undefined.

Where control meets again values are gathered (see `gathered.py`), so the work is linear in the length
of the function.  What always holds: code behind a return runs only where that return was not taken;
this is said once for all that comes behind it (`given`), and stands in no path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from govlang.verifier.translation import machine
from govlang.verifier.translation.gathered import (
    UNSET,
    Branch,
    Gathered,
    Value,
    Way,
    beginning,
    joined,
)
from govlang.verifier.translation.integers import ZERO, const
from govlang.verifier.translation.leaves import Leaf, Undefined
from govlang.verifier.translation.machine import Expr, Op, Select, Statement
from govlang.verifier.translation.paths import FREE, Path
from govlang.verifier.translation.reading import Reader
from govlang.verifier.translation.shapes import Taking, is_local, taking
from govlang.verifier.translation.tree import FALSE, TRUE, Tree, spans_of
from govlang.verifier.translation.words import OddCodeError, Words

Part = tuple[Tree, Sequence[Statement]]


@dataclass(slots=True)
class _State:
    """What the locals hold, and what was stored."""

    locals: dict[str, Value]
    cells: dict[str, Value]

    def copy(self) -> _State:
        return _State(dict(self.locals), dict(self.cells))


@dataclass(slots=True)
class Symbolic:
    """One run of a function."""

    words: Words
    variables: Callable[[str, Path], Tree]
    reader: Reader
    start: Path = FREE
    leaves: list[Leaf] = field(default_factory=list)
    undefined: list[Undefined] = field(default_factory=list)
    given: list[Tree] = field(default_factory=list)
    at: str = ""
    stored: Mapping[str, Tree] = field(default_factory=dict)
    """What cells hold before they are stored, of those that hold something."""

    def run(self, function: machine.Function) -> None:
        """Run the function; its ways and faults are found in `leaves` and `undefined`."""
        start: dict[str, Value] = {
            name: const(function.initial[name]) if name in function.initial else UNSET
            for name in function.locals
        }
        if self._block(function.body, _State(start, dict(self.stored)), self.start):
            self._doubt(self.start, TRUE)

    # --- statements ------------------------------------------------------------------------------

    def _block(self, statements: Sequence[Statement], state: _State, path: Path) -> bool:
        """Run statements; whether something comes behind them."""
        waiting = [iter(statements)]
        while waiting:
            statement = next(waiting[-1], None)
            if statement is None:
                waiting.pop()
                continue
            self.at = statement.at
            following = self._statement(statement, state, path)
            if following is None:
                return False
            waiting.append(iter(following))
        return True

    def _statement(
        self, statement: Statement, state: _State, path: Path
    ) -> Sequence[Statement] | None:
        """Run a statement; what is left to be run in the same state, None if nothing comes behind."""
        self.words.domain.deadline.raise_if_over()
        match statement:
            case machine.Set(name=name, value=value):
                state.locals[name] = self._set(name, value, state, path)
                return ()
            case machine.Store(name=name, value=value):
                state.cells[name] = self._kept(value, state, path)
                return ()
            case machine.If():
                return self._if(statement, state, path)
            case machine.Switch():
                return self._split(list(self._parts(statement, state, path)), state, path)
            case machine.Return(value=value):
                returned = self.value(value, state, path)
                self.leaves.append(Leaf(path, tuple(self.given), returned, dict(state.cells)))
                self.given.append(self.words.domain.neg(path.tree(self.words.domain)))
                return None
            case _:
                assert_never(statement)

    def _if(self, one: machine.If, state: _State, path: Path) -> Sequence[Statement] | None:
        match one.then:
            case (machine.Set(name=name, value=value),) if not one.otherwise:
                width = 64  # of no account: the local is kept as it is
                chosen = Select(width, one.condition, value, machine.Local(width, name))
                state.locals[name] = self._set(name, chosen, state, path)
                return ()
        condition = self.condition(one.condition, state, path)
        if path is self.start:
            condition = self.reader.settled(condition)
        parts = [(condition, one.then), (self.words.domain.neg(condition), one.otherwise)]
        return self._split(parts, state, path)

    def _parts(self, one: machine.Switch, state: _State, path: Path) -> Sequence[Part]:
        subject, words = self.value(one.subject, state, path), self.words
        conditions = [words.within(subject, spans_of(values)) for values, _ in one.parts]
        every = spans_of(value for values, _ in one.parts for value in values)
        conditions.append(words.domain.neg(words.within(subject, every)))
        bodies = [*(body for _, body in one.parts), one.otherwise]
        simple = [path.simplified(condition, words.domain) for condition in conditions]
        return list(zip(simple, bodies, strict=True))

    def _split(
        self, parts: Sequence[Part], state: _State, path: Path
    ) -> Sequence[Statement] | None:
        """Run parts of which one is taken; what is the only one is left to be run in the same state."""
        ways = []
        for condition, body in parts:
            way = path.narrowed(condition, self.words.domain)
            if way is not None:
                ways.append((way, body))
        ways.sort(key=lambda way: not _returns(way[1]))
        ends: list[tuple[Path, _State]] = []
        for number, (way, body) in enumerate(ways):
            if not ends and number == len(ways) - 1:
                return body
            own = state.copy()
            if self._block(body, own, way):
                ends.append((way, own))
        if not ends:
            return None
        self._join(state, ends)
        return ()

    def _join(self, state: _State, ends: Sequence[tuple[Path, _State]]) -> None:
        """Behind ways that meet again; a single one has been left by all others."""
        if len(ends) == 1:
            state.locals, state.cells = ends[0][1].locals, ends[0][1].cells
            return
        for name, base in state.locals.items():
            branches = [Branch(way, own.locals[name]) for way, own in ends]
            state.locals[name] = self._joined(base, branches)
        for name in {name: None for _, own in ends for name in own.cells}:
            branches = [Branch(way, own.cells.get(name, UNSET)) for way, own in ends]
            state.cells[name] = self._joined(state.cells.get(name, UNSET), branches)

    def _joined(self, base: Value, branches: Sequence[Branch]) -> Value:
        """The value behind a split; bits that are set where there were none are gathered."""
        if base == ZERO and any(_is_mask(branch.value) for branch in branches):
            masks = [self._as_bits(base, branch) for branch in branches]
            branches = branches if None in masks else [mask for mask in masks if mask is not None]
        return joined(base, branches)

    def _as_bits(self, base: Value, branch: Branch) -> Branch | None:
        """A branch on which a value was set, as one on which its bits were gathered."""
        value = branch.value
        if value is base:
            return branch
        start = value.start if isinstance(value, Gathered) else value
        if isinstance(start, Gathered) or (
            isinstance(value, Gathered) and value.way is not Way.BITS
        ):
            return None
        found = self._with_bits(Gathered(Way.BITS, base), branch.path, start)
        if found is None:
            return None
        for item in value.items() if isinstance(value, Gathered) else ():
            found = found.added(item.path, item.value)
        return Branch(branch.path, found)

    def _with_bits(self, base: Gathered, path: Path, value: Tree) -> Gathered | None:
        """With the bits of a value, each where it is set; None if they are not known."""
        if value[0] == "const":
            return base.added(path, value)
        bits = self.words.bits(value, 64)
        if bits is None:
            return None
        weights = dict(value[1]) if value[0] == "word" else {}
        weights = weights or {(1 << bit) - (bit == 63) * 2**64: c for bit, c in bits.items()}
        for weight, condition in weights.items():
            way = path.narrowed(path.simplified(condition, self.words.domain), self.words.domain)
            if way is not None:
                base = base.added(way, const(weight))
        return base

    # --- assignments -----------------------------------------------------------------------------

    def _set(self, name: str, expr: Expr, state: _State, path: Path) -> Value:
        """What a local holds when it is set."""
        if is_local(expr, name):
            return state.locals[name]
        shape = taking(name, expr)
        if shape is not None:
            taken = self._taken(name, shape, state, path)
            if taken is not None:
                return taken
        if isinstance(expr, Select) and any(
            is_local(arm, name) or taking(name, arm) for arm in (expr.then, expr.otherwise)
        ):
            return self._set_by_choice(name, expr, state, path)
        return self._kept(expr, state, path, is_set=True)

    def _set_by_choice(self, name: str, expr: Select, state: _State, path: Path) -> Value:
        condition, domain = self.condition(expr.condition, state, path), self.words.domain
        ways = (
            (path.narrowed(condition, domain), expr.then),
            (path.narrowed(domain.neg(condition), domain), expr.otherwise),
        )
        branches = [
            Branch(way, self._set(name, arm, state, way)) for way, arm in ways if way is not None
        ]
        if len(branches) == 1:
            return branches[0].value
        return self._joined(state.locals[name], branches)

    def _taken(self, name: str, shape: Taking, state: _State, path: Path) -> Value | None:
        """A local with one more value; None if the shape says something else after all."""
        flags = [self.value(other, state, path) for other in shape.others]
        if any(self.words.flag(one) is None for one in flags):
            return None
        base, value = state.locals[name], self.value(shape.value, state, path)
        if base is UNSET:
            self._doubt(path, TRUE)
        if shape.unsigned and not self._counts(base, value):
            return None
        condition = self.words.domain.conj([self.words.truth(flag) for flag in flags])
        way = path.narrowed(path.simplified(condition, self.words.domain), self.words.domain)
        if way is None:
            return base
        return self._added(beginning(shape.way, base), way, value)

    def _counts(self, base: Value, value: Tree) -> bool:
        """Whether all values are the same with and without a sign."""
        if not isinstance(base, Gathered):
            return self.words.span(base)[0] >= 0 and self.words.span(value)[0] >= 0
        whole = [base.start, *(item.value for item in base.items())]
        return all(not isinstance(one, Gathered) and self._counts(one, value) for one in whole)

    def _added(self, base: Gathered, path: Path, value: Tree) -> Gathered:
        """What was gathered with one more value, in parts where it is a choice."""
        words = self.words
        if base.way is Way.BITS:
            found = self._with_bits(base, path, value)
            if found is None:
                raise OddCodeError("bits of a number are gathered")
            return found
        if value[0] != "if":
            return base.added(path, value)
        for condition, part in ((value[1], value[2]), (words.domain.neg(value[1]), value[3])):
            way = path.narrowed(path.simplified(condition, words.domain), words.domain)
            if way is not None:
                base = self._added(base, way, part)
        return base

    def _kept(self, expr: Expr, state: _State, path: Path, *, is_set: bool = False) -> Value:
        """A value that is moved as it is; a condition that is set where every request comes has a name."""
        if isinstance(expr, machine.Local) and isinstance(state.locals[expr.name], Gathered):
            return state.locals[expr.name]
        value = self.value(expr, state, path)
        if is_set and path is self.start:
            value = self.reader.settled_integer(value)
            if value[0] == "truth":
                return self.words.number(self.reader.named(value[1]))
        return value

    # --- expressions -----------------------------------------------------------------------------

    def value(self, expr: Expr, state: _State, path: Path) -> Tree:
        """The value of an expression, as a signed integer of its width."""
        return self.reader.known(self._value(expr, state, path))

    def _value(self, expr: Expr, state: _State, path: Path) -> Tree:
        match expr:
            case machine.Const(value=number):
                return const(number)
            case machine.Local(name=name):
                return self._read(state.locals[name], path)
            case machine.Cell(name=name):
                return self.variables(name, path)
            case machine.Binary(op=op, width=width, left=left, right=right, exact=exact):
                a, b = self.value(left, state, path), self.value(right, state, path)
                if op is Op.SHR_U and a[0] == "const" != b[0]:
                    near = path.near(b, self.words.span(b))
                    found, bad = self.words.window(width, a[1], b, near, exact=exact)
                else:
                    found, bad = self.words.operate(op, width, a, b, exact=exact)
                self._doubt(path, path.simplified(bad, self.words.domain))
                return found
            case machine.Compared(test=test, width=width, left=left, right=right):
                a, b = self.value(left, state, path), self.value(right, state, path)
                condition = self.words.tested(test, width, a, b)
                return self.words.number(path.simplified(condition, self.words.domain))
            case machine.Select():
                return self._select(expr, state, path)
            case machine.Wrap(operand=operand):
                return self.words.wrapped(32, self.value(operand, state, path))
            case machine.Extend(operand=operand, signed=signed):
                value = self.value(operand, state, path)
                return self.words.extended(value, keeps_sign=signed)
            case machine.Lowest(operand=operand, numbers=numbers, none=none):
                bits = self.words.lowest(self.value(operand, state, path))
                named = ((self.reader.named(condition), const(numbers[n])) for n, condition in bits)
                return self.reader.first(tuple(named), const(none))
            case _:
                assert_never(expr)

    def condition(self, expr: Expr, state: _State, path: Path) -> Tree:
        """Whether an expression is not 0; one of several bits is, where some of them is."""
        if isinstance(expr, machine.Binary) and expr.op is Op.OR:
            sides = (self.condition(side, state, path) for side in (expr.left, expr.right))
            return path.simplified(self.words.domain.disj(list(sides)), self.words.domain)
        tree = self.value(expr, state, path)
        flag = self.words.flag(tree)
        condition = self.words.truth(tree) if flag is None else flag
        return path.simplified(condition, self.words.domain)

    def _select(self, expr: Select, state: _State, path: Path) -> Tree:
        domain = self.words.domain
        condition = self.condition(expr.condition, state, path)
        then = path.narrowed(condition, domain)
        otherwise = path.narrowed(domain.neg(condition), domain)
        if then is None:
            return self.value(expr.otherwise, state, path)
        if otherwise is None:
            return self.value(expr.then, state, path)
        a = self.value(expr.then, state, then)
        return self.words.chosen(condition, a, self.value(expr.otherwise, state, otherwise))

    def _read(self, value: Value, path: Path) -> Tree:
        tree = self._gathered(value, path) if isinstance(value, Gathered) else value
        while tree[0] == "if":
            condition = path.simplified(tree[1], self.words.domain)
            if condition not in (TRUE, FALSE):
                break
            tree = tree[2] if condition == TRUE else tree[3]
        if tree[0] == "truth":
            tree = self.words.number(path.simplified(tree[1], self.words.domain))
        return self._set_value(tree, path)

    def _gathered(self, value: Gathered, path: Path) -> Tree:
        tree = self.reader.read(value, path)
        return self.reader.settled_integer(tree) if path is self.start else tree

    def _set_value(self, tree: Tree, path: Path) -> Tree:
        """A value that was set on every way here; else that is a fault."""
        if tree == UNSET:
            self._doubt(path, TRUE)
            return ZERO
        if tree[0] != "if" or UNSET not in tree[2:]:
            return tree
        condition = tree[1] if tree[2] == UNSET else self.words.domain.neg(tree[1])
        self._doubt(path, path.simplified(condition, self.words.domain))
        return self._set_value(tree[3] if tree[2] == UNSET else tree[2], path)

    def _doubt(self, path: Path, condition: Tree) -> None:
        if condition != FALSE:
            self.undefined.append(Undefined(path, tuple(self.given), condition, self.at))


def _is_mask(value: Value) -> bool:
    return value.way is Way.BITS if isinstance(value, Gathered) else value[0] in ("truth", "word")


def _returns(body: Sequence[Statement]) -> bool:
    return bool(body) and isinstance(body[-1], machine.Return)
