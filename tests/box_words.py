"""What boxes mean, word by word."""

from __future__ import annotations

from govlang.compiler.boxes import Allowed, SetCube


def set_holds(cube: SetCube, value: int) -> bool:
    """Whether a set, as a mask, is in the cube."""
    return (
        value & cube.require == cube.require
        and not value & cube.forbid
        and all(value & c.present or ~value & c.missing for c in cube.clauses)
    )


def holds_word(allowed: Allowed, word: int) -> bool:
    """Whether a word is allowed."""
    if isinstance(allowed, SetCube):
        return set_holds(allowed, word)
    return any(lo <= word <= hi for lo, hi in allowed)
