"""The decision structure of a policy: from a request to the few entries that can still fire.

In: a policy and the classes of its texts.  Out: entries in order of rank, and nodes (see
`nodes.py`); table, C and WebAssembly are printed from them.

Up to 64 entries are one block.  More are told apart: by the axis, and the way of cutting it, that
leave the fewest entries to be tested on average; entries that the axis does not restrict, or that
would have to be copied into too many children, go to `rest` and are told apart there.
So memory is linear in the entries, and a walk passes few of them.

What always holds: see `nodes.py`; rules that no axis tells apart are named in the report.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from govlang.compiler import ir
from govlang.compiler.boxes import Axis, AxisKind, SetCube, intersect_ranges
from govlang.compiler.entries import rank_entries
from govlang.compiler.ir import Ranges
from govlang.compiler.nodes import (
    Block,
    Diagram,
    Entry,
    Lookup,
    LookupKind,
    Node,
    Report,
    Split,
    Switch,
)
from govlang.compiler.plans import (
    COPIES_MAX,
    Plan,
    cost_of_parts,
    cost_of_values,
    few_values,
    parts_of,
    quantiles,
)
from govlang.compiler.terms import Space
from govlang.compiler.text_classes import TextClasses

BLOCK_MAX: Final = 64
LOOKUPS_MAX: Final = 255


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many entries are tested together rather than told apart: in all, and once they are told apart.

    `copies`: how many children an entry may stand in; `by_effect`: it has one effect, whoever has approved.
    """

    whole: int
    leaf: int
    copies: int
    by_effect: bool


TABLE: Final = Sizes(BLOCK_MAX, 24, COPIES_MAX, by_effect=True)
"""A block of a table tests 64 entries at once."""

CODE: Final = Sizes(24, 8, 2, by_effect=False)
"""Code tests entries one by one, and grows with every copy."""

DEPTH_MAX: Final = 30
"""Nodes on a way down; the format has room for 32."""

_GAIN: Final = 0.7
"""A node must leave at most this share of its entries to be tested; a sharp one may only save a block."""

_SHARP: Final = 0.1
"""A sharp node leaves at most this share of the entries that it tells apart."""

_DENSE_SLACK: Final = 4
"""Words of a dense lookup for each word of the sparse one."""

Context = Mapping[Axis, tuple[int, int]]
"""What the walk knows of some words when it comes to a node."""


def build_diagram(
    policy: ir.Policy, classes: Mapping[str, TextClasses], sizes: Sizes = TABLE
) -> Diagram:
    """The decision structure of a policy."""
    space = Space(policy, classes)
    entries = rank_entries(policy, space, by_effect=sizes.by_effect)
    builder = _Builder(space, entries, sizes)
    every = tuple(range(len(entries)))
    root = builder.build(every, {}, 0)
    return Diagram(entries, tuple(builder.nodes), root, _report(policy, entries, builder.nodes))


# --- nodes ---------------------------------------------------------------------------------------


