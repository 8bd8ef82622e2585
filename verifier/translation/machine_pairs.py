"""What a way through a machine comes to, held against what it must come to.

In: the leaves of a symbolic run.  Out: pairs of trees that must be the same, claims that they are not, and doubts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from govlang.verifier.translation.gathered import UNSET, Gathered
from govlang.verifier.translation.integers import const
from govlang.verifier.translation.leaves import Leaf
from govlang.verifier.translation.machine_solve import MachineSolver, Rules
from govlang.verifier.translation.reading import Reader
from govlang.verifier.translation.solve import Answer
from govlang.verifier.translation.tree import FALSE, Tree

Pair = tuple[Tree, Tree]


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something that was not proved: claims that a request must satisfy to show it, or a variable."""

    what: str
    solver: MachineSolver | None = None
    claims: tuple[Any, ...] = ()
    variable: int | None = None


def pairs_of(
    leaf: Leaf, reader: Reader, returned: int, cells: Mapping[str, int | Tree]
) -> list[Pair]:
    """What is to be returned and stored, each with what is."""
    found = [(const(returned), leaf.returned)]
    for name, wanted in cells.items():
        value = leaf.cells.get(name, UNSET)
        tree = reader.read(value, leaf.path) if isinstance(value, Gathered) else value
        ours = const(wanted) if isinstance(wanted, int) else wanted
        found.append((reader.known(ours), reader.known(tree)))
    return found


def claims_of(solver: MachineSolver, condition: Tree, pair: Pair | None) -> list[Any]:
    """The claim that a condition holds, and that two integers differ."""
    if pair is None or UNSET in pair:
        return [solver.condition(condition)]
    return [solver.condition(condition), solver.unequal(*pair)]


def doubt_of(
    what: str, condition: Tree, pair: Pair | None, solver_of: Callable[[Rules], MachineSolver]
) -> Doubt | None:
    """What is not proved of a condition on which two integers differ: None if nothing satisfies it."""
    if condition == FALSE:
        return None
    for rules in Rules:
        solver = solver_of(rules)
        if solver.answer(claims_of(solver, condition, pair)) is Answer.NONE:
            return None
    spelt = solver_of(Rules.SPELT)
    return Doubt(what, spelt, tuple(claims_of(spelt, condition, pair)))
