"""The solver's part of the proof of an artefact: names, tables, words and wrap-around as formulas.

In: trees of both sides over variables and names.  Out: verdicts and requests, as in `solve.py`.

Names stand for what was gathered: a column of its own for the first of several conditions, an integer
for the least or greatest value, a rule that stands.  What they mean is asserted when they are met, once
and for all.  Rules are met as plain truth values (`Rules.FREE`), which proves most things quickly, or
spelt out as their conditions (`Rules.SPELT`), which has the last word.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

import z3

from govlang.verifier.smtlib import Watch, ask, total
from govlang.verifier.translation.gathered import Way
from govlang.verifier.translation.guards import Guards
from govlang.verifier.translation.machine_run import signed
from govlang.verifier.translation.solve import Answer, Solver
from govlang.verifier.translation.source import Layout
from govlang.verifier.translation.tree import Spans, Tree


class Rules(Enum):
    """What the solver knows of when a rule fires: nothing, or its condition."""

    FREE = "free"
    SPELT = "spelt"


class MachineSolver(Solver):
    """One solver for questions about an artefact, whose variables are in their domains."""

    def __init__(
        self,
        layout: Layout,
        guards: Guards,
        timeout_s: float,
        rules: Rules,
        watch: Watch | None = None,
    ) -> None:
        super().__init__(layout, timeout_s, watch)
        self.guards = guards
        self.rules = rules
        self.standing = {name: tree for tree, name in guards.names.items()}
        self._tie_pairs()

    def _tie_pairs(self) -> None:
        """A pair counts as different where one of its texts is absent."""
        for (left, right), column in self.layout.equal.items():
            for name in (left, right):
                if name in self.layout.has:
                    absent = self.words[self.layout.has[name]] == 0
                    self.solver.add(z3.Implies(absent, self.words[column] == 0))

    # --- columns ---------------------------------------------------------------------------------

    def _inside(self, number: int, spans: Any) -> Any:
        self._meet(number)
        return super()._inside(number, spans)

    def _load(self, number: int) -> Any:
        self._meet(number)
        return super()._load(number)

    def _meet(self, number: int) -> None:
        """Declare a column that is no variable of the policy."""
        count = len(self.layout.columns)
        if number < count or number in self.words or number in self.bits:
            return
        if number in self.guards.firsts:
            self._meet_first(number, self.guards.firsts[number])
            return
        spans = self.guards.spans[number]
        if spans is None:
            members = range(self.guards.members[number])
            self.bits[number] = [z3.Bool(f"b{number}_{i}") for i in members]
        else:
            word = self.words[number] = z3.Int(f"w{number}")
            self.solver.add(z3.Or(*(z3.And(lo <= word, word <= hi) for lo, hi in spans)))
            cuts = self.guards.cuts
            if self.rules is Rules.SPELT and cuts is not None and number in cuts.defined:
                self.solver.add(word == self.integer(cuts.defined[number]))

    def _meet_first(self, number: int, conditions: Sequence[Tree]) -> None:
        word = self.words[number] = z3.Int(f"first{number}")
        found = z3.IntVal(len(conditions))
        for i in range(len(conditions) - 1, -1, -1):
            found = z3.If(self.condition(conditions[i]), z3.IntVal(i), found)
        self.solver.add(word == found)

    # --- trees -----------------------------------------------------------------------------------

    def _condition(self, tree: Tree) -> Any:
        match tree[0]:
            case "rule":
                if self.rules is Rules.SPELT:
                    return self.condition(self.guards.rules[tree[1]])
                return z3.Bool(f"rule{tree[1]}")
            case "stand":
                found = z3.Bool(f"stand{tree[1]}")
                self.solver.add(found == self.condition(self.standing[tree]))
                return found
            case "bit" | "any":
                self._meet(tree[1])
                return super()._condition(tree)
            case "below":
                self._meet(tree[1])
                self._meet(tree[2])
                one, other = self.words[tree[1]], self.words[tree[2]]
                cases = (z3.And(other == i, one < n) for i, n in enumerate(tree[3]) if n)
                return z3.Or(*cases)
            case _:
                return super()._condition(tree)

    def _integer(self, tree: Tree) -> Any:
        match tree[0]:
            case "map":
                self._meet(tree[1])
                return _table(self.words[tree[1]], tree[2], 0, len(tree[2]))
            case "cases":
                found = z3.IntVal(tree[2])
                for condition, value in tree[1]:
                    found = z3.If(self.condition(condition), z3.IntVal(value), found)
                return found
            case "word":
                parts = [z3.If(self.condition(c), weight, 0) for weight, c in tree[1]]
                return total(parts)
            case "wrap":
                half = 1 << (tree[1] - 1)
                return (self.integer(tree[2]) + half) % (2 * half) - half
            case "trunc":
                return _truncated(self.integer(tree[1]), tree[2])
            case "rem":
                term = self.integer(tree[1])
                return term - tree[2] * _truncated(term, tree[2])
            case "gathered":
                return self._gathered(tree)
            case "union" | "common":
                return self._of_bits(tree)
            case "window":
                return self._window(tree)
            case "unset":
                return z3.Int("unset")  # anything, so that it is never proved equal
            case _:
                return super()._integer(tree)

    def _gathered(self, tree: Tree) -> Any:
        found = z3.Int(f"gathered{tree[1]}")
        lo, hi = self.guards.words.span(tree)
        self.solver.add(lo <= found, found <= hi)
        way, start, pairs = self.guards.gathers[tree]
        best = self.integer(start)
        for condition, value in pairs:
            term = self.integer(value)
            better = term < best if way is Way.LEAST else term > best
            best = z3.If(z3.And(self.condition(condition), better), term, best)
        self.solver.add(found == best)
        return found

    def _of_bits(self, tree: Tree) -> Any:
        """The bits that one of two numbers has, or both: anything in its span unless one is 0, or they are the same."""
        lo, hi = self.guards.words.span(tree)
        found, (a, b) = z3.FreshInt(tree[0]), map(self.integer, tree[1:])
        self.solver.add(lo <= found, found <= hi, z3.Implies(a == b, found == a))
        if tree[0] == "common":
            self.solver.add(z3.Implies(z3.Or(a == 0, b == 0), found == 0))
        else:
            self.solver.add((found == 0) == z3.And(a == 0, b == 0))
            self.solver.add(z3.Implies(a == 0, found == b), z3.Implies(b == 0, found == a))
        return found

    def _window(self, tree: Tree) -> Any:
        """A constant shifted to the right by a count, which is taken modulo the width."""
        _, width, mask, count, _ = tree
        values = [signed(mask >> n, width) for n in range(width)]
        return _table(self.integer(count) % width, values, 0, width)

    # --- questions -------------------------------------------------------------------------------

    def answer_alone(self, claims: Sequence[Any], spans: Sequence[Spans | None]) -> Answer:
        """Whether something satisfies the claims, of which nothing is known but what columns can hold.

        A small question of its own takes a tenth of the time that it takes beside all that is known.
        """
        alone: Any = z3.Solver()
        for number in sorted(_numbers(claims)):
            if number in self.words and (own := spans[number]) is not None:
                alone.add(_within(self.words[number], own))
        alone.set("timeout", max(1, int(min(self.timeout_s, self.deadline.left_s()) * 1000)))
        found = ask(alone, claims, self.watch)
        return Answer.NONE if found == z3.unsat else Answer.SOME

    def unlike(self, ours: Tree, theirs: Tree) -> Any:
        """The claim that two conditions differ."""
        return z3.Xor(self.condition(ours), self.condition(theirs))

    def unequal(self, ours: Tree, theirs: Tree) -> Any:
        """The claim that two integers differ."""
        return self.integer(ours) != self.integer(theirs)


def _numbers(claims: Sequence[Any]) -> set[int]:
    """The columns whose words some claims speak of."""
    found: set[int] = set()
    waiting, seen = list(claims), set[int]()
    while waiting:
        one = waiting.pop()
        if one.get_id() in seen:
            continue
        seen.add(one.get_id())
        name = one.decl().name() if z3.is_const(one) else ""
        if name.startswith("w") and name[1:].isdigit():
            found.add(int(name[1:]))
        waiting += one.children()
    return found


def _within(term: Any, spans: Spans) -> Any:
    return z3.Or(*(z3.And(lo <= term, term <= hi) for lo, hi in spans))


def _table(word: Any, values: Sequence[int], first: int, end: int) -> Any:
    """The value of a table, by halves."""
    if all(value == values[first] for value in values[first:end]):
        return z3.IntVal(values[first])
    middle = (first + end) // 2
    return z3.If(
        word < middle, _table(word, values, first, middle), _table(word, values, middle, end)
    )


def _truncated(term: Any, divisor: int) -> Any:
    return z3.If(term >= 0, term / divisor, -((-term) / divisor))
