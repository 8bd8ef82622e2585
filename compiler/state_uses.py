"""What each operator over time keeps: operators, machines and signals in, the cells that each needs out.

In: the memory of a policy, once it is whole, and which cells each operator reads.  Out: `Use`s.

What always holds: every cell that takes bytes is in some use.  A cell that several operators read is in the use of
each: they share it.  What a machine or a signal keeps is its own, whoever reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from govlang.compiler import ir
from govlang.compiler.happenings import Happenings
from govlang.compiler.types import Choice, Condition, Quantity, Value
from govlang.dsl.record import record


@record
class Use:
    """Something that remembers, as it is written, and the cells of one scope that it needs."""

    text: str
    scope: str
    cells: tuple[ir.Cell, ...]

    @property
    def bytes(self) -> int:
        """The bytes of its cells, shared or not."""
        return sum(cell.bytes for cell in self.cells)


def cells_read(value: Value) -> frozenset[str]:
    """The columns that a value reads, cells among them."""
    match value:
        case Condition(expr=expr):
            return ir.fields_read(expr)
        case Quantity(expr=number) | Choice(expr=number):
            return numbers_read(number)
        case _:
            return frozenset()


def numbers_read(number: ir.IntExpr) -> frozenset[str]:
    """The columns that a number reads."""
    return ir.fields_read(ir.Compare(ir.CompareOp.EQ, number, ir.IntConst(0)))


def uses_of(
    time: ir.Time, happenings: Happenings, read: Mapping[str, Iterable[str]]
) -> Iterator[Use]:
    """Machines, signals, operators in the order in which they are met, and what is left."""
    cells = {cell.name: cell for cell in time.cells if cell.bytes}
    owned = {f"machine {name}": (name, f"{name}.age") for name in happenings.machines}
    owned |= {f"signal {name}": (name, f"{name}.seen") for name in happenings.signals}
    own = {name for names in owned.values() for name in names}
    needs = {text: _needed(time, names, own) for text, names in read.items()}
    left = set(cells) - own - {name for names in needs.values() for name in names}
    needs = owned | needs | {name: (name,) for name in cells if name in left}
    for text, names in needs.items():
        kept = [cells[name] for name in names if name in cells]
        for scope in dict.fromkeys(cell.scope for cell in kept):
            yield Use(text, scope, tuple(cell for cell in kept if cell.scope == scope))


def _needed(time: ir.Time, names: Iterable[str], own: set[str]) -> tuple[str, ...]:
    """The cells that some columns are made of, but for what machines and signals keep."""
    found: dict[str, None] = {}
    waiting = [name for name in names if name not in own]
    while waiting:
        name = waiting.pop(0)
        if name in found:
            continue
        found[name] = None
        for update in time.updates:
            if update.cell == name:
                made_of = ir.fields_read(update.condition) | numbers_read(update.value)
                waiting += sorted(made_of - own)
    return tuple(found)
