"""Which cells of two versions always hold the same, because they are defined alike.

In: the cells and updates of both versions in one list.  Out: for each cell the one that stands for it.

What always holds: cells that stand together start alike, grow alike, and change by the same updates, cells that
stand together counting as one (the coarsest such partition within the first guess, as of bisimulation); so they
hold the same behind any samples.  Names say nothing: a cell that was renamed stands with the one that it was.
Updates that read the decision are alike only where both versions decide alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from govlang.compiler import ir
from govlang.verifier.rewriting import Renamer
from govlang.verifier.time.divide import asks_decision

ROUNDS_MAX: Final = 300
"""Rounds of telling cells apart; what is not settled by then counts as different."""

Names = Mapping[str, str]


def representatives(
    policy: ir.Policy, versions: Mapping[str, int], twins: Names, *, agreeing: bool
) -> dict[str, str]:
    """The cell that stands for each: one of the version with the highest number, if there is one.

    `versions` says whose each cell is, `twins` which cells have one name; `agreeing`: both versions have decided alike.
    """
    time = policy.time
    assert time is not None
    classes = _first(time.cells, twins)
    updates: dict[str, list[ir.Update]] = {cell.name: [] for cell in time.cells}
    for one in sorted(time.updates, key=lambda u: u.stage):
        updates[one.cell].append(one)
    for _ in range(ROUNDS_MAX):
        signs = _signs(policy, classes, updates, {} if agreeing else versions)
        finer = _numbered(signs)
        if len(set(finer.values())) == len(set(classes.values())):
            return _chosen(time.cells, finer, versions)
        classes = finer
    return {cell.name: cell.name for cell in time.cells}


def _first(cells: Sequence[ir.Cell], twins: Names) -> dict[str, int]:
    """A guess that is too coarse: cells of one name that look alike, and of the rest all that look alike."""
    looks = {cell.name: _look(cell) for cell in cells}
    paired = {name: other for name, other in twins.items() if looks[name] == looks[other]}
    paired |= {other: other for other in paired.values()}
    return _numbered({name: (look, paired.get(name, "")) for name, look in looks.items()})


def _look(cell: ir.Cell) -> tuple[object, ...]:
    return cell.scope, cell.field.lo, cell.field.hi, cell.initial, cell.cap, cell.brief


def _numbered(signs: Mapping[str, object]) -> dict[str, int]:
    numbers: dict[object, int] = {}
    return {name: numbers.setdefault(sign, len(numbers)) for name, sign in signs.items()}


def _signs(
    policy: ir.Policy,
    classes: Mapping[str, int],
    updates: Mapping[str, Sequence[ir.Update]],
    versions: Mapping[str, int],
) -> dict[str, object]:
    """What tells cells apart: their class, and their updates in words of classes."""
    renamer = Renamer.of(policy, {name: f"#{number}" for name, number in classes.items()})
    found: dict[str, object] = {}
    for name, own in updates.items():
        asking = any(map(asks_decision, own))
        said = tuple(map(renamer.update, own))
        found[name] = classes[name], said, versions.get(name) if asking else None
    return found


def _chosen(
    cells: Sequence[ir.Cell], classes: Mapping[str, int], versions: Mapping[str, int]
) -> dict[str, str]:
    best: dict[int, str] = {}
    for cell in cells:
        known = best.get(classes[cell.name])
        if known is None or versions[known] < versions[cell.name]:
            best[classes[cell.name]] = cell.name
    return {cell.name: best[classes[cell.name]] for cell in cells}
