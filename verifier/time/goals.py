"""What histories should show once, and how often something must come before a cell says so.

In: a policy over time, with the cells among its columns.  Out: conditions over a row; shapes of histories.

What always holds: they say only where a search looks; no answer rests on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from govlang.compiler import ir
from govlang.verifier.time.summands import most_added

LONG: Final = 130
"""How often one sample is repeated at most."""


@dataclass(frozen=True)
class Goals:
    """Where the searches for histories of one policy should come."""

    policy: ir.Policy
    wide: ir.Policy
    """The same over single samples, with its cells as fields (`flat.py`)."""
    time: ir.Time
    aims: Sequence[ir.BoolExpr] = ()
    """What should be seen once, beside what the policy tests."""

    def once(self) -> Iterator[ir.BoolExpr]:
        """The states of machines and the tests of single cells, of which each should be seen once."""
        yield from self.aims
        for cell in self.time.cells:
            if cell.field.members and cell.cap is None:
                for value in range(len(cell.field.members)):
                    yield ir.InRanges(cell.name, ((value, value),))
        names = {cell.name for cell in self.time.cells if not cell.brief}
        atoms = dict.fromkeys(a for c in self._conditions() for a in ir.atoms(c))
        for atom in atoms:
            if isinstance(atom, ir.InRanges) and atom.name in names:
                yield atom

    def _conditions(self) -> Iterator[ir.BoolExpr]:
        yield from (one.condition for one in self.wide.rules)
        yield from (one.condition for one in self.policy.properties)
        yield from (one.condition for one in self.time.updates)

    @cached_property
    def onward(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of what comes behind a place: few samples, or one as often as some cell counts."""
        often = [shape for n in self.counts() for shape in ((n, 1), (n, n), (n, 1, 1))]
        return ((1,), (1, 1), *often, (1, 1, 1))

    def counts(self) -> list[int]:
        """How often something must happen for some cell that is read to say so."""
        read = {name for c in self._conditions() for name in ir.fields_read(c)}
        adding = {u.cell for u in self.time.updates if isinstance(u.value, ir.Arith | ir.Choose)}
        found: set[int] = set()
        for cell in self.time.cells:
            stem, _, last = cell.name.rpartition(".")
            if cell.name in read and stem.endswith(".age") and last.isdigit():
                found.add(int(last))
            elif cell.name in adding and not cell.field.members and 2 < cell.field.hi <= LONG:
                found.add(cell.field.hi - 1)
        return sorted(n for n in found | self._summands() if n <= LONG)

    def _summands(self) -> set[int]:
        """How many of what is added pass a number that a sum is compared with."""
        tops = {one.name: one.hi for one in self.wide.fields}
        most = {one.cell: n for one in self.time.updates if (n := most_added(one, tops)) > 0}
        found = set()
        for condition in self._conditions():
            for atom in ir.atoms(condition):
                if not isinstance(atom, ir.Compare):
                    continue
                parts = [*ir.int_parts(atom.left), *ir.int_parts(atom.right)]
                names = [one.name for one in parts if isinstance(one, ir.FieldValue)]
                added = max((most[name] for name in names if name in most), default=0)
                bounds = [one.value for one in parts if isinstance(one, ir.IntConst)]
                for bound in bounds if added else ():
                    found |= {n for n in (bound // added, bound // added + 1) if n > 1}
        return found
