"""Where a symbolic run ends: the ways on which it returns, and where something undefined may happen."""

from __future__ import annotations

from dataclasses import dataclass

from govlang.verifier.translation.gathered import Value
from govlang.verifier.translation.paths import Path
from govlang.verifier.translation.tree import Tree


@dataclass(frozen=True, slots=True)
class Leaf:
    """A way on which the function returns: where its path is taken and all that is given holds."""

    path: Path
    given: tuple[Tree, ...]
    returned: Tree
    cells: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Undefined:
    """Where the path is taken, all that is given holds and the condition does, nothing is defined."""

    path: Path
    given: tuple[Tree, ...]
    condition: Tree
    at: str