class _Builder:
    def __init__(self, space: Space, entries: tuple[Entry, ...], sizes: Sizes) -> None:
        self.space = space
        self.entries = entries
        self.sizes = sizes
        self.nodes: list[Node] = []
        self.index: dict[Node, int] = {}

    def build(self, ids: tuple[int, ...], context: Context, depth: int) -> int | None:
        """The node for these entries, by rank; None for none."""
        if not ids:
            return None
        few = self.sizes.leaf if depth else self.sizes.whole
        if len(ids) <= few or depth >= DEPTH_MAX:
            return self._chain(ids, context)
        plan = self._plan(ids, context)
        if plan is None:
            return self._chain(ids, context)
        if plan.breakpoints is None:
            return self._switch(plan.axis, ids, context, depth)
        return self._split(plan.axis, plan.breakpoints, ids, context, depth)

    def _shared(self, node: Node) -> int:
        found = self.index.setdefault(node, len(self.nodes))
        if found == len(self.nodes):
            self.nodes.append(node)
        return found

    def _range(self, axis: Axis, context: Context) -> tuple[int, int]:
        return context.get(axis) or self.space.range(axis)

    def _allowed(self, entry: int, axis: Axis, within: tuple[int, int]) -> Ranges | None:
        """What an entry allows of an axis inside a range; None if all of it."""
        ranges = self.entries[entry].box.get(axis)
        if ranges is None or isinstance(ranges, SetCube):
            return None
        allowed = intersect_ranges(ranges, (within,))
        return None if allowed == (within,) else allowed

    # --- telling entries apart -------------------------------------------------------------------

    def _plan(self, ids: Sequence[int], context: Context) -> Plan | None:
        axes: dict[Axis, int] = {}
        for i in ids:
            for axis in self.entries[i].box:
                if axis.kind is not AxisKind.SET:
                    axes[axis] = axes.get(axis, 0) + 1
        enough = (1 - _GAIN) * len(ids)
        block = min(enough, self.sizes.whole)
        plans = [
            plan
            for axis, count in axes.items()
            if count >= block
            for plan in self._plans(axis, ids, context)
            if len(ids) - plan.cost >= (block if plan.sharp else enough)
        ]
        return min(plans, key=Plan.order, default=None)

    def _plans(self, axis: Axis, ids: Sequence[int], context: Context) -> Iterator[Plan]:
        within = self._range(axis, context)
        allowed = [a for i in ids if (a := self._allowed(i, axis, within)) is not None]
        free, told = len(ids) - len(allowed), len(allowed)
        tested, rest = cost_of_values(allowed, self.sizes.copies)
        yield Plan(axis, free + rest + tested, tested <= _SHARP * (told - rest))
        ends = sorted({end for a in allowed for lo, hi in a for end in (lo, hi + 1)})
        ends = [end for end in ends if within[0] < end <= within[1]]
        parts = len(ends) + 1
        while parts >= 2:
            breakpoints = quantiles(ends, parts)
            tested, rest = cost_of_parts(allowed, breakpoints, self.sizes.copies)
            sharp = tested <= _SHARP * (told - rest)
            yield Plan(axis, free + rest + tested, sharp, breakpoints)
            parts //= 4

    def _switch(self, axis: Axis, ids: tuple[int, ...], context: Context, depth: int) -> int:
        within = self._range(axis, context)
        cases: dict[int, list[int]] = {}
        rest: list[int] = []
        for i in ids:
            allowed = self._allowed(i, axis, within)
            values = None if allowed is None else few_values(allowed, self.sizes.copies)
            if values is None:
                rest.append(i)
            else:
                for value in values:
                    cases.setdefault(value, []).append(i)
        below = self.build(tuple(rest), context, depth + 1)
        children = [
            (value, self.build(tuple(own), {**context, axis: (value, value)}, depth + 1))
            for value, own in sorted(cases.items())
        ]
        return self._shared(
            Switch(axis, tuple((v, c) for v, c in children if c is not None), below)
        )

    def _split(
        self,
        axis: Axis,
        breakpoints: tuple[int, ...],
        ids: tuple[int, ...],
        context: Context,
        depth: int,
    ) -> int:
        lo, hi = self._range(axis, context)
        parts: list[list[int]] = [[] for _ in range(len(breakpoints) + 1)]
        rest: list[int] = []
        for i in ids:
            allowed = self._allowed(i, axis, (lo, hi))
            touched = None if allowed is None else parts_of(allowed, breakpoints, self.sizes.copies)
            if touched is None:
                rest.append(i)
            else:
                for part in touched:
                    parts[part].append(i)
        below = self.build(tuple(rest), context, depth + 1)
        starts, ends = (lo, *breakpoints), (*(b - 1 for b in breakpoints), hi)
        children = tuple(
            self.build(tuple(own), {**context, axis: (start, end)}, depth + 1)
            for own, start, end in zip(parts, starts, ends, strict=True)
        )
        return self._shared(Split(axis, breakpoints, children, below))

    # --- blocks ----------------------------------------------------------------------------------

    def _chain(self, ids: tuple[int, ...], context: Context) -> int | None:
        """Blocks of up to 64 entries, best ranks first; fewer where they need too many lookups."""
        chunks = [ids[i : i + BLOCK_MAX] for i in range(0, len(ids), BLOCK_MAX)]
        following: int | None = None
        while chunks:
            own = chunks.pop()
            lookups = self._lookups(own, context)
            if len(lookups) > LOOKUPS_MAX:
                middle = len(own) // 2
                chunks += [own[:middle], own[middle:]]
                continue
            residuals = tuple(b for b, i in enumerate(own) if self.entries[i].has_program)
            following = self._shared(Block(own, lookups, residuals, following))
        return following

    def _lookups(self, ids: Sequence[int], context: Context) -> tuple[Lookup, ...]:
        axes = sorted({axis for i in ids for axis in self.entries[i].box})
        found: list[Lookup] = []
        for axis in axes:
            if axis.kind is AxisKind.SET:
                found += self._set_lookups(axis, ids)
            else:
                found += self._word_lookup(axis, ids, self._range(axis, context))
        return tuple(found)

    def _word_lookup(
        self, axis: Axis, ids: Sequence[int], within: tuple[int, int]
    ) -> Iterator[Lookup]:
        lo, hi = within
        mask = (1 << len(ids)) - 1
        flips: dict[int, int] = {}
        for bit, i in enumerate(ids):
            allowed = self._allowed(i, axis, within)
            if allowed is None:
                continue
            if not allowed or allowed[0][0] != lo:
                mask &= ~(1 << bit)
            for start, end in allowed:
                for at in (start, end + 1):
                    if lo < at <= hi:
                        flips[at] = flips.get(at, 0) ^ 1 << bit
        keys = sorted(flips)
        masks = [mask]
        for key in keys:
            masks.append(masks[-1] ^ flips[key])
        full = (1 << len(ids)) - 1
        if any(m != full for m in masks):
            yield _dense(axis, within, keys, masks) or _sparse(axis, keys, masks)

    def _set_lookups(self, axis: Axis, ids: Sequence[int]) -> Iterator[Lookup]:
        everything = self.space.range(axis)[1]
        keep: dict[tuple[LookupKind, int], int] = {}
        full = (1 << len(ids)) - 1
        for bit, i in enumerate(ids):
            for test in _set_tests(self.entries[i], axis, everything):
                keep[test] = keep.get(test, full) & ~(1 << bit)
        for (kind, members), mask in sorted(keep.items()):
            yield Lookup(kind, axis, (members,), (mask,))


