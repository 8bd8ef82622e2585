"""The walk to the rules that may fire, as statements: the diagram printed as a tree.

In: a diagram, where its words are, and what a rule that fires does.  Out: statements.

What always holds: whenever a rule fires, its statements run under a condition that is its own; at a
leaf nothing is tested that the way to it has settled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import assert_never

from govlang.compiler import ir
from govlang.compiler.boxes import Axis, ranges_of
from govlang.compiler.nodes import Block, Diagram, Entry, Split
from govlang.compiler.nodes import Switch as SwitchNode
from govlang.compiler.program import Condition, Inside, Statement, Switch, Truth, When
from govlang.compiler.steps_logic import NO, either
from govlang.compiler.steps_terms import Known, Reading

Fire = Callable[[int, Condition], Sequence[Statement]]
"""What happens when a rule, by number, fires under a condition."""

Statements = tuple[Statement, ...]


class Walk:
    """Prints a diagram."""

    def __init__(self, policy: ir.Policy, diagram: Diagram, reading: Reading, fire: Fire) -> None:
        self._rules = policy.rules
        self._diagram = diagram
        self._reading = reading
        self._fire = fire
        self._entries = Counter(entry.rule for entry in diagram.entries)

    def statements(self) -> Statements:
        """The whole walk."""
        return self._node(self._diagram.root, {})

    def _node(self, at: int | None, known: Known) -> Statements:
        if at is None:
            return ()
        node = self._diagram.nodes[at]
        match node:
            case Block():
                return (*self._block(node, known), *self._node(node.next, known))
            case Split():
                return (*self._split(node, known), *self._node(node.rest, known))
            case SwitchNode():
                return (*self._switch(node, known), *self._node(node.rest, known))
            case _:
                assert_never(node)

    # --- telling apart -----------------------------------------------------------------------------

    def _switch(self, node: SwitchNode, known: Known) -> Statements:
        within = self._within(node.axis, known)
        parts: dict[Statements, list[int]] = {}
        for value, child in node.cases:
            if within[0] <= value <= within[1]:
                body = self._node(child, {**known, node.axis: (value, value)})
                parts.setdefault(body, []).append(value)
        parts.pop((), None)
        return self.chosen(node.axis, parts, known)

    def chosen(self, axis: Axis, parts: dict[Statements, list[int]], known: Known) -> Statements:
        """The part that has the word of an axis."""
        if len(parts) == 1:
            ((body, values),) = parts.items()
            return when(self._reading.inside(axis, ranges_of(values), known), body)
        slot = self._reading.slot(axis)
        cases = tuple((tuple(values), body) for body, values in parts.items())
        return (Switch(slot, cases),) if cases else ()

    def _split(self, node: Split, known: Known) -> Statements:
        lo, hi = self._within(node.axis, known)
        starts, ends = (lo, *node.breakpoints), (*(b - 1 for b in node.breakpoints), hi)
        parts = [
            (start, end, self._node(child, {**known, node.axis: (start, end)}))
            for child, start, end in zip(node.children, starts, ends, strict=True)
        ]
        return self._halved(node.axis, parts)

    def _halved(self, axis: Axis, parts: Sequence[tuple[int, int, Statements]]) -> Statements:
        """The part whose interval the word lies in, by binary search; the word is in one of them."""
        bodies = [body for _, _, body in parts]
        if all(body == bodies[0] for body in bodies):
            return bodies[0]
        middle = len(parts) // 2
        below, above = parts[:middle], parts[middle:]
        lo, end, hi = parts[0][0], below[-1][1], parts[-1][1]
        is_below = Inside(self._reading.slot(axis), ((lo, end),), lo, hi)
        first, second = self._halved(axis, below), self._halved(axis, above)
        if not first:
            above_ = Inside(self._reading.slot(axis), ((end + 1, hi),), lo, hi)
            return when(above_, second)
        return (When(is_below, first, second),)

    def _within(self, axis: Axis, known: Known) -> tuple[int, int]:
        return known.get(axis) or self._reading.space.range(axis)

    # --- leaves ------------------------------------------------------------------------------------

    def _block(self, node: Block, known: Known) -> Statements:
        here: dict[int, list[Entry]] = {}
        for rank in node.entries:
            entry = self._diagram.entries[rank]
            here.setdefault(entry.rule, []).append(entry)
        found: list[Statement] = []
        for number, entries in here.items():
            condition = self._condition(number, entries, known)
            if condition != NO:
                found += self._fire(number, condition)
        return tuple(found)

    def _condition(self, number: int, entries: list[Entry], known: Known) -> Condition:
        """When a rule fires by these entries: its own condition, where it is all of them."""
        boxes_only = len(entries) == 1 and not entries[0].has_program
        if len(entries) == self._entries[number] and not boxes_only:
            return self._reading.condition(self._rules[number].condition, known)
        return either(self._reading.entry(entry, known) for entry in entries)


def when(condition: Condition, body: Statements) -> Statements:
    """The body if the condition holds."""
    if isinstance(condition, Truth):
        return body if condition.value else ()
    return (When(condition, body),) if body else ()