def _set_tests(entry: Entry, axis: Axis, everything: int) -> Iterator[tuple[LookupKind, int]]:
    cube = entry.box.get(axis)
    if cube is None:
        return
    assert isinstance(cube, SetCube)
    if cube.require:
        yield LookupKind.SET_ALL, cube.require
    if cube.forbid:
        yield LookupKind.SET_WITHIN, everything & ~cube.forbid
    for clause in cube.clauses:
        yield LookupKind.SET_ANY, clause.present


def _dense(
    axis: Axis, within: tuple[int, int], keys: Sequence[int], masks: Sequence[int]
) -> Lookup | None:
    lo, hi = within
    size = hi - lo + 1
    if size > _DENSE_SLACK * (len(keys) + 1):
        return None
    words = tuple(masks[bisect_right(keys, word)] for word in range(lo, hi + 1))
    return Lookup(LookupKind.DENSE, axis, (lo,), words)


def _sparse(axis: Axis, keys: Sequence[int], masks: Sequence[int]) -> Lookup:
    return Lookup(LookupKind.RANGES, axis, tuple(keys), tuple(masks))


# --- report --------------------------------------------------------------------------------------


def _report(policy: ir.Policy, entries: Sequence[Entry], nodes: Sequence[Node]) -> Report:
    worst: list[tuple[int, int, int]] = []  # sum, nodes, lookups and residuals
    for node in nodes:
        worst.append(_worst(node, worst))
    _, passed, tested = worst[-1] if worst else (0, 0, 0)
    columns = {axis for e in entries for axis in e.box if axis.kind is AxisKind.CLASS}
    return Report(
        len(entries), len(nodes), _unindexed(policy, entries, nodes), passed, tested, len(columns)
    )


def _worst(node: Node, worst: Sequence[tuple[int, int, int]]) -> tuple[int, int, int]:
    below: tuple[int | None, ...]
    if isinstance(node, Block):
        own, below = len(node.lookups) + len(node.residuals), (node.next,)
    else:
        children = node.children if isinstance(node, Split) else [c for _, c in node.cases]
        longest = max((c for c in children if c is not None), key=lambda c: worst[c], default=None)
        own, below = 0, (longest, node.rest)
    parts = [worst[b] for b in below if b is not None]
    passed, tested = 1 + sum(p[1] for p in parts), own + sum(p[2] for p in parts)
    return passed + tested, passed, tested


def _unindexed(
    policy: ir.Policy, entries: Sequence[Entry], nodes: Sequence[Node]
) -> tuple[str, ...]:
    """Rules that every request is held against although there is more than one block."""
    if len(entries) <= BLOCK_MAX:
        return ()
    rules: set[int] = set()
    at: int | None = len(nodes) - 1
    while at is not None:
        node = nodes[at]
        if isinstance(node, Block):
            rules.update(entries[i].rule for i in node.entries)
            at = node.next
        else:
            at = node.rest
    return tuple(policy.rules[number].id for number in sorted(rules))
